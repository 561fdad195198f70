"""What it costs to watch a job: records, trace and previews, beside the same job unwatched.

    python -m benchmarks.watching                        # a picture, a clip, a sound, a solid
    python -m benchmarks.watching image --steps 300      # long enough for previews

Each round runs the job unwatched, watched and unwatched again, by turns, through one engine and
with one thread of torch's, as a worker does: twice a second its progress goes to a database.
Watched, every call is recorded and summed up, previews go along, and the calls do when the job
ends. What the unwatched differ among themselves is the noise of the machine. Previews may take 2 %
of a job's time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.side_by_side import Figure, side_by_side
from omnifex.engine.engine import Assignment, Engine, RunningJob
from omnifex.engine.watching.previews import SHARE
from omnifex.workbench import Workbench
from omnifex.worker.reporter import Reporter
from omnifex.worker.run import FLUSH_S
from omnifex_jobs import JobQueue, Recipe, migrate, open_database


@dataclass(frozen=True)
class Watching:
    """One modality: a job unwatched and watched in milliseconds, and what was seen of it."""

    modality: str
    cpu: Figure
    wall: Figure
    calls: int  # in the trace of the last watched job
    trace_bytes: int
    preview_share: float  # of that job's time


class Worker:
    """Runs the job over and over, as a worker does."""

    def __init__(self, engine: Engine, queue: JobQueue, assignment: Assignment) -> None:
        self._engine, self._queue, self._assignment = engine, queue, assignment
        self.job_id, self.preview_share = "", 0.0

    def watched(self) -> None:
        self.job_id, running = self._run(previews=True)
        total = running.result().metrics["total_time"]
        self.preview_share = running.job.previews.spent / total

    def unwatched(self) -> None:
        with deaf(self._engine):
            self._run(previews=False)

    def _run(self, *, previews: bool) -> tuple[str, RunningJob]:
        self._queue.submit(Recipe({"prompt": "watching"}), modality="image", model="prism")
        (claim,) = self._queue.claim("benchmark")
        reporter = Reporter(self._queue, claim)
        reporter.wants_previews = previews
        running = self._engine.start(self._assignment, reporter)
        while not running.done():
            reporter.flush()
            wait([running.outcome], FLUSH_S)
        reporter.flush(ended=True)
        return claim.job.id, running


def measure(bench: Workbench, queue: JobQueue, modality: str, steps: int, rounds: int) -> Watching:
    prompt = bench.host.modality(modality).example_prompt
    assignment = bench.assignment(modality, prompt=prompt, seed=1, steps=steps)
    worker = Worker(bench.engine, queue, assignment)
    found = side_by_side(worker.unwatched, worker.watched, rounds, warm_up=1)
    parts = [call for part in queue.trace(worker.job_id) for call in part.calls]
    return Watching(
        modality,
        found.least("cpu"),
        found.median("wall"),
        len(parts),
        len(json.dumps(parts)),
        worker.preview_share,
    )


@contextmanager
def deaf(engine: Engine) -> Iterator[None]:
    """The engine with nobody to tell."""
    observers = engine.dispatcher.runner.observers
    heard = list(observers)
    observers.clear()
    try:
        yield
    finally:
        observers.extend(heard)


def run(modalities: Sequence[str], steps: int, rounds: int) -> list[Watching]:
    with tempfile.TemporaryDirectory() as folder, Workbench(Path(folder)) as bench:
        database = open_database(f"sqlite:///{folder}/watching.db")
        migrate(database)
        queue = JobQueue(database)
        return [measure(bench, queue, modality, steps, rounds) for modality in modalities]


def table(found: Sequence[Watching]) -> str:
    lines = [
        "modality   unwatched   watched    CPU     wall    noise   calls   trace   previews",
        "            ms CPU      ms CPU                             in it    bytes  of its time",
    ]
    lines += [
        f"{one.modality:9} {one.cpu.baseline:9.1f} {one.cpu.ours:11.1f} "
        f"{one.cpu.ratio - 1:+8.1%} {one.wall.ratio - 1:+8.1%} {one.cpu.noise - 1:7.1%} "
        f"{one.calls:6} {one.trace_bytes:8,} {one.preview_share:9.1%}"
        for one in found
    ]
    return "\n".join([*lines, f"(previews may take {SHARE:.0%} of a job's time)"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("modalities", nargs="*", default=["image", "video", "audio", "mesh"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = run(given.modalities, given.steps, given.rounds)
    print(json.dumps([asdict(one) for one in found]) if given.json else table(found))


if __name__ == "__main__":
    main()
