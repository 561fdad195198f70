"""What jobs of a shape took before, so that the next one is placed and sized by it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, case, select

from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema_knowledge import expectation
from omnifex_jobs.database.upserts import insert_into

NEWEST = 0.2  # how much the newest job counts against those before it


def expected(db: Connection, shape: str | None) -> tuple[int, int | None]:
    """Milliseconds of work and bytes of memory; (0, None) where nothing is known."""
    row = db.execute(_KNOWN, {"its_shape": shape}).first() if shape else None
    if row is None:
        return 0, None
    return round(row.seconds * 1000), row.peak_bytes or None


def learn(db: Connection, shape: str | None, metrics: Mapping[str, Any]) -> None:
    """Takes in what a job that has succeeded took, alone: its waits for others do not count."""
    seconds = metrics.get("predict_time")
    if shape is None or not isinstance(seconds, int | float):
        return
    seconds = max(0.0, seconds - float(metrics.get("wait_time", 0.0)))
    peak = int(metrics.get("needed_memory_bytes") or 0)
    row = {"shape": shape, "seconds": seconds, "peak_bytes": peak, "count": 1}
    db.execute(_learning(db.dialect.name), row)


@cache
def _learning(dialect: str) -> Any:
    new = insert_into(dialect, expectation).values(updated_at=now_ms())
    old, fresh = expectation.c, new.excluded
    return new.on_conflict_do_update(
        index_elements=[old.shape],
        set_={
            "seconds": old.seconds + NEWEST * (fresh.seconds - old.seconds),
            "peak_bytes": case(
                (old.peak_bytes > fresh.peak_bytes, old.peak_bytes), else_=fresh.peak_bytes
            ),
            "count": old.count + 1,
            "updated_at": now_ms(),
        },
    )


_KNOWN = select(expectation.c.seconds, expectation.c.peak_bytes).where(
    expectation.c.shape == bindparam("its_shape")
)
