"""Taking jobs: the lowest rank of the open lanes first, and a fence around each that is taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, insert, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs.database import now_ms
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.find import by_ids
from omnifex_jobs.lanes import Lane, hold_limits, open_lanes, waiting_in
from omnifex_jobs.moves import in_state, move
from omnifex_jobs.records import Claim
from omnifex_jobs.schema import job, job_attempt
from omnifex_jobs.states import QUEUED, RUNNING

LOOKAHEAD = 32  # jobs that are looked at for a warm model or for urgency
WARMTH_MS = 60_000  # a job whose model is in memory passes others that came this much before it


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


@dataclass(frozen=True)
class Wish:
    """What a worker can take; None is no restriction."""

    limit: int = 1
    modalities: Collection[str] | None = None
    queues: Collection[str] | None = None
    above: int | None = None  # only jobs of a higher priority
    warm: Collection[str] = ()  # models that are in memory
    most_bytes: int | None = None  # of the largest device: jobs known to need more are left

    @property
    def choosy(self) -> bool:
        return bool(self.warm) or self.above is not None


def claim(
    db: Connection, worker_id: str, lease_ms: int, wish: Wish, lanes: list[Lane]
) -> list[Claim]:
    """Takes jobs lane by lane, always from the one whose first job has the lowest rank.

    `lanes` are those that were open a moment ago. Where some are limited, or after one was taken
    from and another is next, they are looked for again.
    """
    taken: list[str] = []
    shut: set[str] = set()
    if any(lane.room is not None for lane in lanes):
        hold_limits(db)
        lanes = open_lanes(db, wish.modalities, wish.queues)
    while lanes:
        lane, upto = lanes[0], lanes[1].head if len(lanes) > 1 else None
        most = min(wish.limit - len(taken), lane.room or wish.limit)
        some = _take(db, worker_id, lease_ms, picked(lane, most, upto, wish, db))
        taken += some
        if not some or (len(some) < most and upto is None):
            shut.add(lane.name)  # nothing that suits, or others are at it
        if len(taken) == wish.limit or (upto is None and lane.room is None):
            break
        lanes = open_lanes(db, wish.modalities, wish.queues)
        lanes = [lane for lane in lanes if lane.name not in shut]
    return _claims(db, taken)


def picked(lane: Lane, most: int, upto: int | None, wish: Wish, db: Connection) -> Any:
    """The ids of up to `most` jobs of the lane, of a rank up to that of the next lane's first."""
    conditions = [waiting_in(lane.name), *_suiting(wish)]
    if upto is not None and not wish.choosy:
        conditions.append(job.c.rank <= upto)
    columns = (job.c.id, job.c.rank, job.c.model, job.c.priority)
    first = select(*columns).where(*conditions).order_by(job.c.rank, job.c.id)
    first = first.with_for_update(skip_locked=True)
    if not wish.choosy:
        return select(first.limit(most).cte("picked").c.id)
    return choose(db.execute(first.limit(LOOKAHEAD)).all(), most, wish)


def choose(rows: Sequence[Any], most: int, wish: Wish) -> list[str]:
    """Urgent ones where only they are wanted; a warm model is as good as having come earlier."""
    wanted = [row for row in rows if wish.above is None or row.priority > wish.above]
    wanted.sort(key=lambda row: (row.rank - WARMTH_MS * (row.model in wish.warm), row.id))
    return [row.id for row in wanted[:most]]


def holds(held: Claim) -> ColumnElement[bool]:
    """The fence: true only for the job as this very claim took it."""
    return (job.c.id == held.job.id) & in_state(RUNNING) & (job.c.claim_token == held.token)


def require(db: Connection, held: Claim) -> Any:
    """The job's row, locked, if the claim still holds it; else LostClaim."""
    row = db.execute(select(job).where(holds(held)).with_for_update()).one_or_none()
    if row is None:
        raise LostClaim(held.job.id)
    return row


def _suiting(wish: Wish) -> list[ColumnElement[bool]]:
    if wish.most_bytes is None:
        return []
    return [or_(job.c.need_bytes.is_(None), job.c.need_bytes <= wish.most_bytes)]


def _take(db: Connection, worker_id: str, lease_ms: int, ids: Any) -> list[str]:
    return move(
        db,
        "claim",
        QUEUED,
        RUNNING,
        job.c.id.in_(ids),
        payload={"worker": worker_id},
        attempt=job.c.attempt + 1,
        worker=worker_id,
        claim_token=new_token(),
        lease_until=now_ms() + lease_ms,
        lease_ms=lease_ms,
        started_at=now_ms(),
        progress_at=now_ms(),
    )


def _claims(db: Connection, taken: list[str]) -> list[Claim]:
    """The fences, written down as attempts, in the order of rank."""
    if not taken:
        return []
    columns = ("job_id", "token", "attempt", "worker", "started_at")
    held = select(job.c.id, job.c.claim_token, job.c.attempt, job.c.worker, job.c.started_at)
    opened = insert(job_attempt).from_select(columns, held.where(job.c.id.in_(taken)))
    opened = opened.returning(job_attempt.c.job_id, job_attempt.c.token)
    tokens = {row.job_id: row.token for row in db.execute(opened)}
    jobs = sorted(by_ids(db, taken), key=lambda taken: (taken.rank, taken.id))
    return [Claim(job, tokens[job.id], job.attempt) for job in jobs]
