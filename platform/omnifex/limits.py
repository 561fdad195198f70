"""Where a job waits, and how long it may wait and run, in the words of the job database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from omnifex.errors import InvalidRequest
from omnifex_jobs import Recipe

LIMIT_FIELDS = {"queue", "batch", "unique", "timeout", "stall_timeout", "expires"}
MOST_S = 10 * 365 * 86400.0
DECIDING = ("duration", "seconds", "strength")  # numbers with a point that decide the work


def checked_limits(
    *,
    queue: str | None = None,
    batch: str | None = None,
    unique: bool | str = False,
    timeout: timedelta | float | None = None,
    stall_timeout: timedelta | float | None = None,
    expires: datetime | timedelta | float | None = None,
) -> dict[str, Any]:
    """Fields of a Submission, or InvalidRequest; times are seconds, `expires` also a datetime."""
    limits: dict[str, Any] = {
        "timeout_ms": milliseconds("timeout", timeout),
        "stall_ms": milliseconds("stall_timeout", stall_timeout),
    }
    if queue is not None:
        limits["queue"] = text("queue", queue)
    if batch is not None:
        limits["batch"] = text("batch", batch)
    if unique:
        limits["unique_key"] = True if unique is True else text("unique", unique)
    if expires is not None:
        now = datetime.now().timestamp()
        given = expires.timestamp() - now if isinstance(expires, datetime) else expires
        limits["expires_at"] = round(now * 1000) + (milliseconds("expires", given) or 0)
    return limits


def shape_of(recipe: Recipe) -> str:
    """Jobs of one shape take about as long: the model, and the numbers that were asked for."""
    asked = recipe.body["request"]
    numbers = [
        f"{name}={value}"
        for name, value in sorted(asked.items())
        if name != "seed"
        and (type(value) is int or (name in DECIDING and isinstance(value, float)))
    ]
    return "/".join([recipe.body["modality"], recipe.body["model"], ",".join(numbers)])


def sameness_of(recipe: Recipe) -> str:
    """One word for all that was asked but the seed."""
    body: Mapping[str, Any] = {**recipe.body, "request": {**recipe.body["request"], "seed": None}}
    return "same:" + hashlib.sha256(Recipe(body).canonical).hexdigest()


def milliseconds(name: str, given: timedelta | float | None) -> int | None:
    if given is None:
        return None
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not known or not 0 < seconds <= MOST_S:
        raise InvalidRequest(
            f"{name} is {given!r}, but must be in the future: seconds above 0 and within ten years."
        )
    return round(seconds * 1000)


def text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 100 or "/" in given:
        raise InvalidRequest(
            f"{name} is {given!r}, but must be text of 1 to 100 characters without a slash."
        )
    return given
