"""Lanes: queued jobs that the same workers may take, each in the order of its ranks.

A lane is `queue/modality`, and `queue/modality/owner` for an owner whose running jobs are limited.
What a worker may not take just now (another modality, a paused queue, an owner at its limit) is a
lane that it passes over, so that a claim reads a handful of rows however many wait.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from omnifex_jobs.database.conditions import in_state, rows
from omnifex_jobs.database.schema import job
from omnifex_jobs.database.schema_knowledge import owner, queue
from omnifex_jobs.order.owners import Owner
from omnifex_jobs.states import QUEUED, RUNNING

LANE = "lane"


class Lane(NamedTuple):
    """A lane with queued jobs; `room` is how many of them may run, None for any number."""

    head: int  # the lowest rank
    name: str
    room: int | None


def lane(queue_name: str, modality: str, whose: Owner) -> str:
    """The lane of a job as things are now; `owners.settle_owner` moves jobs that wait."""
    alone = [whose.name] if whose.max_running is not None else []
    return "/".join([queue_name, modality, *alone])


def open_lanes(
    db: Connection,
    modalities: Collection[str] | None = None,
    queues: Collection[str] | None = None,
) -> list[Lane]:
    """The lanes from which a worker may take something now, lowest rank first."""
    rows = db.execute(_LANES_AND_LIMITS).all()
    rooms = {(row.kind, row.name): _room(db, row) for row in rows if row.kind != LANE}
    lanes = []
    for row in rows:
        queue_name, modality, limited = (*row.name.split("/", 2), "", "")[:3]
        wanted = _among(modality, modalities) and _among(queue_name, queues)
        if row.kind == LANE and wanted:
            limits = [rooms.get(("queue", queue_name)), rooms.get(("owner", limited))]
            known = [limit for limit in limits if limit is not None]
            lanes.append(Lane(row.number, row.name, min(known, default=None)))
    return sorted(lane for lane in lanes if lane.room is None or lane.room > 0)


def waiting_in(lane: ColumnElement[str]) -> ColumnElement[bool]:
    return in_state(QUEUED) & (job.c.lane == lane)


def hold_limits(db: Connection) -> None:
    """Claims that count what runs come one after the other."""
    for table in (queue, owner):
        rows = select(table.c.name).where(table.c.max_running.is_not(None))
        db.execute(rows.order_by(table.c.name).with_for_update()).all()


def _heads() -> Any:
    """Each lane and its lowest rank, found by leaping from lane to lane in the index."""
    first = select(func.min(job.c.lane).label("lane")).where(in_state(QUEUED))
    lanes = first.cte("lanes", recursive=True)
    after = select(func.min(job.c.lane)).where(in_state(QUEUED), job.c.lane > lanes.c.lane)
    lanes = lanes.union_all(
        select(after.correlate(lanes).scalar_subquery()).where(lanes.c.lane.is_not(None))
    )
    head = select(job.c.rank).where(in_state(QUEUED), job.c.lane == lanes.c.lane)
    lowest = head.order_by(job.c.rank, job.c.id).limit(rows(1)).correlate(lanes).scalar_subquery()
    never = cast(null(), BigInteger).label("paused_at")
    columns = (literal(LANE).label("kind"), lanes.c.lane.label("name"), lowest.label("number"))
    return select(*columns, never).where(lanes.c.lane.is_not(None))


def _among(name: str, wanted: Collection[str] | None) -> bool:
    return wanted is None or name in wanted


def _room(db: Connection, limit: Any) -> int:
    """How many more jobs a limited queue or owner may run; a paused queue none."""
    if limit.paused_at is not None:
        return 0
    return int(limit.number - (db.scalar(_RUNNING[limit.kind], {"its_name": limit.name}) or 0))


_RUNNING = {
    kind: select(func.count()).where(in_state(RUNNING), column == bindparam("its_name"))
    for kind, column in (("queue", job.c.queue), ("owner", job.c.owner))
}
_LANES_AND_LIMITS = union_all(
    _heads(),
    select(literal("queue"), queue.c.name, queue.c.max_running, queue.c.paused_at).where(
        queue.c.max_running.is_not(None) | queue.c.paused_at.is_not(None)
    ),
    select(literal("owner"), owner.c.name, owner.c.max_running, cast(null(), BigInteger)).where(
        owner.c.max_running.is_not(None)
    ),
)
