"""What the journal costs a job that nobody kills: ours beside no journal, in one run."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omnifex_jobs.journal import Journal, Journals

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
    print(f"  all: {statistics.mean(shares):.2%}")
    return max(shares) <= TARGET


def share(
    bench: Workbench, folder: Path, modality: str, prompt: str, steps: int, rounds: int
) -> float:
    """The part of its run time that a job spends on its journal."""
    asked = bench.assignment(modality, prompt=prompt, steps=steps, seed=7)
    bench.engine.run(asked)  # loads what it needs
    ratios, noises, shares, sizes = [], [], [], []
    for _ in range(rounds):
        before, (journaled, spent, size), after = (
            plain(bench, asked),
            ours(bench, asked, folder),
            0.0,
        )
        after = plain(bench, asked)
        ratios.append(2 * journaled / (before + after))
        noises.append(max(before, after) / min(before, after))
        shares.append(spent / journaled)
        sizes.append(size)
    print(
        f"  {modality:6} {steps} steps: with the journal {statistics.median(ratios):.3f} of the "
        f"time without (noise {statistics.median(noises):.3f}); its own account "
        f"{statistics.median(shares):.2%}; {sizes[0] / 1e6:.2f} MB"
    )
    return statistics.median(shares)


def plain(bench: Workbench, asked: Assignment) -> float:
    """Seconds of the job without a journal."""
    began = time.perf_counter()
    bench.engine.run(asked)
    return time.perf_counter() - began


def ours(bench: Workbench, asked: Assignment, folder: Path) -> tuple[float, float, int]:
    """Seconds of the job, those spent on its journal, and the journal's bytes."""
    from omnifex.engine.recording import JobJournal

    journal = Journals(folder / "journals").open("JOB", {}, lambda: True)
    with closing(journal), synced(journal):
        began = time.perf_counter()
        outcome = bench.engine.run(replace(asked, journal=JobJournal(journal)))
        seconds = time.perf_counter() - began
    size = journal.path.stat().st_size if journal.path.exists() else 0
    journal.drop()
    return seconds, float(outcome.metrics["journal_time"]), size


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
