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
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from omnifex_jobs.moves import in_state
from omnifex_jobs.schema import job
from omnifex_jobs.schema_knowledge import owner, queue
from omnifex_jobs.states import QUEUED, RUNNING


class Lane(NamedTuple):
    """A lane with queued jobs; `room` is how many of them may run, None for any number."""

    head: int  # the lowest rank
    name: str
    room: int | None


def lane(db: Connection, queue_name: str, modality: str, owner_name: str) -> str:
    """The lane of a job as things are now; `owners.limit` moves jobs that wait."""
    return "/".join([queue_name, modality, *([owner_name] if limited(db, owner_name) else [])])


def open_lanes(
    db: Connection,
    modalities: Collection[str] | None = None,
    queues: Collection[str] | None = None,
) -> list[Lane]:
    """The lanes from which a worker may take something now, lowest rank first."""
    lanes = []
    rooms = _rooms(db)
    for name, head in db.execute(_HEADS):
        queue_name, modality, limited = (*name.split("/", 2), "")[:3]
        if (modalities is not None and modality not in modalities) or (
            queues is not None and queue_name not in queues
        ):
            continue
        limits = [rooms.get(("queue", queue_name)), rooms.get(("owner", limited))]
        known = [limit for limit in limits if limit is not None]
        lanes.append(Lane(head, name, min(known) if known else None))
    return sorted(lane for lane in lanes if lane.room is None or lane.room > 0)


def waiting_in(lane: str) -> ColumnElement[bool]:
    return in_state(QUEUED) & (job.c.lane == lane)


def limited(db: Connection, owner_name: str) -> bool:
    """Whether the owner may run only so many jobs at once."""
    limits = select(owner.c.max_running).where(owner.c.name == owner_name)
    return bool(owner_name) and db.scalar(limits) is not None


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
    lowest = head.order_by(job.c.rank, job.c.id).limit(1).correlate(lanes).scalar_subquery()
    return select(lanes.c.lane, lowest).where(lanes.c.lane.is_not(None))


def _rooms(db: Connection) -> dict[tuple[str, str], int]:
    """How many more jobs each limited queue and owner may run; a paused queue none."""
    rooms = {}
    for kind, name, most, paused_at in db.execute(_LIMITS).all():
        column = job.c.queue if kind == "queue" else job.c.owner
        running = select(func.count()).where(in_state(RUNNING), column == name)
        rooms[kind, name] = 0 if paused_at is not None else most - (db.scalar(running) or 0)
    return rooms


_LIMITS = union_all(
    select(literal("queue"), queue.c.name, queue.c.max_running, queue.c.paused_at).where(
        queue.c.max_running.is_not(None) | queue.c.paused_at.is_not(None)
    ),
    select(literal("owner"), owner.c.name, owner.c.max_running, cast(null(), BigInteger)).where(
        owner.c.max_running.is_not(None)
    ),
)
_HEADS = _heads()
