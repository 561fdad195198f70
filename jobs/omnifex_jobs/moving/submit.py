"""Writing new jobs: the recipe once, the job, its parents, its input files, its first event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import (
    artifact,
    job,
    job_artifact,
    job_dependency,
    job_tag,
    recipe,
)
from omnifex_jobs.database.upserts import insert_new
from omnifex_jobs.errors import DependencyCycle, ForeignJob, IdempotencyConflict, JobNotFound
from omnifex_jobs.moving.moves import put, record, settle
from omnifex_jobs.moving.uniqueness import working_on
from omnifex_jobs.order.expectations import expected
from omnifex_jobs.order.lanes import lane
from omnifex_jobs.order.owners import Owner, check_room, terms
from omnifex_jobs.order.queues import checked
from omnifex_jobs.order.ranks import place
from omnifex_jobs.recipe import Recipe
from omnifex_jobs.records import Artifact, Submission, new_id
from omnifex_jobs.states import BLOCKED, QUEUED, SCHEDULED, State

AS_GIVEN = (
    "modality",
    "model",
    "owner",
    "queue",
    "priority",
    "shape",
    "idempotency_key",
    "unique_key",
    "batch",
    "run_at",
    "max_attempts",
    "timeout_ms",
    "stall_ms",
    "deadline_at",
    "expires_at",
    "source",
    "source_id",
)

INPUT = "input"  # the role of a file that a job was given


def submit(db: Connection, submission: Submission) -> str:
    """Writes the job and returns its id; with a known key, the id of the job that has it."""
    _keep_recipe(db, submission.recipe)
    whose = terms(db, submission.owner)
    check_room(db, whose)
    job_id = submission.id or new_id()
    state = _first_state(db, submission)
    while not _insert_job(db, job_id, state, submission, whose):
        if known := _known(db, submission):
            return known
    record(db, [job_id], state)
    attach(db, job_id, submission.inputs)
    _tag(db, job_id, submission.tags)
    parents = list(dict.fromkeys(submission.parents))
    if parents:
        _link(db, job_id, parents, submission)
        settle(db, parents)
    return job_id


def submit_all(db: Connection, submissions: Sequence[Submission]) -> list[str]:
    """Writes parents before their children; the ids, or those of known idempotency keys."""
    ids: dict[int, str] = {}
    actual: dict[str, str] = {}
    for index in _in_order(submissions):
        one = submissions[index]
        parents = [actual.get(parent, parent) for parent in one.parents]
        ids[index] = submit(db, replace(one, parents=parents))
        actual[one.id] = ids[index]
    return [ids[index] for index in range(len(submissions))]


def _in_order(submissions: Sequence[Submission]) -> list[int]:
    """As they come, but parents first; or DependencyCycle."""
    place = {one.id: index for index, one in enumerate(submissions) if one.id}
    needs = {
        index: [place[parent] for parent in one.parents if parent in place]
        for index, one in enumerate(submissions)
    }
    if not any(needs.values()):
        return list(needs)
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise DependencyCycle([submissions[index].id for index in error.args[1]]) from error


def attach(db: Connection, job_id: str, artifacts: Sequence[Artifact]) -> None:
    """Binds stored files to a job; positions are numbered within each role, in the given order."""
    if not artifacts:
        return
    count = _positions(db, job_id) if any(item.role == INPUT for item in artifacts) else {}
    edges = []
    for item in artifacts:
        position = count.setdefault(item.role, 0)
        count[item.role] += 1
        edges.append(_edge(job_id, position, item))
    files = [{"sha256": item.sha256, "size": item.size} for item in artifacts]
    put(db, _new(db.dialect.name, artifact), files)
    put(db, insert(job_artifact), edges)


def _edge(job_id: str, position: int, item: Artifact) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "role": item.role,
        "position": position,
        "sha256": item.sha256,
        "media_type": item.media_type,
        "name": item.name,
        "meta": dict(item.meta),
    }


def _positions(db: Connection, job_id: str) -> dict[str, int]:
    """How many files the job has in each role."""
    each = select(job_artifact.c.role, func.count()).where(job_artifact.c.job_id == job_id)
    return {row.role: row[1] for row in db.execute(each.group_by(job_artifact.c.role))}


def _keep_recipe(db: Connection, new: Recipe) -> None:
    row = {"hash": new.hash, "canonical": new.canonical.decode(), "words": new.words}
    db.execute(_new(db.dialect.name, recipe), row)


@cache
def _new(dialect: str, table: Table) -> Any:
    return insert_new(dialect, table).values(created_at=now_ms())


@cache
def _new_job(dialect: str) -> Any:
    return _new(dialect, job).returning(job.c.id)


def _first_state(db: Connection, submission: Submission) -> State:
    if submission.parents:
        return BLOCKED
    if submission.run_at is not None and submission.run_at > (db.scalar(select(now_ms())) or 0):
        return SCHEDULED
    return QUEUED


def _insert_job(
    db: Connection, job_id: str, state: State, submission: Submission, whose: Owner
) -> bool:
    expected_ms, need_bytes = expected(db, submission.shape)
    where = place(db, whose, submission.priority, expected_ms, submission.run_at)
    row = {
        "id": job_id,
        "recipe_hash": submission.recipe.hash,
        "state": state,
        "lane": lane(checked(submission.queue), submission.modality, whose),
        "rank": where.rank,
        "fair_at": where.fair_at,
        "expected_ms": expected_ms,
        "need_bytes": need_bytes,
        "metadata": dict(submission.metadata),
        **{name: getattr(submission, name) for name in AS_GIVEN},
    }
    return db.scalar(_new_job(db.dialect.name), row) is not None


def _known(db: Connection, submission: Submission) -> str | None:
    """The job that has this idempotency key, if it asks for the same thing, or this unique key."""
    same = (
        job.c.idempotency_key == submission.idempotency_key,
        job.c.idempotency_key.is_not(None),
    )
    asked = (submission.recipe.hash, submission.modality, submission.model)
    found = select(job.c.id, job.c.recipe_hash, job.c.modality, job.c.model).where(*same)
    for row in db.execute(found):
        if tuple(row)[1:] != asked:
            raise IdempotencyConflict(str(submission.idempotency_key), row.id)
        return str(row.id)
    return db.scalar(select(job.c.id).where(*working_on(submission.unique_key)))


def _link(db: Connection, job_id: str, parents: Sequence[str], submission: Submission) -> None:
    rows = select(job.c.id, job.c.owner).where(job.c.id.in_(parents))
    owners = {row.id: row.owner for row in db.execute(rows)}
    for parent in parents:
        if parent not in owners:
            raise JobNotFound(parent)
        if submission.owner and owners[parent] not in ("", submission.owner):
            raise ForeignJob(parent, submission.owner)
    rule = {"job_id": job_id, "on_failure": submission.on_failure}
    db.execute(insert(job_dependency), [{"parent_id": parent, **rule} for parent in parents])


def _tag(db: Connection, job_id: str, tags: Sequence[str]) -> None:
    rows = [{"tag": tag, "job_id": job_id} for tag in dict.fromkeys(tags)]
    if rows:
        db.execute(insert(job_tag), rows)
