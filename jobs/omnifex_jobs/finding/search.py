"""Looking for jobs: by what they are, when they came, and the words of what they ask for.

Each condition has an index that gives the newest first, so that a page needs no sorting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Connection, Select, select
from ulid import ULID

from omnifex_jobs.database import full_text
from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.schema import job, job_tag, recipe
from omnifex_jobs.errors import JobNotFound, UnknownState
from omnifex_jobs.states import FINAL, State

SLACK_MS = 3_600_000  # an id's time is its maker's clock, `created_at` the database's


class Wanted(TypedDict, total=False):
    """What jobs are looked for; None is as good as not given."""

    state: str | None
    modality: str | None
    model: str | None
    owner: str | None
    tags: Sequence[str]  # all of them
    since: int | None  # epoch ms, as is `until`; when the job came
    until: int | None  # not included
    text: str | None  # words, "phrases" and begin* of what was asked
    source_id: str | None  # replays and forks of this job


def search(db: Connection, wanted: Wanted, limit: int, before: str | None) -> list[str]:
    """The ids of jobs that match all that is given, newest first, from after the job `before`."""
    if before is not None and db.scalar(select(job.c.id).where(job.c.id == before)) is None:
        raise JobNotFound(before)
    conditions = list(_conditions(wanted))
    text = wanted.get("text")
    if text is None:
        ids = _page(select(job.c.id), before)
    elif not full_text.terms(text):
        return []
    elif db.dialect.name == "sqlite":
        newest = full_text.newest_matches(text, before)
        ids = newest.join(job, job.c.id == full_text.numbers.c.job_id)
    else:
        asked = select(job.c.id).join(recipe, recipe.c.hash == job.c.recipe_hash)
        ids = _page(asked.where(full_text.vector_matches(text)), before)
    return list(db.scalars(ids.where(*conditions).limit(limit)))


def _page(ids: Select[Any], before: str | None) -> Select[Any]:
    if before is not None:
        ids = ids.where(job.c.id < before)
    return ids.order_by(job.c.id.desc())


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if (state := wanted.get("state")) is not None:
        yield open_or_ended(known_state(state))
    for name in ("modality", "model", "owner", "source_id"):
        if (value := wanted.get(name)) is not None:
            yield job.c[name] == value
    for tag in wanted.get("tags") or ():
        yield job.c.id.in_(select(job_tag.c.job_id).where(job_tag.c.tag == tag))
    if (since := wanted.get("since")) is not None:
        yield job.c.created_at >= since
        yield job.c.id >= _id_at(since - SLACK_MS)
    if (until := wanted.get("until")) is not None:
        yield job.c.created_at < until
        yield begun_before(until)


def begun_before(epoch_ms: int) -> ColumnElement[bool]:
    """True of all jobs that came before this moment, and of few others: it bounds the search."""
    return job.c.id < _id_at(epoch_ms + SLACK_MS)


def open_or_ended(state: State) -> ColumnElement[bool]:
    """In the words of the partial indexes `ix_job_open` and `ix_job_ended`."""
    return in_state(state) if state in FINAL else in_state(state) & job.c.completed_at.is_(None)


def known_state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        raise UnknownState(word, list(State)) from None


def _id_at(epoch_ms: int) -> str:
    """The least id of a job that came at this moment."""
    moment = datetime.fromtimestamp(max(0, epoch_ms) / 1000, UTC)
    return str(ULID.from_datetime(moment))[:10] + "0" * 16
