"""Make several pictures in one job, and keep the two that a scorer likes best."""

from omnifex import Studio

with Studio() as studio:
    studio.models.style("prism", "night", prompt="{prompt} on a navy background", steps=8)
    job = studio.submit(
        "image", prompt="a large yellow star", style="night", best_of=3, scorer="sharpness", keep=2
    )
    for place, picture in enumerate(job.result(timeout=240), 1):
        picture.save(f"star-{place}.png")
        print(f"star-{place}.png: seed {picture.meta['seed']}, score {picture.score:.4g}")
    print(*job.notes, sep="\n")
