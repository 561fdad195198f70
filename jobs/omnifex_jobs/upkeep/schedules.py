"""Schedules: what is to be submitted again and again, each time exactly once.

A fire is a job whose idempotency key names the schedule and the time, so that two processes that
fire at once, or one that dies between the job and the note that it has fired, make one job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update

from omnifex_jobs.database.opening import now_ms, reading
from omnifex_jobs.database.schema_knowledge import schedule, schedule_fire
from omnifex_jobs.database.upserts import insert_new, insert_over
from omnifex_jobs.errors import ScheduleNotFound
from omnifex_jobs.upkeep.cron import first_after, next_to_fire


@dataclass(frozen=True)
class Schedule:
    """`order` is what is submitted; `next_at` is when, in epoch milliseconds."""

    name: str
    cron: str
    zone: str
    order: Mapping[str, Any]
    enabled: bool
    created_at: int
    next_at: int

    @property
    def key(self) -> str:
        """The idempotency key of the next fire."""
        return f"schedule:{self.name}:{self.next_at}"


class Schedules:
    """Every method is one transaction on the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, name: str, cron: str, order: Mapping[str, Any], zone: str = "UTC") -> Schedule:
        """Makes a schedule, or changes the one of this name; or InvalidSchedule."""
        with self._engine.begin() as db:
            now = _now(db)
            row = {"cron": cron, "zone": zone, "order": dict(order), "enabled": True}
            times = {"created_at": now, "next_at": first_after(cron, zone, now)}
            db.execute(insert_over(db.dialect.name, schedule).values(name=name, **row, **times))
            return _get(db, name)

    def all(self) -> list[Schedule]:
        """By name."""
        with reading(self._engine) as db:
            rows = db.execute(select(schedule).order_by(schedule.c.name)).all()
            return [_schedule(row) for row in rows]

    def enable(self, name: str, enabled: bool = True) -> Schedule:
        """Goes on, from the next time after now, or rests; or ScheduleNotFound."""
        with self._engine.begin() as db:
            found = _get(db, name)
            next_at = first_after(found.cron, found.zone, _now(db))
            ours = schedule.c.name == name
            db.execute(update(schedule).where(ours).values(enabled=enabled, next_at=next_at))
            return _get(db, name)

    def remove(self, name: str) -> None:
        """Forgets the schedule, not its jobs; or ScheduleNotFound."""
        with self._engine.begin() as db:
            _get(db, name)
            db.execute(delete(schedule_fire).where(schedule_fire.c.schedule == name))
            db.execute(delete(schedule).where(schedule.c.name == name))

    def due(self) -> list[Schedule]:
        """Those whose time has come."""
        wanted = select(schedule).where(schedule.c.enabled, schedule.c.next_at <= now_ms())
        with reading(self._engine) as db:
            return [_schedule(row) for row in db.execute(wanted.order_by(schedule.c.next_at))]

    def fired(self, due: Schedule, job_id: str | None) -> bool:
        """Notes the job of a time, or that none could be made; whether it was not yet known."""
        with self._engine.begin() as db:
            following = next_to_fire(due.cron, due.zone, due.next_at, _now(db))
            same = (schedule.c.name == due.name, schedule.c.next_at == due.next_at)
            if not db.execute(update(schedule).where(*same).values(next_at=following)).rowcount:
                return False
            fire = {"schedule": due.name, "fire_at": due.next_at, "job_id": job_id}
            db.execute(insert_new(db.dialect.name, schedule_fire).values(fire))
            return True

    def fires(self, name: str) -> dict[int, str | None]:
        """Every time that fired, and its job."""
        wanted = select(schedule_fire).where(schedule_fire.c.schedule == name)
        with reading(self._engine) as db:
            rows = db.execute(wanted.order_by(schedule_fire.c.fire_at))
            return {row.fire_at: row.job_id for row in rows}


def _get(db: Connection, name: str) -> Schedule:
    row = db.execute(select(schedule).where(schedule.c.name == name)).one_or_none()
    if row is None:
        raise ScheduleNotFound(name)
    return _schedule(row)


def _schedule(row: Any) -> Schedule:
    return Schedule(**row._mapping)


def _now(db: Connection) -> int:
    return int(db.scalar(select(now_ms())) or 0)
