"""A disk that is full, and then not any more (F9)."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.faults_bench import Bench, Figure, none, true, until, whole
from omnifex_jobs import JobsError

SIZE_MB = 24
LITTLE = 300_000  # bytes: less than the fiftieth of the disk that a worker leaves free
SLOW = {"steps": 6, "pace": 0.1}


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A real file system of its own; None where nobody may mount one."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", name]
        if subprocess.run(mount, capture_output=True).returncode:
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def disk_full(bench: Bench) -> Iterator[Figure]:
    """F9: files, journals, and on SQLite the database lie on a disk that somebody fills."""
    with small_disk() as disk:
        if disk is None:
            yield Figure("F9", "full disk", "not run: mounting needs root", "–", False)
            return
        address = bench.server.url("disk") if bench.server else str(disk / "home")
        small = Bench(bench.kind, address, disk / "files", bench.chance, bench.server)
        try:
            yield from on(small, disk / "ballast")
        finally:
            small.close()


def on(bench: Bench, ballast: Path) -> Iterator[Figure]:
    worker = bench.start("cpu:0")
    worker.until_complete()
    ids = bench.submit(4, **SLOW)
    bench.until_begun(ids)
    fill(ballast)
    refused = submit_until_refused(bench)
    until(lambda: codes(bench, ids), 5)  # all four want to write their files now
    told = codes(bench, ids)
    ballast.unlink()
    began = time.monotonic()
    bench.until_over(bench.acknowledged)
    took = time.monotonic() - began
    done, asked = bench.succeeded(bench.acknowledged), len(bench.acknowledged)
    rows = bench.value("SELECT count(*) FROM job")

    held = waits_below_the_floor(bench, ballast)
    wrong = bench.violations()
    states = ", ".join(sorted(told)) or "ends kept until there is room"
    if refused:
        yield Figure("F9", "full disk: submissions", refused, "disk_full", refused == "disk_full")
    yield whole("F9", "acknowledged jobs that are there", rows, asked)
    yield whole("F9", f"jobs that succeed later ({states})", done, asked)
    said = f"  {took:.0f} s after there is room again, same worker"
    yield true("F9", said, worker.process.poll() is None)
    yield true("F9", "nothing begins below the floor", held)
    yield none("F9", f"checker: violations {wrong[:1] or ''}", len(wrong))


def codes(bench: Bench, ids: list[str]) -> set[str]:
    """Of the errors that attempts ended with."""
    tried = [attempt for one in ids for attempt in bench.home.queue.attempts(one)]
    return {attempt.error.code for attempt in tried if attempt.error}


def submit_until_refused(bench: Bench) -> str:
    """The code of the refusal; empty where the database has a disk of its own."""
    for _ in range(0 if bench.server else 1000):
        try:
            bench.submit(1)
        except JobsError as error:
            return error.code
    return ""


def waits_below_the_floor(bench: Bench, ballast: Path) -> bool:
    """Whether a job waits while there is a little space, and runs when there is more."""
    fill(ballast, but=LITTLE)
    time.sleep(2.5)  # the worker looks every second
    ids = bench.submit(1)
    time.sleep(2.5)
    waited = not bench.home.queue.attempts(ids[0])
    ballast.unlink()
    bench.until_over(ids)
    return waited and bench.succeeded(ids) == 1


def fill(ballast: Path, but: int = 0) -> None:
    """Leave no more than so many bytes."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with ballast.open("r+b") as file:
        file.truncate(max(0, ballast.stat().st_size - but))
