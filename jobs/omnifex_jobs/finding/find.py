"""Reading: jobs with their files and parents, events, attempts, counts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal, select, union_all

from omnifex_jobs.database.conditions import SLICE, has, in_state
from omnifex_jobs.database.postgresql import settle_events
from omnifex_jobs.database.schema import (
    artifact,
    event,
    job,
    job_artifact,
    job_attempt,
    job_dependency,
    job_tag,
    recipe,
)
from omnifex_jobs.errors import JobNotFound
from omnifex_jobs.records import Artifact, Attempt, Event, Job, JobError, Progress
from omnifex_jobs.states import State


def get(db: Connection, job_id: str) -> Job:
    """The job, or JobNotFound."""
    for row in db.execute(_BY_IDS, {"ids": [job_id]}).all():
        return jobs(db, [row])[0]
    raise JobNotFound(job_id)


def lock(db: Connection, job_id: str) -> str:
    """The job's id, and nobody else writes of it until this transaction ends; or JobNotFound."""
    found = db.scalar(select(job.c.id).where(job.c.id == job_id).with_for_update())
    if found is None:
        raise JobNotFound(job_id)
    return str(found)


def by_ids(db: Connection, job_ids: Sequence[str]) -> list[Job]:
    """The jobs in the order asked for, in a few statements however many they are."""
    parts = (db.execute(_BY_IDS, {"ids": part}).all() for part in slices(job_ids))
    found = {item.id: item for part in parts for item in jobs(db, part)}
    return [found[job_id] for job_id in job_ids]


def jobs(db: Connection, rows: Sequence[Any]) -> list[Job]:
    """The jobs of rows that have the columns of WHOLE."""
    files = _artifacts(db, [row.id for row in rows if row.has_files])
    parents = _parents(db, [row.id for row in rows if row.has_parents])
    tags = _tags(db, [row.id for row in rows if row.has_tags])
    return [
        _job(row, files.get(row.id, ()), parents.get(row.id, ()), tags.get(row.id, ()))
        for row in rows
    ]


def events(db: Connection, job_id: str | None, after: int, limit: int) -> list[Event]:
    """Events in their order, those after sequence number `after`."""
    wanted = select(event).where(event.c.seq > after)
    if job_id is not None:  # written one after the other: each holds the job's row
        wanted = wanted.where(event.c.job_id == job_id)
    elif db.dialect.name == "postgresql":
        wanted = wanted.where(event.c.seq <= settle_events(db))
    return [
        Event(**row) for row in db.execute(wanted.order_by(event.c.seq).limit(limit)).mappings()
    ]


def attempts(db: Connection, job_id: str) -> list[Attempt]:
    """Every claim the job ever had, in their order."""
    columns = [column for column in job_attempt.c if column.name != "token"]
    ours = select(*columns).where(job_attempt.c.job_id == job_id)
    rows = db.execute(ours.order_by(job_attempt.c.started_at, job_attempt.c.attempt)).mappings()
    return [Attempt(**{**row, "error": _error(row["error"])}) for row in rows]


def over(db: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of the jobs that have ended, or are not in this database."""
    going = select(job.c.id).where(job.c.completed_at.is_(None))
    parts = slices(list(job_ids))
    return {*job_ids} - {
        one for part in parts for one in db.scalars(going.where(job.c.id.in_(part)))
    }


def counts(db: Connection) -> dict[State, int]:
    """How many jobs are in each state; every state is named."""
    each = [select(literal(state), func.count(job.c.id)).where(in_state(state)) for state in State]
    return {State(state): jobs for state, jobs in db.execute(union_all(*each))}


def slices(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many at once as one statement may name."""
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))


def _artifacts(db: Connection, job_ids: Sequence[str]) -> dict[str, list[Artifact]]:
    found: dict[str, list[Artifact]] = defaultdict(list)
    for row in db.execute(_FILES, {"ids": job_ids}).mappings() if job_ids else ():
        fields = dict(row)
        found[fields.pop("job_id")].append(Artifact(**fields))
    return found


def _parents(db: Connection, job_ids: Sequence[str]) -> dict[str, list[str]]:
    return _grouped(db.execute(_PARENTS, {"ids": job_ids})) if job_ids else {}


def _tags(db: Connection, job_ids: Sequence[str]) -> dict[str, list[str]]:
    return _grouped(db.execute(_TAGS, {"ids": job_ids})) if job_ids else {}


def _grouped(pairs: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for job_id, name in pairs:
        found[job_id].append(name)
    return found


def _job(
    row: Any, artifacts: Sequence[Artifact], parents: Sequence[str], tags: Sequence[str]
) -> Job:
    return Job(
        id=row.id,
        state=State(row.state),
        modality=row.modality,
        model=row.model,
        recipe=json.loads(row.canonical),
        recipe_hash=row.recipe_hash,
        priority=row.priority,
        parents=tuple(parents),
        metadata=row.metadata,
        created_at=row.created_at,
        run_at=row.run_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        progress=_progress(row),
        error=_error(row.error),
        metrics=row.metrics or {},
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        worker=row.worker,
        cancel_requested=row.cancel_requested_at is not None,
        artifacts=tuple(artifacts),
        deadline_at=row.deadline_at,
        owner=row.owner,
        queue=row.queue,
        batch=row.batch,
        unique_key=row.unique_key,
        shape=row.shape,
        expected_ms=row.expected_ms,
        need_bytes=row.need_bytes,
        timeout_ms=row.timeout_ms,
        stall_ms=row.stall_ms,
        expires_at=row.expires_at,
        crash_count=row.crash_count,
        suspect=row.suspect,
        tags=tuple(tags),
        source=row.source,
        source_id=row.source_id,
        environment=row.environment or {},
        rank=row.rank,
    )


def _progress(row: Any) -> Progress:
    return Progress(
        value=row.progress,
        stage=row.progress_stage,
        step=row.progress_step,
        steps=row.progress_steps,
        eta=row.progress_eta,
    )


def _error(stored: dict[str, Any] | None) -> JobError | None:
    return JobError(**stored) if stored else None


# What the queue alone reads is left out.
_OWN = (
    *("lane", "fair_at", "claim_token", "lease_until", "lease_ms", "cancel_reason"),
    *("crash_progress", "crash_kept", "progress_at", "idempotency_key"),
)
_CANONICAL = select(recipe.c.canonical).where(recipe.c.hash == job.c.recipe_hash)
WHOLE = (
    *(column for column in job.c if column.name not in _OWN),
    _CANONICAL.correlate(job).scalar_subquery().label("canonical"),
    has(job_artifact).label("has_files"),
    has(job_dependency).label("has_parents"),
    has(job_tag).label("has_tags"),
)
_IDS: Any = bindparam("ids", expanding=True)
_BY_IDS = select(*WHOLE).where(job.c.id.in_(_IDS))
_FILES = (
    select(job_artifact, artifact.c.size)
    .join(artifact, artifact.c.sha256 == job_artifact.c.sha256)
    .where(job_artifact.c.job_id.in_(_IDS))
    .order_by(job_artifact.c.role, job_artifact.c.position)
)
_PARENTS = (
    select(job_dependency.c.job_id, job_dependency.c.parent_id)
    .where(job_dependency.c.job_id.in_(_IDS))
    .order_by(job_dependency.c.parent_id)
)
_TAGS = (
    select(job_tag.c.job_id, job_tag.c.tag)
    .where(job_tag.c.job_id.in_(_IDS))
    .order_by(job_tag.c.tag)
)
