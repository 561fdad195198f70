"""Make the same thing again from its recipe, and check that the files are still what they were."""

from omnifex import Studio

with Studio() as studio:
    job = studio.submit("image", prompt="a yellow heart on a navy background")
    (first,) = job.result(timeout=120)

    again = studio.replay(job.id)  # the same recipe, with the seed that was drawn
    (second,) = again.result(timeout=120)
    print("same bytes" if first.sha256 == second.sha256 else "other bytes", f"from seed {job.seed}")

    found = studio.verify(job.id)  # reads and hashes its files and its recipe again
    print(f"{found.checked} file checked, {len(found.damaged)} damaged, intact: {found.ok}")
