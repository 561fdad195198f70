"""A database with many jobs that have ended and many that wait: what a claim and a page take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

from omnifex_jobs import JobQueue, Recipe, migrate, open_database

TRIES = 200
LETTERS, FIRST = {"succeeded": "A", "queued": "B"}, 100_000_000  # ids that sort as they came
PART = 25_000  # rows in one statement: no call on a server takes longer than ten seconds
DIGITS = "SELECT 0 AS d " + " ".join(f"UNION ALL SELECT {d}" for d in range(1, 10))


class Backlog(NamedTuple):
    ended: int
    waiting: int


def measure_backlog(address: str, backlog: Backlog) -> Sequence[float]:
    """Milliseconds: p50 and p99 of a claim, p50 and p99 of a page of 50."""
    engine = open_database(address)
    migrate(engine)
    queue = JobQueue(engine)
    fill(queue, backlog)
    worker = queue.register()
    middle = job_id("succeeded", backlog.ended // 2)
    claims = timed(lambda: queue.claim(worker))
    pages = timed(lambda: queue.find(limit=50, before=middle))
    engine.dispose()
    return *claims, *pages


def fill(queue: JobQueue, backlog: Backlog) -> None:
    """Copies of one job, those that have ended with ids of their own kind."""
    made = queue.submit(Recipe({"prompt": "a red circle"}), modality="image", model="prism")
    for state, count, ended in (
        ("succeeded", backlog.ended, "1"),
        ("queued", backlog.waiting, "NULL"),
    ):
        for first in range(0, count, PART):
            with queue._engine.begin() as db:
                copy(db, made.id, state, ended, first, min(PART, count - first))
    with queue._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("ANALYZE"))


def job_id(state: str, number: int) -> str:
    return f"{LETTERS[state]}{FIRST + number}"


def copy(db: Connection, original: str, state: str, ended: str, first: int, count: int) -> None:
    names = [column["name"] for column in inspect(db).get_columns("job")]
    new = {
        "id": f"'{LETTERS[state]}' || CAST({first} + n.i + {FIRST} AS TEXT)",
        "state": f"'{state}'",
        "completed_at": ended,
        "rank": f"job.rank + {first} + n.i",
    }
    values = ", ".join(new.get(name, f"job.{name}") for name in names)
    numbers = "a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d"
    tables = ", ".join(f"({DIGITS}) AS {name}" for name in "abcef")
    db.execute(
        text(
            f"INSERT INTO job ({', '.join(names)}) SELECT {values} FROM "
            f"(SELECT {numbers} AS i FROM {tables}) AS n, job "
            f"WHERE job.id = '{original}' AND n.i < {count}"
        )
    )


def timed(act: Callable[[], object]) -> tuple[float, float]:
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        assert act()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), sorted(times)[int(0.99 * TRIES)]
