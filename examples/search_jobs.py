"""The job database: what was made, in which project, and what went wrong."""

from omnifex import InvalidRequest, Studio

with Studio() as studio:
    for colour in ("red", "green", "blue"):
        prompt = f"a {colour} star on a white background"
        studio.submit("image", prompt=prompt, steps=4, metadata={"project": "stars"}).result()
    studio.submit("image", prompt="a red ring", delay=3600).cancel("not needed after all")

    for job in studio.jobs(status="succeeded", modality="image", text="star", limit=10):
        print(job.id, job.metadata["project"], job.request["prompt"], job.seed)
    for job in studio.jobs(status="canceled"):
        print(job.id, job.error.message)
    print({str(state): count for state, count in studio.counts().items() if count})

    try:
        studio.submit("image", prompt="a red star", steps=-1)
    except InvalidRequest as refusal:  # it never became a job
        print(refusal)
