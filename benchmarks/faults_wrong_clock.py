"""A clock that is wrong: the time of day as one process and its SQLite see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from sqlalchemy import Engine, event

JUMP_S = 5.0
UNIX_EPOCH = 2440587.5  # in the days that SQLite counts


@cache  # once in each process
def set_clock(kind: str) -> None:
    """Set it wrong: so many seconds ahead, or jumping to and fro every second."""
    right = time.time
    wrong = partial(jumping, right) if kind == "jumping" else lambda: right() + float(kind)
    time.time = wrong
    event.listen(Engine, "connect", lambda raw, record: set_sqlite(raw, wrong))


def jumping(right: Callable[[], float]) -> float:
    return right() + (JUMP_S if int(time.monotonic()) % 2 else -JUMP_S)


def set_sqlite(raw: Any, clock: Callable[[], float]) -> None:
    """Let SQLite ask this clock for `now`; PostgreSQL has its server's."""
    if hasattr(raw, "create_function"):
        raw.create_function("julianday", 1, lambda _: UNIX_EPOCH + clock() / 86400)
