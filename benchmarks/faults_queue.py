"""The queue under pressure: many processes at once (F15), many rows (F16)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults_bench import Bench, Figure, none
from benchmarks.queue import fdatasync_ms
from benchmarks.queue_backlog import Backlog, measure_backlog
from benchmarks.queue_processes import Crew, ours

PROCESSES = 8
SECONDS = 3.0  # of submitting, and as many of claiming


@contextmanager
def other_database(bench: Bench, name: str) -> Iterator[str]:
    """The address of an empty one of the same kind, and for its time only."""
    if bench.server:
        yield bench.server.url(name)
        bench.server.drop(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / name}.db"


def contention(bench: Bench) -> Iterator[Figure]:
    """F15: eight processes that do nothing but submit, claim and finish."""
    with (
        other_database(bench, "contention") as address,
        Crew(ours(), address, PROCESSES) as crew,
    ):
        found = crew.figures(SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        disk = fdatasync_ms(Path(folder))
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    said = f"{PROCESSES} processes, {cores} cores, load {load:.0f}, fdatasync {disk:.1f} ms: errors"
    yield none("F15", said, found.errors)
    p99 = f"{found.p99_ms:.0f} ms, at most {found.longest_ms:.0f} ms"
    met = found.p99_ms <= 100 and found.longest_ms <= 500
    yield Figure("F15", "claim p99", p99, "≤ 100, ≤ 500", met)
    share, met = f"±{found.unfair:.0%}", found.unfair <= 0.25
    yield Figure("F15", "share of one process", share, "±25%", met)


def backlog(bench: Bench, ended: int) -> Iterator[Figure]:
    """F16: a claim among many that have ended and a tenth as many that wait."""
    with other_database(bench, "backlog") as address:
        p50, p99, _, _ = measure_backlog(address, Backlog(ended, ended // 10))
    most = 10 if bench.server else 5
    said = f"{ended:,} ended, {ended // 10:,} queued: a claim"
    shown = f"{p50:.1f} ms, p99 {p99:.1f} ms"
    yield Figure("F16", said, shown, f"p99 ≤ {most} ms", p99 <= most)
