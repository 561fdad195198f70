"""Taking jobs away: from workers that fell silent, and from jobs that do not end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.moving.beats import Stop, reason
from omnifex_jobs.moving.clock import LeaseWatch
from omnifex_jobs.moving.finish import canceled_error, overdue_error
from omnifex_jobs.moving.moves import move
from omnifex_jobs.records import JobError
from omnifex_jobs.states import CANCELED, FAILED, QUEUED, RUNNING, State

MOST_CRASHES = 2  # with no progress between them …
MOST_KILLS = 3  # … where the last was a kill from outside: that may be nobody's fault
GRACE_MS = 30_000  # in which a worker ends a job that has had its time, before it is taken away


@dataclass(frozen=True)
class Death:
    """A process was seen to die; a worker that only fell silent tells nothing of its jobs."""

    alone: bool  # it had one job: no other can be to blame
    killed: bool  # from outside: by a person, or by the system for want of memory

    @property
    def counts(self) -> bool:
        """Whether it is held against each job that was there."""
        return self.alone or not self.killed

    @property
    def most(self) -> int:
        return MOST_KILLS if self.killed else MOST_CRASHES


def silent(db: Connection, watch: LeaseWatch) -> list[str]:
    """The tokens of claims whose lease ran out."""
    leases = select(job.c.claim_token, job.c.lease_until, job.c.lease_ms).where(in_state(RUNNING))
    if db.dialect.name == "sqlite":
        return watch.run_out(db.execute(leases).all())
    return list(db.scalars(leases.where(job.c.lease_until < now_ms())))


def endless(db: Connection, watch: LeaseWatch) -> list[str]:
    """The tokens of claims whose worker lives, but did not end the job when its time was over."""
    limits = or_(job.c.timeout_ms.is_not(None), job.c.stall_ms.is_not(None))
    rows = db.execute(select(job, now_ms().label("now")).where(in_state(RUNNING), limits)).all()
    if db.dialect.name == "sqlite":
        rows = _seen_so_long(rows, watch)
    over = (Stop.TIMEOUT, Stop.STALLED)
    return [row.claim_token for row in rows if reason(row, row.now, GRACE_MS) in over]


def _seen_so_long(rows: Sequence[Any], watch: LeaseWatch) -> list[Any]:
    """Those whose time is over by a clock that nobody sets, too; the first look begins it."""
    timed = [(row, "timeout", row.started_at, row.timeout_ms) for row in rows if row.timeout_ms]
    timed += [(row, "stall", row.progress_at, row.stall_ms) for row in rows if row.stall_ms]
    lasted = watch.lasted({(row.claim_token, kind): since for row, kind, since, _ in timed})
    return [
        row for row, kind, _, limit in timed if lasted[row.claim_token, kind] > limit + GRACE_MS
    ]


def rescue(
    db: Connection,
    tokens: Sequence[str],
    kept: Callable[[str], int],
    death: Death | None = None,
) -> list[str]:
    """Decides what becomes of each job that one of these claims still holds; returns their ids.

    `kept` tells how many bytes of a job's work are kept by now. What a dead process was writing
    is waited for: PostgreSQL may be at its commit still.
    """
    held = select(job, now_ms().label("now")).where(
        in_state(RUNNING), job.c.claim_token.in_(tokens)
    )
    locked = held.order_by(job.c.id).with_for_update(of=job, skip_locked=death is None)
    rows = db.execute(locked).all()
    for row in rows:
        target, error, values = _after_loss(row, kept, death)
        same = (job.c.id == row.id, job.c.claim_token == row.claim_token)
        told = {"worker": row.worker}
        move(db, "rescue", RUNNING, target, *same, error=error, payload=told, **values)
    return [row.id for row in rows]


def _after_loss(
    row: Any, kept: Callable[[str], int], death: Death | None
) -> tuple[State, JobError | None, dict[str, Any]]:
    if row.cancel_requested_at is not None:
        return CANCELED, canceled_error(row.cancel_reason), {}
    if reason(row, row.now, GRACE_MS) is Stop.TIMEOUT:
        return FAILED, overdue_error(row, Stop.TIMEOUT), {}
    return _after_crash(row, kept(row.id), death)


def _after_crash(
    row: Any, kept: int, death: Death | None
) -> tuple[State, JobError | None, dict[str, Any]]:
    """Tried again while attempts remain.

    None is used up by one that got further than before the last, or that others may have killed.
    """
    further = row.progress > max(row.crash_progress, 0.0) or kept > row.crash_kept
    crashes = (0 if further else row.crash_count) + (death is not None and death.counts)
    values = {"crash_count": crashes, "crash_progress": row.progress, "crash_kept": kept}
    if death:
        values["suspect"] = True
        if death.alone and crashes >= death.most:
            message = f"It was running when its process died {crashes} times, each time no further."
            return FAILED, JobError("poison", message), values
    if further or (death and not death.alone):
        return QUEUED, None, {**values, "attempt": row.attempt - 1}
    if row.attempt < row.max_attempts:
        return QUEUED, None, values
    message = f"Worker {row.worker} vanished on attempt {row.attempt} of {row.max_attempts}."
    return FAILED, JobError("lost_worker", message, retryable=True), values
