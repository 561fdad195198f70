"""Owners: how much of the devices each gets, and how much each may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, func, literal, select, update

from omnifex_jobs.errors import InvalidLimit, QuotaExceeded
from omnifex_jobs.moves import in_state
from omnifex_jobs.schema import job
from omnifex_jobs.schema_knowledge import owner
from omnifex_jobs.states import RUNNING
from omnifex_jobs.upserts import insert_over


@dataclass(frozen=True)
class Owner:
    """Somebody who submits jobs; None is no limit."""

    name: str
    weight: float = 1.0  # the share of the devices, against that of others who wait
    max_running: int | None = None
    max_waiting: int | None = None


def owners(db: Connection) -> list[Owner]:
    """Those for whom something was set, by name."""
    rows = db.execute(select(owner).order_by(owner.c.name)).mappings()
    return [Owner(**row) for row in rows]


def settle_owner(db: Connection, wanted: Owner) -> None:
    """Sets share and limits, for the jobs that wait as well."""
    _check(wanted)
    row = {"name": wanted.name, "weight": wanted.weight}
    limits = {"max_running": wanted.max_running, "max_waiting": wanted.max_waiting}
    db.execute(insert_over(db, owner).values(**row, **limits))
    lane = job.c.queue + literal("/") + job.c.modality
    if wanted.max_running is not None:
        lane += literal("/") + cast(literal(wanted.name), Text)
    ours = (job.c.owner == wanted.name, job.c.completed_at.is_(None))
    db.execute(update(job).where(*ours).values(lane=lane))


def check_room(db: Connection, name: str) -> None:
    """QuotaExceeded where the owner has as many jobs waiting as it may have."""
    most = name and db.scalar(select(owner.c.max_waiting).where(owner.c.name == name))
    if not isinstance(most, int):
        return
    waiting = (job.c.owner == name, job.c.completed_at.is_(None), ~in_state(RUNNING))
    if (db.scalar(select(func.count()).where(*waiting)) or 0) >= most:
        raise QuotaExceeded(name, most)


def _check(wanted: Owner) -> None:
    if not wanted.name:
        raise InvalidLimit("an owner's name", wanted.name, "some text")
    if not 0 < wanted.weight <= 1000:
        raise InvalidLimit("weight", wanted.weight, "above 0 and at most 1000")
    for limit in ("max_running", "max_waiting"):
        value = getattr(wanted, limit)
        if value is not None and value < 0:
            raise InvalidLimit(limit, value, "0 or more, or nothing for no limit")
