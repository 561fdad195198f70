"""What the tests of the job queue share: a real queue on a real file, and short ways to fill it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from omnifex_jobs import Artifact, Job, JobQueue, Recipe, Submission, migrate, open_database


def open_queue(path: Path, driver: ModuleType | None = None) -> JobQueue:
    engine = open_database(f"sqlite:///{path}", driver=driver)
    migrate(engine)
    return JobQueue(engine)


def submit(queue: JobQueue, prompt: str = "a red circle", **options: Any) -> Job:
    request = {"modality": "image", "model": "prism", **options}
    return queue.submit(Recipe({"prompt": prompt}), **request)


def submissions(count: int) -> list[Submission]:
    return [Submission(Recipe({"prompt": f"job {n}"}), "image", "prism") for n in range(count)]


def artifact(letter: str = "a", **fields: Any) -> Artifact:
    return Artifact(letter * 64, "image/png", 3, **fields)


def kinds(queue: JobQueue, job_id: str | None = None) -> list[str]:
    return [event.kind for event in queue.events(job_id)]
