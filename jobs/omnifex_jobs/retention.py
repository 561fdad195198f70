"""Forgetting jobs that ended long ago, with all that hangs on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, delete, exists, select, update

from omnifex_jobs.database import now_ms
from omnifex_jobs.schema import artifact, event, job, job_artifact, job_dependency, metadata, recipe
from omnifex_jobs.states import State

SLICE = 200  # jobs in one transaction: other writers get their turn between them
DAY_MS = 86_400_000


def old_jobs(db: Connection, older_than_ms: int, states: Sequence[State]) -> list[str]:
    """Some jobs that may go: they ended before, and no child of theirs has yet to end."""
    child = job.alias("child")
    edge = job_dependency.join(child, child.c.id == job_dependency.c.job_id)
    needed = exists().select_from(edge)
    needed = needed.where(job_dependency.c.parent_id == job.c.id, child.c.completed_at.is_(None))
    ended = (job.c.completed_at.is_not(None), job.c.completed_at < now_ms() - older_than_ms)
    wanted = select(job.c.id).where(job.c.state.in_(states), *ended, ~needed)
    return list(db.scalars(wanted.order_by(job.c.id).limit(SLICE)))


def forget(db: Connection, job_ids: Sequence[str]) -> list[str]:
    """Deletes the jobs; returns the hashes of files that no job has now."""
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
