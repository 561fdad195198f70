"""Reading the events of the database as they come, in order, from any point on."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from omnifex_jobs import Event, JobQueue

PAGE = 500


def so_far(queue: JobQueue, job_id: str | None, after: int = 0) -> Iterator[Event]:
    """The events after `after` that there are now."""
    while page := queue.events(job_id, after=after, limit=PAGE):
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].seq


def notes(queue: JobQueue, job_id: str) -> tuple[str, ...]:
    """What the job told its user, each thing once."""
    told = (e.payload["text"] for e in so_far(queue, job_id) if e.kind == "note")
    return tuple(dict.fromkeys(told))


def preview(queue: JobQueue, job_id: str) -> bytes | None:
    """The latest look at what the job is making."""
    shown = [e.payload["data"] for e in so_far(queue, job_id) if e.kind == "preview"]
    return base64.b64decode(shown[-1]) if shown else None


def last(queue: JobQueue, job_id: str, kind: str) -> int:
    """The number of the job's latest event of this kind; 0 where there is none."""
    return max((e.seq for e in so_far(queue, job_id) if e.kind == kind), default=0)
