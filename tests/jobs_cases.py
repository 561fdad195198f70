"""What the tests of the job queue share: a real queue on a real file, and short ways to fill it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from omnifex_jobs import Artifact, Job, JobQueue, Recipe, Submission, migrate, open_database


def open_queue(path: Path, driver: ModuleType | None = None) -> JobQueue:
    return queue_at(f"sqlite:///{path}", driver)


def queue_at(address: str, driver: ModuleType | None = None) -> JobQueue:
    engine = open_database(address, driver=driver)
    migrate(engine)
    return JobQueue(engine)


def submit(queue: JobQueue, prompt: str = "a red circle", /, **options: Any) -> Job:
    request = {"modality": "image", "model": "prism", **options}
    return queue.submit(Recipe({"prompt": prompt}), **request)


def submissions(count: int) -> list[Submission]:
    return [Submission(Recipe({"prompt": f"job {n}"}), "image", "prism") for n in range(count)]


def artifact(letter: str = "a", **fields: Any) -> Artifact:
    return Artifact(letter * 64, "image/png", 3, **fields)


def kinds(queue: JobQueue, job_id: str | None = None) -> list[str]:
    return [event.kind for event in queue.events(job_id)]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 1 MiB; skips the test where nobody may mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
