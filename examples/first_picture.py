"""A picture from a prompt: submit, wait, save."""

from omnifex import Studio

with Studio() as studio:
    job = studio.submit("image", prompt="a large red circle on a navy background", seed=7)
    (picture,) = job.result(timeout=120)
    print(picture.save("circle.png"), picture.media_type, picture.sha256[:12])
    print(f"{job.metrics['predict_time']:.1f} s for {job.request['steps']} steps")
