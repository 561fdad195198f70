"""What a user asks of a job that exists: stop it, or run it again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, select, update

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job, job_dependency
from omnifex_jobs.errors import NotRetryable
from omnifex_jobs.finding.find import get
from omnifex_jobs.moving.finish import canceled_error
from omnifex_jobs.moving.moves import move, record
from omnifex_jobs.moving.uniqueness import working_on
from omnifex_jobs.order.lanes import lane
from omnifex_jobs.order.owners import terms
from omnifex_jobs.records import Job
from omnifex_jobs.states import (
    BLOCKED,
    CANCELED,
    FAILED,
    FINAL,
    LOST,
    QUEUED,
    RUN,
    RUNNING,
    WAITING,
)


def cancel(db: Connection, job_id: str, reason: str) -> Job:
    """Ends a waiting job at once, asks a running one to stop, and leaves an ended one alone."""
    ours = job.c.id == job_id
    for state in WAITING:
        move(db, "cancel", state, CANCELED, ours, error=canceled_error(reason))
    asked = db.execute(
        update(job)
        .where(ours, in_state(RUNNING), job.c.cancel_requested_at.is_(None))
        .values(cancel_requested_at=now_ms(), cancel_reason=reason or None)
    )
    if asked.rowcount:
        record(db, [job_id], "cancel_requested", {"reason": reason})
    return get(db, job_id)


def retry(db: Connection, job_id: str) -> Job:
    """Gives a failed or canceled job a new attempt budget, on the same id and recipe."""
    found = get(db, job_id)
    if found.state not in (FAILED, CANCELED):
        raise NotRetryable(job_id, f"it is {found.state}, not failed or canceled")
    for twin in db.scalars(select(job.c.id).where(*working_on(found.unique_key))):
        raise NotRetryable(job_id, f"job {twin} does the same, and only one may at a time")
    target = BLOCKED if _waits(db, found) else QUEUED
    fresh: dict[str, Any] = {
        "attempt": 0,
        "run_at": None,
        "metrics": None,
        "cancel_requested_at": None,
        "expires_at": None,
        "crash_count": 0,
        "crash_progress": -1.0,
        "crash_kept": 0,
        "suspect": False,
        **_place_without_time(),
        "lane": lane(found.queue, found.modality, terms(db, found.owner)),
    }
    nowhere: dict[str, Any] = {
        "progress": 0.0,
        "progress_stage": "",
        "progress_step": 0,
        "progress_steps": 0,
        "progress_eta": None,
        "cancel_reason": None,
    }
    move(db, "retry", found.state, target, job.c.id == job_id, **fresh, **nowhere)
    return get(db, job_id)


def _place_without_time() -> dict[str, Any]:
    """Where a job stands that waited for a time which is given up now: as if it had had none."""
    ahead = job.c.run_at.is_not(None) & (job.c.fair_at > now_ms())
    start = case((ahead, job.c.created_at), else_=job.c.fair_at)
    return {"rank": job.c.rank - job.c.fair_at + start, "fair_at": start}


def _waits(db: Connection, found: Job) -> bool:
    """Whether parents are still to be done; one that is lost must be retried first."""
    edges = job.join(job_dependency, job_dependency.c.parent_id == job.c.id)
    rows = select(job.c.id, job.c.state, job_dependency.c.on_failure).select_from(edges)
    parents = db.execute(rows.where(job_dependency.c.job_id == found.id)).all()
    for parent in parents:
        if parent.state in LOST and parent.on_failure != RUN:
            why = f"it needs job {parent.id}, which is {parent.state}; retry that one first"
            raise NotRetryable(found.id, why)
    return any(parent.state not in FINAL for parent in parents)
