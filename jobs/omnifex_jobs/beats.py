"""A worker's life sign: it renews its leases, and hears which of its jobs it should stop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, update

from omnifex_jobs.database import now_ms
from omnifex_jobs.moves import in_state
from omnifex_jobs.records import Claim
from omnifex_jobs.schema import job, worker
from omnifex_jobs.states import RUNNING


class Stop(StrEnum):
    """Why a worker should stop a job."""

    CANCELED = "canceled"  # its user asked for it
    LOST = "lost"  # the claim is no longer the worker's
    TIMEOUT = "timeout"  # the attempt took longer than the job may
    STALLED = "stalled"  # no progress for longer than the job may be silent


def beat(
    db: Connection,
    worker_id: str,
    lease_ms: int,
    claims: Collection[Claim],
    status: Mapping[str, Any] | None,
) -> dict[str, Stop]:
    """Renews the claims that the worker knows of; returns the jobs it should stop, and why.

    A claim whose answer never reached the worker is not among them: its lease runs out.
    """
    held_tokens = [held.token for held in claims]
    at = {} if status is None else {"status": dict(status)}
    db.execute(update(worker).where(worker.c.id == worker_id).values(seen_at=now_ms(), **at))
    renewed = db.execute(
        update(job)
        .where(in_state(RUNNING), job.c.worker == worker_id, job.c.claim_token.in_(held_tokens))
        .values(lease_until=now_ms() + lease_ms, lease_ms=lease_ms)
        .returning(*_SIGNS, now_ms().label("now"))
    ).all()
    tokens = {row.claim_token for row in renewed}
    lost = {held.job.id: Stop.LOST for held in claims if held.token not in tokens}
    return lost | {row.id: why for row in renewed if (why := reason(row, row.now))}


def reason(row: Any, now: int, grace_ms: int = 0) -> Stop | None:
    """Why a running job should stop now; None where it may go on."""
    if row.cancel_requested_at is not None:
        return Stop.CANCELED
    if row.timeout_ms is not None and now > row.started_at + row.timeout_ms + grace_ms:
        return Stop.TIMEOUT
    if row.stall_ms is not None and now > row.progress_at + row.stall_ms + grace_ms:
        return Stop.STALLED
    return None


_SIGNS = (
    job.c.id,
    job.c.claim_token,
    job.c.cancel_requested_at,
    job.c.started_at,
    job.c.timeout_ms,
    job.c.progress_at,
    job.c.stall_ms,
)
