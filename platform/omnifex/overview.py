"""A home at one moment: its workers, what each is at, and the jobs that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnifex.description import iso, job_line
from omnifex.home import Home
from omnifex.job import moment
from omnifex.presence import ABSENT_S, dead, silence
from omnifex_jobs import Job, State, Worker

MOST_JOBS = 100  # that are shown of those that run


@dataclass(frozen=True)
class Overview:
    """What `omnifex top` shows; the workers are those that have not said goodbye."""

    folder: str
    workers: Sequence[Worker]
    running: Sequence[Job]
    counts: Mapping[State, int]

    def jobs_of(self, worker: Worker) -> list[Job]:
        """The jobs that the worker holds, oldest first."""
        return [job for job in reversed(self.running) if job.worker == worker.id]


def overview(home: Home) -> Overview:
    """The home as it is now, read from the database alone: its workers may be anywhere."""
    queue = home.queue
    running = queue.find(state=State.RUNNING, limit=MOST_JOBS)
    return Overview(str(home.folder), queue.workers(), running, queue.counts())


def alive(worker: Worker) -> bool:
    """Whether it is there, as far as one can know from here."""
    return not dead(worker) and silence(worker) < ABSENT_S


def engines_of(worker: Worker) -> Sequence[Mapping[str, Any]]:
    """What each of its engines last said; none before its first job."""
    engines: Sequence[Mapping[str, Any]] = (worker.status or {}).get("engines", [])
    return engines


def overview_object(seen: Overview) -> dict[str, Any]:
    """The overview as one JSON object."""
    return {
        "home": seen.folder,
        "workers": [worker_object(worker, seen) for worker in seen.workers],
        "counts": {str(state): count for state, count in seen.counts.items() if count},
    }


def worker_object(worker: Worker, seen: Overview) -> dict[str, Any]:
    return {
        "id": worker.id,
        "alive": alive(worker),
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "devices": list(worker.devices),
        "started_at": iso(moment(worker.started_at)),
        "seen_at": iso(moment(worker.seen_at)),
        "engines": [dict(engine) for engine in engines_of(worker)],
        "jobs": [job_line(job) for job in seen.jobs_of(worker)],
    }
