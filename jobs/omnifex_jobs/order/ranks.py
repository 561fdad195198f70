"""A job's place in the queue, as one number that is decided when it is submitted.

    rank = start + STRETCH · expected time − WINDOW · priority              lowest first

`start` is when the job came or comes due, by a virtual clock (start-time fair queueing, Goyal et
al. 1996): an owner's next job starts where its last one that still waits will have ended, as if a
device of its own did its work at `weight` times the pace. So whoever submits a thousand jobs does
not keep others waiting, and nobody is punished for having used a machine that was idle. Jobs
without an owner start when they come.

Because the rank does not change, waiting is ageing: a job lets pass only those of higher priority
that come less than WINDOW a level after it, and shorter ones that come less than STRETCH times its
own expected time after it. Nothing waits for ever, and an index does the sorting.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from omnifex_jobs.database.conditions import in_state, rows
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.order.owners import Owner
from omnifex_jobs.states import QUEUED, RUNNING

WINDOW_MS = 3_600_000  # a level of priority is worth an hour of waiting
STRETCH = 10  # a job lets shorter ones pass for ten times its own expected time …
MOST_STRETCH_MS = WINDOW_MS // 2  # … but never as long as for a level of priority
UNKNOWN_MS = 5_000  # what a job is taken to need while nothing is known of its kind


@dataclass(frozen=True)
class Place:
    """Where a job stands: `fair_at` is its start by the virtual clock."""

    rank: int
    fair_at: int


def place(
    db: Connection, whose: Owner, priority: int, expected_ms: int, run_at: int | None
) -> Place:
    """The place of a job that is submitted now."""
    fair_at = max(_clock(db), run_at or 0, _end_of_last(db, whose, priority))
    stretch = min(STRETCH * (expected_ms or UNKNOWN_MS), MOST_STRETCH_MS)
    return Place(fair_at + stretch - WINDOW_MS * priority, fair_at)


def _clock(db: Connection) -> int:
    """The virtual time: that of the job that began last, or the real one if that is later."""
    now, begun = db.execute(_NOW_AND_BEGUN).one()
    return max(int(now), begun or 0)


def _end_of_last(db: Connection, whose: Owner, priority: int) -> int:
    """When the owner's last waiting job of this priority will be done by the virtual clock."""
    if not whose.name:
        return 0
    last = db.execute(_LAST, {"its_name": whose.name, "its_priority": priority}).first()
    if last is None:
        return 0
    return int(last.fair_at + (last.expected_ms or UNKNOWN_MS) / whose.weight)


_NOW_AND_BEGUN = select(
    now_ms(), select(func.max(job.c.fair_at)).where(in_state(RUNNING)).scalar_subquery()
)
_LAST = (
    select(job.c.fair_at, job.c.expected_ms)
    .where(
        in_state(QUEUED),
        job.c.owner == bindparam("its_name"),
        job.c.priority == bindparam("its_priority"),
    )
    .order_by(job.c.owner.desc(), job.c.priority.desc(), job.c.fair_at.desc())
    .limit(rows(1))
)
