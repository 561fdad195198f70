"""How a job leaves `running`: by its claim's token, or because the lease ran out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from omnifex_jobs.claims import holds, require
from omnifex_jobs.database import now_ms
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.moves import in_state, move
from omnifex_jobs.records import Artifact, Claim, JobError
from omnifex_jobs.schema import job
from omnifex_jobs.states import CANCELED, FAILED, QUEUED, RUNNING, SCHEDULED, SUCCEEDED, State
from omnifex_jobs.submit import attach


def succeed(
    db: Connection, claim: Claim, artifacts: Sequence[Artifact], metrics: Mapping[str, Any]
) -> None:
    """Ends the job and binds its files in one transaction; a late cancel comes too late."""
    _leave(db, "succeed", claim, SUCCEEDED, progress=1.0, progress_eta=None, metrics=dict(metrics))
    attach(db, claim.job.id, artifacts)


def fail(db: Connection, claim: Claim, error: JobError, retry_after_s: float | None) -> State:
    """Ends the attempt; returns what became of the job. Cancel wins over retry."""
    row = require(db, claim)
    if row.cancel_requested_at is not None:
        _leave(db, "fail", claim, CANCELED, error=canceled_error(row.cancel_reason))
        return CANCELED
    if retry_after_s is None or row.attempt >= row.max_attempts:
        _leave(db, "fail", claim, FAILED, error=error)
        return FAILED
    run_at = now_ms() + round(retry_after_s * 1000)
    _leave(db, "fail", claim, SCHEDULED, error=error, run_at=run_at)
    return SCHEDULED


def canceled(db: Connection, claim: Claim) -> None:
    """Ends a job whose worker stopped because a cancel was asked for."""
    reason = require(db, claim).cancel_reason
    _leave(db, "canceled", claim, CANCELED, error=canceled_error(reason))


def release(db: Connection, claim: Claim) -> None:
    """Puts the job back as if it had never been taken: the attempt is not used up."""
    row = require(db, claim)
    if row.cancel_requested_at is not None:
        _leave(db, "release", claim, CANCELED, error=canceled_error(row.cancel_reason))
    else:
        _leave(db, "release", claim, QUEUED, attempt=job.c.attempt - 1)


def rescue(db: Connection) -> list[str]:
    """Takes jobs from workers whose lease ran out, and decides each one's next state."""
    overdue = db.execute(
        select(job)
        .where(in_state(RUNNING), job.c.lease_until < now_ms())
        .order_by(job.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    for row in overdue:
        target, error = _after_loss(row)
        same = (job.c.id == row.id, job.c.claim_token == row.claim_token)
        move(db, "rescue", RUNNING, target, *same, error=error, payload={"worker": row.worker})
    return [row.id for row in overdue]


def canceled_error(reason: str | None) -> JobError:
    return JobError("canceled", reason or "Canceled by the user.")


def _leave(db: Connection, verb: str, claim: Claim, target: State, **values: Any) -> None:
    if not move(db, verb, RUNNING, target, holds(claim), **values):
        raise LostClaim(claim.job.id)


def _after_loss(row: Any) -> tuple[State, JobError | None]:
    if row.cancel_requested_at is not None:
        return CANCELED, canceled_error(row.cancel_reason)
    if row.attempt < row.max_attempts:
        return QUEUED, None
    message = f"Worker {row.worker} vanished on attempt {row.attempt} of {row.max_attempts}."
    return FAILED, JobError("lost_worker", message, retryable=True)
