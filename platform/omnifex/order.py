"""How a request is to be queued: all of a submission that does not decide its output."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from omnifex.errors import InvalidRequest

MAX_PRIORITY = 1_000_000
MAX_DELAY_S = 10 * 365 * 86400.0


@dataclass(frozen=True)
class Order:
    """Checked; `run_at` and `deadline_at` are epoch milliseconds."""

    priority: int = 0
    run_at: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    deadline_at: int | None = None


def checked_order(
    *,
    priority: int = 0,
    run_at: datetime | float | None = None,
    delay: timedelta | float | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    deadline: datetime | timedelta | float | None = None,
) -> Order:
    """The order, or InvalidRequest.

    `run_at` is a datetime or epoch seconds, `delay` seconds, `deadline` seconds or a datetime.
    """
    if not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise InvalidRequest(
            f"priority is {priority!r}, but must be a whole number from {-MAX_PRIORITY} to "
            f"{MAX_PRIORITY}; higher runs first."
        )
    if idempotency_key is not None and not 1 <= len(str(idempotency_key)) <= 200:
        raise InvalidRequest("idempotency_key must be text of 1 to 200 characters.")
    start_at = start(run_at, delay)
    return Order(
        priority, start_at, plain(metadata or {}), idempotency_key, end(deadline, start_at)
    )


def start(run_at: datetime | float | None, delay: timedelta | float | None) -> int | None:
    """Epoch milliseconds of the wanted start; None for now."""
    if run_at is None and delay is None:
        return None
    if run_at is not None and delay is not None:
        raise InvalidRequest("run_at and delay are both given; leave one out.")
    if run_at is None:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        if not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_DELAY_S:
            raise InvalidRequest(
                f"delay is {delay!r}, but must be seconds from 0 to {MAX_DELAY_S:.0f}."
            )
        return round((time.time() + seconds) * 1000)
    moment = run_at.timestamp() if isinstance(run_at, datetime) else run_at
    if not isinstance(moment, int | float) or not abs(moment - time.time()) <= MAX_DELAY_S:
        raise InvalidRequest(
            f"run_at is {run_at!r}, but must be a datetime or epoch seconds within ten years."
        )
    return round(moment * 1000)


def end(deadline: datetime | timedelta | float | None, start_at: int | None) -> int | None:
    """Epoch milliseconds by which it should be done; None for no matter when."""
    if deadline is None:
        return None
    now = time.time()
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if isinstance(seconds, datetime):
        seconds = seconds_until(seconds, now)
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not known or not 0 < seconds <= MAX_DELAY_S:
        raise InvalidRequest(
            f"deadline is {deadline!r}, but must be seconds from now or a datetime, in the future "
            "and within ten years."
        )
    deadline_at = round((now + seconds) * 1000)
    if start_at is not None and start_at >= deadline_at:
        raise InvalidRequest(
            f"deadline is {deadline!r}, but the job is to start only later; give a later deadline, "
            "or an earlier run_at or delay."
        )
    return deadline_at


def seconds_until(moment: datetime, now: float) -> float:
    """Seconds from now; a moment that the system's clock cannot hold is never."""
    try:
        return moment.timestamp() - now
    except (OverflowError, ValueError, OSError):
        return math.inf


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A private copy of what JSON can hold."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(metadata), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"metadata cannot be kept as JSON: {error}.") from error
    return copy
