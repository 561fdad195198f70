"""Writing new jobs: the recipe once, the job, its parents, its input files, its first event."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table, insert, select
from ulid import ULID

from omnifex_jobs.database import now_ms
from omnifex_jobs.errors import IdempotencyConflict, JobNotFound
from omnifex_jobs.moves import record, settle
from omnifex_jobs.recipe import Recipe
from omnifex_jobs.records import Artifact, Submission
from omnifex_jobs.schema import artifact, job, job_artifact, job_dependency, recipe
from omnifex_jobs.states import BLOCKED, QUEUED, SCHEDULED, State


def submit(db: Connection, submission: Submission) -> str:
    """Writes the job and returns its id; with a known idempotency key, the id of that job."""
    _keep_recipe(db, submission.recipe)
    job_id = str(ULID())
    state = _first_state(db, submission)
    if not _insert_job(db, job_id, state, submission):
        return _known(db, submission)
    record(db, [job_id], state)
    attach(db, job_id, submission.inputs)
    parents = list(dict.fromkeys(submission.parents))
    if parents:
        _link(db, job_id, parents)
        settle(db, parents)
    return job_id


def attach(db: Connection, job_id: str, artifacts: Sequence[Artifact]) -> None:
    """Binds stored files to a job; positions are numbered within each role, in the given order."""
    count: dict[str, int] = {}
    for item in artifacts:
        position = count.setdefault(item.role, 0)
        count[item.role] += 1
        file = {"sha256": item.sha256, "size": item.size, "created_at": now_ms()}
        db.execute(_insert_new(db, artifact).values(file))
        edge = {
            "job_id": job_id,
            "role": item.role,
            "position": position,
            "sha256": item.sha256,
            "media_type": item.media_type,
            "name": item.name,
            "meta": dict(item.meta),
        }
        db.execute(insert(job_artifact).values(edge))


def _insert_new(db: Connection, table: Table) -> Any:
    """INSERT that leaves an existing row as it is; the two databases spell it apart."""
    dialect: Any = import_module(f"sqlalchemy.dialects.{db.dialect.name}")
    return dialect.insert(table).on_conflict_do_nothing()


def _keep_recipe(db: Connection, new: Recipe) -> None:
    row = {"hash": new.hash, "canonical": new.canonical.decode(), "words": new.words}
    db.execute(_insert_new(db, recipe).values(created_at=now_ms(), **row))


def _first_state(db: Connection, submission: Submission) -> State:
    if submission.parents:
        return BLOCKED
    if submission.run_at is not None and submission.run_at > (db.scalar(select(now_ms())) or 0):
        return SCHEDULED
    return QUEUED


def _insert_job(db: Connection, job_id: str, state: State, submission: Submission) -> bool:
    row = {
        "id": job_id,
        "recipe_hash": submission.recipe.hash,
        "state": state,
        "modality": submission.modality,
        "model": submission.model,
        "priority": submission.priority,
        "metadata": dict(submission.metadata),
        "idempotency_key": submission.idempotency_key,
        "run_at": submission.run_at,
        "max_attempts": submission.max_attempts,
        "deadline_at": submission.deadline_at,
        "created_at": now_ms(),
    }
    return db.scalar(_insert_new(db, job).values(row).returning(job.c.id)) is not None


def _known(db: Connection, submission: Submission) -> str:
    """The id of the job that has this idempotency key, if it asks for the same thing."""
    same = job.c.idempotency_key == submission.idempotency_key
    found = db.execute(select(job.c.id, job.c.recipe_hash, job.c.modality, job.c.model).where(same))
    row = found.one()
    asked = (submission.recipe.hash, submission.modality, submission.model)
    if tuple(row)[1:] != asked:
        raise IdempotencyConflict(str(submission.idempotency_key), row.id)
    return str(row.id)


def _link(db: Connection, job_id: str, parents: Sequence[str]) -> None:
    known = set(db.scalars(select(job.c.id).where(job.c.id.in_(parents))))
    for parent in parents:
        if parent not in known:
            raise JobNotFound(parent)
    rows = [{"job_id": job_id, "parent_id": parent} for parent in parents]
    db.execute(insert(job_dependency), rows)
