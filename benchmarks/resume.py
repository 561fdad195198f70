"""What kill -9 costs: worker processes killed at random moments, over jobs of every modality.

    python -m benchmarks.resume                  # 100 kills, minutes on two cores
    python -m benchmarks.resume --kills 10 --rounds 0

First every kind of job runs once, undisturbed. Then real worker processes take such jobs, and each
is killed after a while. What a kill cost is read from the workers' own list of calls and from the
journal that was left: the calls that had been computed and must be computed again, and the time
that the call in flight had taken. Targets: no job is lost, all files are the undisturbed ones bit
for bit, no kill costs more than one call or one second, and the journal at most 2 % of run time.

Workers are forked from a process that has imported torch, so that they start at once; the parent
sees them die and frees their jobs, as a supervisor does.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence

from benchmarks.journal_cost import print_cost
from benchmarks.killing import Kills, Reference, finish, kill_workers, left, settle
from omnifex import Studio
from omnifex.home import Home, open_home
from omnifex_jobs import Job, State

BOUND_S = 1.0
PATIENCE_S = 600.0
KINDS = (
    ("image", "prism", "a red circle", 60),
    ("video", "prism", "a blue star moving left", 40),
    ("audio", "prism", "a sine tone at A4", 40),
    ("mesh", "prism", "a green cube", 50),
    ("image", "prism-ldm", "a yellow square", 40),
    ("audio", "prism-ldm", "a square tone at C5", 40),
)


def references(studio: Studio) -> list[Reference]:
    """Each kind of job once, in peace and alone: company would change the last bits."""
    settle()
    known = []
    for kind, model, prompt, steps in KINDS:
        job = studio.submit(kind, model=model, prompt=prompt, seed=7, steps=steps)
        job.wait(PATIENCE_S)
        record = job.record
        known.append(Reference(record, files(record), record.metrics["component_calls"]))
    return known


def report(home: Home, jobs: dict[str, Reference], costs: Kills, kills: int) -> bool:
    ended = [(home.queue.get(job_id), reference) for job_id, reference in jobs.items()]
    lost = [job for job, _ in ended if job.state is not State.SUCCEEDED]
    equal = [job for job, reference in ended if files(job) == reference.files]
    total = [a + b for a, b in zip(costs.again, costs.in_flight, strict=True)]
    bound = max(BOUND_S, costs.longest)
    print(f"{kills} kills interrupted {len(total)} attempts at {len(jobs)} jobs")
    print(f"  lost                    {len(lost)} (target 0)")
    print(f"  bit-identical           {len(equal)} of {len(jobs)} (target all)")
    print(f"  computed again a kill   {spread(costs.again)}")
    print(f"  and the call in flight  {spread(costs.in_flight)}")
    print(f"  both                    {spread(total)} (target ≤ {bound:.2f} s, the longer of")
    print(
        f"                          one second and one call; the longest was {costs.longest:.2f})"
    )
    replayed = sum(int(job.metrics.get("calls_replayed", 0)) for job, _ in ended)
    print(f"  calls replayed by the attempts that succeeded: {replayed}")
    print(f"  journals left behind    {left(home)} (target 0)")
    return not lost and len(equal) == len(jobs) and max(total, default=0.0) <= bound


def files(job: Job) -> tuple[str, ...]:
    made = [file for file in job.artifacts if file.role != "input"]
    return tuple(file.sha256 for file in sorted(made, key=lambda file: (file.role, file.position)))


def spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "nothing was interrupted"
    return f"max {max(seconds):.3f} s, mean {statistics.mean(seconds):.3f} s"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3, help="of the journal's cost; 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        with Studio(folder, devices=["cpu"]) as studio:
            known = references(studio)
        home = open_home(folder)
        jobs, costs = kill_workers(home, known, options.kills, random.Random(options.seed))
        finish(home, jobs)
        held = report(home, jobs, costs, options.kills)
        home.close()
    if options.rounds:
        held &= print_cost(options.rounds)
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
