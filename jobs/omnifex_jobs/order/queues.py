"""Queues by name: paused and resumed, and limited in how many of their jobs run at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.database.schema_knowledge import queue
from omnifex_jobs.database.upserts import insert_into, insert_new
from omnifex_jobs.errors import InvalidLimit
from omnifex_jobs.states import QUEUED, RUNNING

DEFAULT = "default"


@dataclass(frozen=True)
class Queue:
    """A queue as it is; `jobs` counts those that are queued and that run."""

    name: str
    paused_at: int | None = None
    max_running: int | None = None
    jobs: dict[str, int] = field(default_factory=dict)


def queues(db: Connection) -> list[Queue]:
    """Those that have jobs or settings, and the default one."""
    found = {row.name: dict(row._mapping) for row in db.execute(select(queue))}
    counts: dict[str, dict[str, int]] = {DEFAULT: {}, **{name: {} for name in found}}
    for state in (QUEUED, RUNNING):
        many = select(job.c.queue, func.count()).where(in_state(state)).group_by(job.c.queue)
        for name, count in db.execute(many):
            counts.setdefault(name, {})[state] = count
    return [
        Queue(**{"name": name, **found.get(name, {})}, jobs=jobs)
        for name, jobs in sorted(counts.items())
    ]


def pause(db: Connection, name: str) -> None:
    """Nothing more of the queue is begun; what runs goes on."""
    db.execute(insert_new(db.dialect.name, queue).values(name=checked(name)))
    here = (queue.c.name == name, queue.c.paused_at.is_(None))
    db.execute(queue.update().where(*here).values(paused_at=now_ms()))


def resume(db: Connection, name: str) -> None:
    db.execute(queue.update().where(queue.c.name == name).values(paused_at=None))


def limit(db: Connection, name: str, max_running: int | None) -> None:
    """How many of the queue's jobs run at once; None for any number."""
    if max_running is not None and max_running < 0:
        raise InvalidLimit("max_running", max_running, "0 or more, or nothing for no limit")
    new = insert_into(db.dialect.name, queue).values(name=checked(name), max_running=max_running)
    db.execute(
        new.on_conflict_do_update(
            index_elements=[queue.c.name], set_={"max_running": new.excluded.max_running}
        )
    )


def checked(name: str) -> str:
    """The name, or InvalidLimit: lanes are told apart by their slashes."""
    if not name or "/" in name or len(name) > 100:
        raise InvalidLimit("a queue's name", name, "1 to 100 characters without a slash")
    return name
