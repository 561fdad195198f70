"""Jobs of which only one may be at work or waiting at a time."""

from __future__ import annotations

from sqlalchemy import ColumnElement

from omnifex_jobs.database.schema import job


def working_on(unique_key: str | None) -> tuple[ColumnElement[bool], ...]:
    """The one job of this key that has not ended, in the words of its index."""
    return (
        job.c.unique_key == unique_key,
        job.c.unique_key.is_not(None),
        job.c.completed_at.is_(None),
    )
