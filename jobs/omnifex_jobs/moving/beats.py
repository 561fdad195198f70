"""A worker's life sign: it renews its leases, and hears which of its jobs it should stop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, update

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job, worker
from omnifex_jobs.records import Claim
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
    seen(db, worker_id, status)
    renewed: Sequence[Any] = ()
    if claims:
        ids, tokens = [it.job.id for it in claims], [it.token for it in claims]
        told = {"its_worker": worker_id, "its_lease": lease_ms, "ids": ids, "tokens": tokens}
        renewed = db.execute(_RENEW, told).all()
    still = {row.claim_token for row in renewed}
    lost = {held.job.id: Stop.LOST for held in claims if held.token not in still}
    return lost | {row.id: why for row in renewed if (why := reason(row, row.now))}


def seen(db: Connection, worker_id: str, status: Mapping[str, Any] | None = None) -> None:
    """The worker lives; and what it is at, where it says so."""
    if status is None:
        db.execute(_SEEN, {"its_id": worker_id})
    else:
        db.execute(_SEEN_AT, {"its_id": worker_id, "its_status": dict(status)})


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
_RENEW = (
    update(job)
    .where(
        in_state(RUNNING),
        job.c.id.in_(bindparam("ids", expanding=True)),
        job.c.worker == bindparam("its_worker"),
        job.c.claim_token.in_(bindparam("tokens", expanding=True)),
    )
    .values(lease_until=now_ms() + bindparam("its_lease"), lease_ms=bindparam("its_lease"))
    .returning(*_SIGNS, now_ms().label("now"))
)
_SEEN = update(worker).where(worker.c.id == bindparam("its_id")).values(seen_at=now_ms())
_SEEN_AT = _SEEN.values(status=bindparam("its_status"))
