"""How the databases find what a claim and a job list ask for: by index, without sorting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jobs_cases import submit
from sqlalchemy import event, text

from omnifex_jobs import JobQueue
from omnifex_jobs.database.opening import is_postgresql

FINISHED, WAITING = 20_000, 2_000
NAMED = re.compile(r"\bid = |_id = |IN \((?:\?|%\()")  # rows that are asked for one by one
NUMBERS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT "
)


def fill(queue: JobQueue) -> None:
    """Many jobs like one that was submitted; most have ended."""
    made = submit(queue, priority=0)
    with queue._engine.begin() as db:
        names = [row[0] for row in db.execute(text("SELECT * FROM job LIMIT 0")).cursor.description]
        for count, state, ended in ((FINISHED, "succeeded", "1"), (WAITING, "queued", "NULL")):
            new = {
                "id": f"'{state}' || CAST(n.i AS TEXT)",
                "state": f"'{state}'",
                "completed_at": ended,
                "rank": "job.rank + n.i",
            }
            values = ", ".join(new.get(name, f"job.{name}") for name in names)
            numbers = NUMBERS.format(count=count)
            db.execute(
                text(
                    f"INSERT INTO job ({', '.join(names)}) {numbers}{values} FROM n, job "
                    f"WHERE job.id = '{made.id}'"
                )
            )
    with queue._engine.begin() as db:
        db.execute(text("ANALYZE"))


@contextmanager
def listened(queue: JobQueue) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed meanwhile."""
    heard: list[tuple[str, Any]] = []

    def hear(db: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    event.listen(queue._engine, "before_cursor_execute", hear)
    yield heard
    event.remove(queue._engine, "before_cursor_execute", hear)


def plan(queue: JobQueue, statement: str, parameters: Any) -> str:
    postgresql = is_postgresql(queue._engine.url)
    explain = "EXPLAIN " if postgresql else "EXPLAIN QUERY PLAN "
    with queue._engine.connect() as db:
        if postgresql:  # as it is planned when the driver has prepared it
            db.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = db.exec_driver_sql(explain + statement, parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


def faults(statement: str, steps: str) -> list[str]:
    """The table of jobs read whole, or more of it sorted than was asked for by name."""
    found = re.findall(r"Seq Scan on job\b|SCAN job\b(?! USING)", steps)
    if re.search(r"(?:FROM|UPDATE) job\b", statement) and not NAMED.search(statement):
        found += re.findall(r"Sort Key|USE TEMP B-TREE", steps)
    return found


ASKED: dict[str, Callable[[JobQueue], object]] = {
    "claim": lambda queue: queue.claim("w"),
    "claim many": lambda queue: queue.claim("w", limit=8, modalities=["image", "mesh"]),
    "claim warm": lambda queue: queue.claim("w", limit=2, warm={"other"}, most_bytes=1),
    "claim urgent": lambda queue: queue.claim("w", above=1),
    "list": lambda queue: queue.find(limit=50),
    "page": lambda queue: queue.find(limit=50, before="succeeded5"),
    "queued": lambda queue: queue.find(state="queued", limit=50),
    "beat": lambda queue: queue.beat("w", held=queue.claim("w"), status={}),
    "ended": lambda queue: queue.find(state="succeeded", limit=50),
    "stage": lambda queue: queue.stage(),
    "rescue": lambda queue: queue.rescue(),
    "submit": lambda queue: submit(queue, owner="anna", unique_key="k"),
}


def test_no_table_is_read_whole_and_nothing_is_sorted(queue: JobQueue) -> None:
    fill(queue)
    wrong = []
    for name, ask in ASKED.items():
        with listened(queue) as heard:
            ask(queue)
        for statement, parameters in heard:
            if statement.lstrip().startswith(("SELECT", "WITH", "UPDATE")):
                steps = plan(queue, statement, parameters)
                wrong += [(name, fault, statement, steps) for fault in faults(statement, steps)]
    assert not wrong, "\n\n".join("\n".join(map(str, it)) for it in wrong)
