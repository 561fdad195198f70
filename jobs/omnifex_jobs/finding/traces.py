"""The component calls of jobs: appended in parts while a job runs, the newest parts kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from omnifex_jobs.database.schema import job_trace
from omnifex_jobs.finding.find import get
from omnifex_jobs.records import Claim, TracePart

KEPT = 5_000  # parts of all jobs together; a usual job has one, of a few kilobytes


def append(db: Connection, held: Claim, calls: Sequence[Mapping[str, Any]]) -> None:
    """Adds what the attempt has done since the last part; the caller has shown its claim."""
    part = {"job_id": held.job.id, "attempt": held.attempt, "calls": [dict(call) for call in calls]}
    newest = db.scalar(insert(job_trace).values(part).returning(job_trace.c.seq))
    db.execute(delete(job_trace).where(job_trace.c.seq <= (newest or 0) - KEPT))


def read(db: Connection, job_id: str) -> list[TracePart]:
    """What has been written of the job's calls so far, in their order; or JobNotFound."""
    get(db, job_id)
    columns = (job_trace.c.attempt, job_trace.c.calls)
    parts = select(*columns).where(job_trace.c.job_id == job_id).order_by(job_trace.c.seq)
    return [TracePart(attempt, tuple(calls)) for attempt, calls in db.execute(parts)]
