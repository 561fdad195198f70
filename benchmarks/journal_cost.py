"""What the journal costs a job that nobody kills: ours beside no journal, in one run."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from omnifex_jobs.files.journal import Journal, Journals

if TYPE_CHECKING:
    from omnifex.engine.engine import Assignment
    from omnifex.workbench import Workbench

TARGET = 0.02
SYNC_S = 0.5  # as the worker does
KINDS = (
    ("image", "a red circle", 50),
    ("video", "a blue star moving left", 40),
    ("audio", "a sine tone at A4", 40),
    ("mesh", "a green cube", 50),
)


def print_cost(rounds: int) -> bool:
    """A line for each modality; whether the journal's own share stays within the target."""
    import torch

    from omnifex.workbench import Workbench

    torch.set_num_threads(1)
    print(f"journal, medians of {rounds} rounds (target ≤ {TARGET:.0%} of run time)")
    with tempfile.TemporaryDirectory() as folder, Workbench(Path(folder)) as bench:
        shares = [share(bench, Path(folder), *kind, rounds) for kind in KINDS]
    print(f"  all: {mean(shares):.2%}")
    return max(shares) <= TARGET


def share(
    bench: Workbench, folder: Path, modality: str, prompt: str, steps: int, rounds: int
) -> float:
    """The part of its run time that a job spends on its journal."""
    asked = bench.assignment(modality, prompt=prompt, steps=steps, seed=7)
    bench.engine.run(asked)  # loads what it needs
    rows = [
        (plain(bench, asked), ours(bench, asked, folder), plain(bench, asked))
        for _ in range(rounds)
    ]
    ratio = median(2 * spent.cpu / (before + after) for before, spent, after in rows)
    noise = median(max(before, after) / min(before, after) for before, _, after in rows)
    account = median(spent.journal / spent.wall for _, spent, _ in rows)
    print(
        f"  {modality:6} {steps} steps: {ratio:.3f} of the processor's time without it "
        f"(noise {noise:.3f}); by its own account {account:.2%} of run time; "
        f"{rows[0][1].size / 1e6:.2f} MB"
    )
    return account


@dataclass(frozen=True)
class Spent:
    """Seconds of the processor and of the clock, those on the journal, and the journal's bytes."""

    cpu: float
    wall: float
    journal: float
    size: int


def plain(bench: Workbench, asked: Assignment) -> float:
    """Seconds of the processor for the job without a journal."""
    began = time.thread_time()
    bench.engine.run(asked)
    return time.thread_time() - began


def ours(bench: Workbench, asked: Assignment, folder: Path) -> Spent:
    from omnifex.engine.durability.recording import JobJournal

    journal = Journals(folder / "journals").open("JOB", {}, lambda: True)
    with closing(journal), synced(journal):
        cpu, wall = time.thread_time(), time.perf_counter()
        outcome = bench.engine.run(replace(asked, journal=JobJournal(journal)))
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    size = journal.path.stat().st_size if journal.path.exists() else 0
    journal.drop()
    return Spent(cpu, wall, float(outcome.metrics["journal_time"]), size)


@contextmanager
def synced(journal: Journal) -> Iterator[None]:
    """Sync it from another thread, as the worker does."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(SYNC_S):
            journal.sync()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
