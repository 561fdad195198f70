"""Owners: how much of the devices each gets, and how much each may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Text, bindparam, cast, func, literal, select, update

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.schema import job
from omnifex_jobs.database.schema_knowledge import owner
from omnifex_jobs.database.upserts import insert_over
from omnifex_jobs.errors import InvalidLimit, QuotaExceeded
from omnifex_jobs.states import RUNNING


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


def terms(db: Connection, name: str) -> Owner:
    """What is set for an owner; nothing is for nobody, and for whom nothing was."""
    row = db.execute(_TERMS, {"its_name": name}).first() if name else None
    return Owner(name) if row is None else Owner(**row._mapping)


def settle_owner(db: Connection, wanted: Owner) -> None:
    """Sets share and limits, for the jobs that wait as well."""
    _check(wanted)
    row = {"name": wanted.name, "weight": wanted.weight}
    limits = {"max_running": wanted.max_running, "max_waiting": wanted.max_waiting}
    db.execute(insert_over(db.dialect.name, owner).values(**row, **limits))
    lane = job.c.queue + literal("/") + job.c.modality
    if wanted.max_running is not None:
        lane += literal("/") + cast(literal(wanted.name), Text)
    ours = (job.c.owner == wanted.name, job.c.completed_at.is_(None))
    db.execute(update(job).where(*ours).values(lane=lane))


def check_room(db: Connection, whose: Owner) -> None:
    """QuotaExceeded where the owner has as many jobs waiting as it may have."""
    if whose.max_waiting is None:
        return
    if (db.scalar(_WAITING, {"its_name": whose.name}) or 0) >= whose.max_waiting:
        raise QuotaExceeded(whose.name, whose.max_waiting)


def _check(wanted: Owner) -> None:
    if not wanted.name:
        raise InvalidLimit("an owner's name", wanted.name, "some text")
    if not 0 < wanted.weight <= 1000:
        raise InvalidLimit("weight", wanted.weight, "above 0 and at most 1000")
    for limit in ("max_running", "max_waiting"):
        value = getattr(wanted, limit)
        if value is not None and value < 0:
            raise InvalidLimit(limit, value, "0 or more, or nothing for no limit")


_TERMS = select(owner).where(owner.c.name == bindparam("its_name"))
_WAITING = select(func.count()).where(
    job.c.owner == bindparam("its_name"), job.c.completed_at.is_(None), ~in_state(RUNNING)
)
