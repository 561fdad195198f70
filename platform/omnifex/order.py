"""How a request is to be queued: all of a submission that does not decide its output."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from omnifex.errors import InvalidRequest
from omnifex.limits import LIMIT_FIELDS, checked_limits
from omnifex_jobs import RULES

MAX_PRIORITY = 1_000_000
MAX_TAG = 100  # characters
MAX_DELAY_S = 10 * 365 * 86400.0


@dataclass(frozen=True)
class Order:
    """Checked; `run_at` and `deadline_at` are epoch milliseconds."""

    priority: int = 0
    run_at: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    deadline_at: int | None = None
    tags: tuple[str, ...] = ()
    after: tuple[str, ...] = ()  # ids of jobs to wait for
    on_failure: str = "fail"
    owner: str = ""
    id: str = ""
    source: str | None = None
    source_id: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)  # limits.py


ORDER_FIELDS = {
    *LIMIT_FIELDS,
    *("priority", "run_at", "delay", "metadata", "idempotency_key", "deadline"),
    *("tags", "after", "on_failure"),
}


def split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a submission says of itself, and what it asks of its modality."""
    ordered = {name: value for name, value in fields.items() if name in ORDER_FIELDS}
    return ordered, {name: value for name, value in fields.items() if name not in ORDER_FIELDS}


def checked_order(
    *,
    priority: int = 0,
    run_at: datetime | float | None = None,
    delay: timedelta | float | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    deadline: datetime | timedelta | float | None = None,
    tags: Sequence[str] = (),
    after: Any = (),
    on_failure: str = "fail",
    owner: str = "",
    id: str = "",  # noqa: A002 - it is one
    **limits: Any,
) -> Order:
    """The order, or InvalidRequest.

    `run_at` is a datetime or epoch seconds, `delay` seconds, `deadline` seconds or a datetime,
    `after` a job, an id, or several.
    """
    if not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise InvalidRequest(
            f"priority is {priority!r}, but must be a whole number from {-MAX_PRIORITY} to "
            f"{MAX_PRIORITY}; higher runs first."
        )
    if idempotency_key is not None and not 1 <= len(str(idempotency_key)) <= 200:
        raise InvalidRequest("idempotency_key must be text of 1 to 200 characters.")
    start_at = start(run_at, delay)
    if on_failure not in RULES:
        raise InvalidRequest(f"on_failure is {on_failure!r}, but must be {', '.join(RULES)}.")
    return Order(
        priority,
        start_at,
        plain(metadata or {}),
        idempotency_key,
        end(deadline, start_at),
        checked_tags(tags),
        job_ids(after),
        on_failure,
        owner,
        id,
        limits=checked_limits(**limits),
    )


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Each once; one text is one tag."""
    several = [tags] if isinstance(tags, str) else list(tags)
    for tag in several:
        if not isinstance(tag, str) or not 1 <= len(tag.strip()) <= MAX_TAG:
            raise InvalidRequest(f"tag {tag!r} must be text of 1 to {MAX_TAG} characters.")
    return tuple(dict.fromkeys(tag.strip() for tag in several))


def job_ids(after: Any) -> tuple[str, ...]:
    """Of jobs or ids, one or several."""
    several = list(after) if isinstance(after, list | tuple | set) else [after]
    ids = [getattr(one, "id", one) for one in several]
    for one in ids:
        if not isinstance(one, str):
            raise InvalidRequest(f"after holds {one!r}; give jobs or their ids.")
    return tuple(dict.fromkeys(one.removeprefix("job:") for one in ids))


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
