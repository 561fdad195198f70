"""What time does to jobs that wait: they come due, or expire."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, or_, select

from omnifex_jobs.database.conditions import in_state, rows
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.moving.moves import move, settle
from omnifex_jobs.records import JobError
from omnifex_jobs.states import BLOCKED, FAILED, QUEUED, SCHEDULED, WAITING

EXPIRED = JobError("expired", "It had not begun when it expired.")


def anything_to_stage(db: Connection) -> bool:
    """Asked first, so that an idle worker takes no write lock."""
    reasons = (in_state(BLOCKED), in_state(SCHEDULED) & _due(), _expired())
    return any(db.execute(select(job.c.id).where(it).limit(rows(1))).first() for it in reasons)


def stage(db: Connection) -> int:
    """Queues what has come due, fails what has expired, settles children of what has ended."""
    expired = [move(db, "stage", state, FAILED, _expired(), error=EXPIRED) for state in WAITING]
    due = move(db, "stage", SCHEDULED, QUEUED, _due())
    return sum(map(len, expired)) + len(due) + settle(db)


def _due() -> ColumnElement[bool]:
    return job.c.run_at <= now_ms()


def _expired() -> ColumnElement[bool]:
    """In the words of its index; one that runs has begun in time."""
    waits = or_(*(in_state(state) for state in WAITING))
    given = job.c.expires_at.is_not(None) & job.c.completed_at.is_(None)
    return given & (job.c.expires_at <= now_ms()) & waits
