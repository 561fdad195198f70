"""A worker's hold on jobs: taking it, keeping it alive, saying how far it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    case,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs import traces
from omnifex_jobs.database import now_ms
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.find import by_ids
from omnifex_jobs.moves import PREVIEW, forget_previews, in_state, move, record
from omnifex_jobs.records import Claim, Progress, Report, plain
from omnifex_jobs.schema import job, job_attempt, worker
from omnifex_jobs.states import QUEUED, RUNNING


class new_token(FunctionElement[str]):  # noqa: N801 - it reads as the SQL function it is
    """A random claim token, another for each row; an attempt number alone is no fence."""

    type = Text()
    inherit_cache = True
    name = "new_token"


@compiles(new_token, "sqlite")
def _token_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(new_token, "postgresql")
def _token_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(gen_random_uuid() AS TEXT)"


def claimable(
    modalities: Collection[str] | None, above: int | None = None
) -> list[ColumnElement[bool]]:
    """What a worker may take: queued, of a modality that it can make, and urgent enough."""
    wanted = [in_state(QUEUED)]
    if modalities is not None:
        wanted.append(job.c.modality.in_(modalities))
    if above is not None:
        wanted.append(job.c.priority > above)
    return wanted


def turns(oldest: bool) -> list[ColumnElement[Any]]:
    """By priority and then age, or by age alone."""
    # The sum keeps SQLite from walking the primary key, past all jobs that have ended.
    return [job.c.id + ""] if oldest else [job.c.priority.desc(), job.c.id]


def claim(
    db: Connection,
    worker_id: str,
    lease_ms: int,
    limit: int,
    modalities: Collection[str] | None,
    above: int | None = None,
    oldest: bool = False,
) -> list[Claim]:
    """Takes up to `limit` jobs in one UPDATE."""
    first = select(job.c.id).where(*claimable(modalities, above)).order_by(*turns(oldest))
    picked = first.limit(limit).with_for_update(skip_locked=True).cte("picked")
    taken = move(
        db,
        "claim",
        QUEUED,
        RUNNING,
        job.c.id.in_(select(picked.c.id)),
        payload={"worker": worker_id},
        attempt=job.c.attempt + 1,
        worker=worker_id,
        claim_token=new_token(),
        lease_until=now_ms() + lease_ms,
        started_at=now_ms(),
    )
    tokens = _open_attempts(db, taken)
    jobs = sorted(by_ids(db, taken), key=lambda taken: (-taken.priority, taken.id))
    return [Claim(job, tokens[job.id], job.attempt) for job in jobs]


def _open_attempts(db: Connection, taken: list[str]) -> dict[str, str]:
    ours = job.c.id.in_(taken)
    columns = ("job_id", "token", "attempt", "worker", "started_at")
    held = select(job.c.id, job.c.claim_token, job.c.attempt, job.c.worker, job.c.started_at)
    db.execute(insert(job_attempt).from_select(columns, held.where(ours)))
    return {row.id: row.claim_token for row in db.execute(held.where(ours))}


def beat(
    db: Connection,
    worker_id: str,
    lease_ms: int,
    claims: Iterable[Claim],
    status: Mapping[str, Any] | None,
) -> set[str]:
    """Renews the worker's leases; returns the jobs it should stop: canceled, or no longer its."""
    at = {} if status is None else {"status": dict(status)}
    db.execute(update(worker).where(worker.c.id == worker_id).values(seen_at=now_ms(), **at))
    renewed = db.execute(
        update(job)
        .where(in_state(RUNNING), job.c.worker == worker_id)
        .values(lease_until=now_ms() + lease_ms)
        .returning(job.c.id, job.c.claim_token, job.c.cancel_requested_at)
    ).all()
    tokens = {row.claim_token for row in renewed}
    canceled = {row.id for row in renewed if row.cancel_requested_at is not None}
    return canceled | {held.job.id for held in claims if held.token not in tokens}


def holds(held: Claim) -> ColumnElement[bool]:
    """The fence: true only for the job as this very claim took it."""
    return (job.c.id == held.job.id) & in_state(RUNNING) & (job.c.claim_token == held.token)


def report(db: Connection, held: Claim, said: Report) -> None:
    """Writes all that the job says, or LostClaim; its progress never goes down."""
    if said.progress is None:
        require(db, held)
    else:
        _progress(db, held, said.progress)
    for text in said.notes:
        record(db, [held.job.id], "note", {"text": text})
    if said.preview is not None:
        forget_previews(db, [held.job.id])
        record(db, [held.job.id], PREVIEW, said.preview)
    if said.calls:
        traces.append(db, held, said.calls)


def require(db: Connection, held: Claim) -> Any:
    """The job's row, locked, if the claim still holds it; else LostClaim."""
    row = db.execute(select(job).where(holds(held)).with_for_update()).one_or_none()
    if row is None:
        raise LostClaim(held.job.id)
    return row


def _progress(db: Connection, held: Claim, reached: Progress) -> None:
    value = literal(min(max(reached.value, 0.0), 1.0))
    statement = update(job).where(holds(held))
    statement = statement.values(
        progress=case((job.c.progress > value, job.c.progress), else_=value),
        progress_stage=reached.stage,
        progress_step=reached.step,
        progress_steps=reached.steps,
        progress_eta=reached.eta,
    )
    written = db.scalar(statement.returning(job.c.progress))
    if written is None:
        raise LostClaim(held.job.id)
    record(db, [held.job.id], "progress", {**plain(reached), "value": written})
