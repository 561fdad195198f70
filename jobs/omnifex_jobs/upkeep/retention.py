"""Forgetting jobs that ended long ago, with all that hangs on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Column, Connection, delete, exists, insert, select, update

from omnifex_jobs.database.conditions import has
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import (
    artifact,
    event,
    job,
    job_artifact,
    job_dependency,
    job_tag,
    metadata,
    recipe,
)
from omnifex_jobs.database.schema_knowledge import retention
from omnifex_jobs.database.upserts import insert_over
from omnifex_jobs.errors import InvalidLimit, JobNotFound
from omnifex_jobs.finding.search import begun_before
from omnifex_jobs.states import FINAL, State

SLICE = 200  # jobs in one transaction: other writers get their turn between them
DAY_MS = 86_400_000
ROUND_MS = 60_000  # between two looks at what is old enough, once nothing was left
PINNED = "pinned"  # the tag of jobs that are never forgotten


def keep(db: Connection, state: str, time: timedelta | None) -> None:
    """For how long jobs are kept that have ended so; None is for ever."""
    if state not in FINAL:
        raise InvalidLimit("state", state, "one of " + ", ".join(sorted(FINAL)))
    db.execute(delete(retention).where(retention.c.state == state))
    if time is None:
        return
    keep_ms = round(time.total_seconds() * 1000)
    if keep_ms < 0:
        raise InvalidLimit("the time that jobs are kept", time, "0 or more, or nothing for ever")
    new = insert_over(db.dialect.name, retention)
    db.execute(new.values(state=state, keep_ms=keep_ms, next_at=now_ms()))


def kept(db: Connection) -> dict[State, timedelta]:
    """What was set by `keep`."""
    rows = db.execute(select(retention.c.state, retention.c.keep_ms).order_by(retention.c.state))
    return {State(state): timedelta(milliseconds=keep_ms) for state, keep_ms in rows}


def pin(db: Connection, job_id: str, pinned: bool) -> None:
    """Whether the job is kept whatever the rules; or JobNotFound."""
    if db.scalar(select(job.c.id).where(job.c.id == job_id)) is None:
        raise JobNotFound(job_id)
    db.execute(delete(job_tag).where(job_tag.c.job_id == job_id, job_tag.c.tag == PINNED))
    if pinned:
        db.execute(insert(job_tag).values(job_id=job_id, tag=PINNED))


def due(db: Connection) -> list[str]:
    """The states whose jobs are to be looked through."""
    return list(db.scalars(_DUE))


def prune_due(db: Connection, states: Sequence[str]) -> int:
    """Forgets some jobs by the rules; of several workers that try, one does it."""
    forgotten = 0
    for state in states:
        ours = (retention.c.state == state, retention.c.next_at <= now_ms())
        turn = update(retention).where(*ours).values(next_at=now_ms() + ROUND_MS)
        keep_ms = db.scalar(turn.returning(retention.c.keep_ms))
        if keep_ms is None:
            continue  # another worker was first
        job_ids = old_jobs(db, keep_ms, [State(state)])
        forget(db, job_ids)
        forgotten += len(job_ids)
        if len(job_ids) == SLICE:  # there may be more, for the next turn
            soon = update(retention).where(retention.c.state == state)
            db.execute(soon.values(next_at=now_ms()))
    return forgotten


def old_jobs(db: Connection, older_than_ms: int, states: Sequence[State]) -> list[str]:
    """Some jobs that may go: they ended before, are not pinned, and no child has yet to end."""
    child = job.alias("child")
    edge = job_dependency.join(child, child.c.id == job_dependency.c.job_id)
    needed = exists().select_from(edge)
    needed = needed.where(job_dependency.c.parent_id == job.c.id, child.c.completed_at.is_(None))
    ended = (job.c.completed_at.is_not(None), job.c.completed_at < now_ms() - older_than_ms)
    pinned = has(job_tag, job_tag.c.tag == PINNED)
    now = db.scalar(select(now_ms())) or 0  # what came later need not be looked at
    wanted = select(job.c.id).where(
        job.c.state.in_(states), begun_before(now - older_than_ms), *ended, ~needed, ~pinned
    )
    return list(db.scalars(wanted.order_by(job.c.id).limit(SLICE)))


def forget(db: Connection, job_ids: Sequence[str]) -> list[str]:
    """Deletes the jobs; returns the hashes of files that no job has now."""
    if not job_ids:
        return []
    files = set(db.scalars(select(job_artifact.c.sha256).where(job_artifact.c.job_id.in_(job_ids))))
    recipes = set(db.scalars(select(job.c.recipe_hash).where(job.c.id.in_(job_ids))))
    for column in _references():
        if column.nullable:
            db.execute(update(column.table).where(column.in_(job_ids)).values({column.name: None}))
        else:
            db.execute(delete(column.table).where(column.in_(job_ids)))
    db.execute(delete(job).where(job.c.id.in_(job_ids)))
    used = exists().where(job.c.recipe_hash == recipe.c.hash)
    db.execute(delete(recipe).where(recipe.c.hash.in_(recipes), ~used))
    kept = exists().where(job_artifact.c.sha256 == artifact.c.sha256)
    gone = delete(artifact).where(artifact.c.sha256.in_(files), ~kept).returning(artifact.c.sha256)
    return list(db.scalars(gone))


def forget_progress(db: Connection) -> None:
    """How far a job was at each moment is no news once it is over for a day."""
    over = select(job.c.id).where(job.c.completed_at < now_ms() - DAY_MS)
    old = (event.c.kind == "progress", event.c.created_at < now_ms() - DAY_MS)
    db.execute(delete(event).where(*old, event.c.job_id.in_(over)))


def _references() -> list[Column[object]]:
    """Every column that names a job, whatever table it is in."""
    return [
        key.parent
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is job.c.id
    ]


_DUE = select(retention.c.state).where(retention.c.next_at <= now_ms()).order_by(retention.c.state)
