"""Pages of jobs, and what one may look for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from omnifex.errors import InvalidRequest, closest
from omnifex.home import Home
from omnifex.job import Job
from omnifex.order import checked_tags
from omnifex_jobs import Job as Record
from omnifex_jobs import Wanted

FILTERS = ("status", "modality", "model", "owner", "tag", "tags", "text", "since", "until")
AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604_800}


class Page(list[Job]):
    """Jobs, newest first; `records` are the same as they were when the page was read."""

    def __init__(self, home: Home, records: Sequence[Record], limit: int) -> None:
        super().__init__(Job(home, record.id) for record in records)
        self.records = tuple(records)
        self.next: str | None = records[-1].id if records and len(records) == limit else None
        """The `before` of the page that follows; None where this is surely the last."""


def pages(home: Home, wanted: Wanted, size: int = 500) -> Iterator[list[Record]]:
    """All jobs that match, newest first, a page at a time."""
    before: str | None = None
    while page := home.queue.find(limit=size, before=before, **wanted):
        yield page
        before = page[-1].id


def sought(filters: Mapping[str, Any]) -> Wanted:
    """The filters in the database's words, or InvalidRequest."""
    for name in filters:
        if name not in FILTERS:
            known = ", ".join(FILTERS)
            raise InvalidRequest(
                f"jobs cannot be found by {name!r}{closest(name, FILTERS)}; filters: {known}."
            )
    given = {name: value for name, value in filters.items() if value is not None}
    tags = [*checked_tags(given.get("tags", ())), *checked_tags(given.get("tag", ()))]
    wanted = Wanted(state=given.get("status"), tags=tags)
    for name in ("modality", "model", "owner", "text"):
        if name in given:
            wanted[name] = str(given[name])  # type: ignore[literal-required]
    for name in ("since", "until"):
        if name in given:
            wanted[name] = epoch_ms(name, given[name])  # type: ignore[literal-required]
    return wanted


def epoch_ms(name: str, moment: datetime | timedelta | float | str) -> int:
    """A moment, or how long ago, as the database counts; a text is an ISO time or an age."""
    if isinstance(moment, str):
        moment = parsed(name, moment)
    if isinstance(moment, timedelta):
        moment = time.time() - moment.total_seconds()
    if isinstance(moment, datetime):
        moment = moment.timestamp()
    if not isinstance(moment, int | float) or not abs(moment) < 1e11:
        raise unclear(name, moment)
    return round(moment * 1000)


def parsed(name: str, text: str) -> datetime | timedelta:
    if age := AGE.fullmatch(text.strip()):
        return timedelta(seconds=float(age[1]) * SECONDS[age[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise unclear(name, text) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def unclear(name: str, value: object) -> InvalidRequest:
    return InvalidRequest(
        f"{name} is {value!r}, but must be a time such as 2026-11-25 or 2026-11-25T18:00 (UTC), "
        "or an age such as 90min, 12h or 2d."
    )
