"""A picture, a clip, a sound and a solid: four jobs of one queue, side by side."""

from omnifex import Studio

PROMPTS = {
    "image": "a small red star left of a large blue ring",
    "video": "a large yellow star growing on a navy background",
    "audio": "a plucked sawtooth tone at A4",
    "mesh": "a red cone on top of a blue cube",
}

with Studio() as studio:
    jobs = [studio.submit(name, prompt=prompt, seed=7) for name, prompt in PROMPTS.items()]
    for job in jobs:
        (file,) = job.result(timeout=300)
        print(file.save("."), file.meta)
