"""Taking jobs: the lowest rank of the open lanes first, and a fence around each that is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Integer, Text, bindparam, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs.database.conditions import in_state, rows
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.finding.find import WHOLE, jobs
from omnifex_jobs.moving.moves import Change, change, make
from omnifex_jobs.order.lanes import Lane, hold_limits, open_lanes, waiting_in
from omnifex_jobs.records import Claim, Wish
from omnifex_jobs.states import QUEUED, RUNNING

LOOKAHEAD = rows(32)  # jobs that are looked at for a warm model or for urgency
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


def claim(
    db: Connection, worker_id: str, wish: Wish, lanes: list[Lane], token: str | None = None
) -> list[Claim]:
    """Takes jobs lane by lane, always from the one whose first job has the lowest rank.

    `lanes` are those that were open a moment ago. Where some are limited, or after one was taken
    from and another is next, they are looked for again. A single claim may be given its `token`.
    """
    assert token is None or wish.limit == 1
    taken: list[Any] = []
    shut: set[str] = set()
    lease_ms = round(wish.lease_s * 1000)
    told = {"its_worker": worker_id, "its_lease": lease_ms, "its_token": token}
    if any(lane.room is not None for lane in lanes):
        hold_limits(db)
        lanes = lanes_for(db, wish)
    while lanes:
        lane, upto = lanes[0], lanes[1].head if len(lanes) > 1 else None
        most = min(wish.limit - len(taken), lane.room or wish.limit)
        some = _take(db, told, lane, most, upto, wish)
        taken += some
        if not some or (len(some) < most and upto is None):
            shut.add(lane.name)  # nothing that suits, or others are at it
        if len(taken) == wish.limit or (upto is None and lane.room is None):
            break
        if not some and not wish.suspects:  # a suspect is next, in whatever lane
            break
        lanes = lanes_for(db, wish)
        lanes = [lane for lane in lanes if lane.name not in shut]
    taken.sort(key=lambda row: (row.rank, row.id))
    pairs = zip(jobs(db, taken), taken, strict=True)
    return [Claim(job, row.claim_token, job.attempt) for job, row in pairs]


def take_next(db: Connection, ended: Claim, wish: Wish) -> list[Claim]:
    """A job in place of one that this transaction ends, for the same worker."""
    return claim(db, str(ended.job.worker), wish, lanes_for(db, wish), ended.successor)


def lanes_for(db: Connection, wish: Wish) -> list[Lane]:
    """Where there is something for the worker just now."""
    return open_lanes(db, wish.modalities, wish.queues)


def choose(rows: Sequence[Any], most: int, wish: Wish) -> list[str]:
    """Urgent ones where only they are wanted; a warm model is as good as having come earlier.

    Who takes no suspects lets none wait either: what comes after one is left, so that there is
    soon a process for it alone.
    """
    before = rows if wish.suspects else takewhile(lambda row: not row.suspect, rows)
    wanted = [row for row in before if wish.above is None or row.priority > wish.above]
    wanted.sort(key=lambda row: (row.rank - WARMTH_MS * (row.model in wish.warm), row.id))
    return [row.id for row in wanted[:most]]


def require(db: Connection, held: Claim) -> Any:
    """The job's row, locked, if the claim still holds it; else LostClaim."""
    row = db.execute(_REQUIRE, shown(held)).one_or_none()
    if row is None:
        raise LostClaim(held.job.id)
    return row


def shown(held: Claim) -> dict[str, str]:
    """The parameters of HELD."""
    return {"held_id": held.job.id, "held_token": held.token}


def _take(
    db: Connection, told: Mapping[str, Any], lane: Lane, most: int, upto: int | None, wish: Wish
) -> list[Any]:
    """Up to `most` jobs of the lane, of a rank up to that of the next lane's first."""
    sized = wish.most_bytes is not None
    where: dict[str, Any] = {
        "its_lane": lane.name,
        "upto": upto,
        "most": most,
        "most_bytes": wish.most_bytes,
    }
    if not wish.choosy:
        taking = _taking(bounded=upto is not None, sized=sized)
    else:
        seen = db.execute(_first(LOOKAHEAD, bounded=False, sized=sized), where).all()
        taking, where = _TAKE_THESE, {"chosen": choose(seen, most, wish)}
    payload = {"worker": told["its_worker"]}
    return make(db, taking, {**told, **where}, payload=payload)


@cache
def _taking(*, bounded: bool, sized: bool) -> Change:
    """The lane's first jobs, as many as are asked for."""
    most = bindparam("most", type_=Integer, literal_execute=True)  # see `rows`
    first = _first(most, bounded=bounded, sized=sized)
    return _take_those(select(first.cte("picked").c.id))


@cache
def _first(count: Any, *, bounded: bool, sized: bool) -> Any:
    """Jobs of a lane by their ranks, and no more than one may look at."""
    conditions = [waiting_in(bindparam("its_lane"))]
    if bounded:
        conditions.append(job.c.rank <= bindparam("upto"))
    if sized:
        fits = job.c.need_bytes <= bindparam("most_bytes")
        conditions.append(or_(job.c.need_bytes.is_(None), fits))
    columns = (job.c.id, job.c.rank, job.c.model, job.c.priority, job.c.suspect)
    lowest = select(*columns).where(*conditions).order_by(job.c.rank, job.c.id)
    return lowest.limit(count).with_for_update(skip_locked=True)


def _take_those(ids: Any) -> Change:
    return change(
        "claim",
        QUEUED,
        RUNNING,
        job.c.id.in_(ids),
        returning=(*WHOLE, job.c.claim_token),
        attempt=job.c.attempt + 1,
        worker=bindparam("its_worker"),
        claim_token=func.coalesce(bindparam("its_token", type_=Text), new_token()),
        lease_until=now_ms() + bindparam("its_lease"),
        lease_ms=bindparam("its_lease"),
        started_at=now_ms(),
        progress_at=now_ms(),
    )


# The fence: true only for the job as one very claim took it, whose parameters are `shown`.
HELD = (
    job.c.id == bindparam("held_id"),
    in_state(RUNNING),
    job.c.claim_token == bindparam("held_token"),
)
_REQUIRE = select(job).where(*HELD).with_for_update()
_TAKE_THESE = _take_those(bindparam("chosen", expanding=True))
