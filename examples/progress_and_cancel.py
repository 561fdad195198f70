"""Follow a job by its events, and change your mind half-way."""

from omnifex import JobCanceled, Studio

with Studio() as studio:
    job = studio.submit("image", prompt="a green arrow on a pink background", steps=1000)
    for event in job.events():
        print(event.seq, event.kind, event.payload.get("stage", ""), event.payload.get("step", ""))
        if event.kind == "progress" and event.payload["step"] > 0:
            job.cancel("seen enough")  # stops after the component call that it is in

    try:
        job.result()
    except JobCanceled as end:
        print(end)
    print(f"{job.status} after {job.progress.step} of {job.progress.steps} steps")
