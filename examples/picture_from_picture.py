"""A job as another's input: the second one waits for the first and starts from its picture."""

from omnifex import Studio

with Studio() as studio:
    circle = studio.submit("image", prompt="a large red circle on a white background", seed=7)
    heart = studio.submit(
        "image",
        prompt="a large red heart on a white background",
        image=circle,  # or a path, bytes, a PIL image, an artifact
        strength=0.8,
        seed=7,
    )
    print("the heart is", heart.status)
    (picture,) = heart.result(timeout=120)
    print(picture.save("heart.png"), "depends on", *heart.record.parents)
