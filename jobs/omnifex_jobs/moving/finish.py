"""How a job leaves `running` by the hand that holds it: always by its claim's token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.moving.beats import Stop, reason
from omnifex_jobs.moving.claims import HELD, require, shown
from omnifex_jobs.moving.moves import change, make, move
from omnifex_jobs.moving.submit import attach
from omnifex_jobs.order.expectations import learn
from omnifex_jobs.records import Artifact, Claim, JobError
from omnifex_jobs.states import CANCELED, FAILED, QUEUED, RUNNING, SCHEDULED, SUCCEEDED, State


def succeed(
    db: Connection,
    claim: Claim,
    artifacts: Sequence[Artifact],
    metrics: Mapping[str, Any],
    environment: Mapping[str, Any] | None = None,
) -> None:
    """Ends the job and binds its files in one transaction; a late cancel comes too late."""
    measured = {"its_metrics": dict(metrics), "its_environment": environment and dict(environment)}
    if not make(db, _SUCCEED, {**shown(claim), **measured}):
        raise LostClaim(claim.job.id)
    attach(db, claim.job.id, artifacts)
    learn(db, claim.job.shape, metrics)


def fail(db: Connection, claim: Claim, error: JobError, retry_after_s: float | None) -> State:
    """Ends the attempt; returns what became of the job. Cancel wins over retry."""
    return _give_up(db, "fail", claim, require(db, claim), error, retry_after_s)


def canceled(db: Connection, claim: Claim) -> None:
    """Ends a job whose worker stopped because a cancel was asked for."""
    reason = require(db, claim).cancel_reason
    _leave(db, "canceled", claim, CANCELED, error=canceled_error(reason))


def stop(db: Connection, claim: Claim, retry_after_s: float | None) -> State:
    """Ends an attempt that was told to stop, as the database knows why; unasked, it is released."""
    row = require(db, claim)
    why = reason(row, db.scalar(select(now_ms())) or 0)
    if why is None:
        _leave(db, "stop", claim, QUEUED, attempt=job.c.attempt - 1)
        return QUEUED
    error = canceled_error(row.cancel_reason) if why is Stop.CANCELED else overdue_error(row, why)
    return _give_up(db, "stop", claim, row, error, retry_after_s if error.retryable else None)


def release(db: Connection, claim: Claim) -> None:
    """Puts the job back as if it had never been taken: the attempt is not used up."""
    row = require(db, claim)
    if row.cancel_requested_at is not None:
        _leave(db, "release", claim, CANCELED, error=canceled_error(row.cancel_reason))
    else:
        _leave(db, "release", claim, QUEUED, attempt=job.c.attempt - 1)


def canceled_error(reason: str | None) -> JobError:
    return JobError("canceled", reason or "Canceled by the user.")


def overdue_error(row: Any, why: Stop) -> JobError:
    """What a job that has had its time is told to its user."""
    if why is Stop.TIMEOUT:
        message = f"It took longer than its timeout of {row.timeout_ms / 1000:g} s."
        return JobError(why, message)
    message = f"It made no progress for {row.stall_ms / 1000:g} s."
    return JobError(why, message, retryable=True)


def _give_up(
    db: Connection, verb: str, claim: Claim, row: Any, error: JobError, delay_s: float | None
) -> State:
    if row.cancel_requested_at is not None:
        _leave(db, verb, claim, CANCELED, error=canceled_error(row.cancel_reason))
        return CANCELED
    if delay_s is None or row.attempt >= row.max_attempts:
        _leave(db, verb, claim, FAILED, error=error)
        return FAILED
    run_at = now_ms() + round(delay_s * 1000)
    _leave(db, verb, claim, SCHEDULED, error=error, run_at=run_at)
    return SCHEDULED


def _leave(db: Connection, verb: str, claim: Claim, target: State, **values: Any) -> None:
    if not move(db, verb, RUNNING, target, *HELD, given=shown(claim), **values):
        raise LostClaim(claim.job.id)


_SUCCEED = change(
    "succeed",
    RUNNING,
    SUCCEEDED,
    *HELD,
    progress=1.0,
    progress_eta=None,
    metrics=bindparam("its_metrics"),
    environment=bindparam("its_environment"),
)
