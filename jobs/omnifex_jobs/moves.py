"""How a job changes state: one guarded UPDATE, with its event in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    exists,
    insert,
    literal_column,
    select,
    update,
)

from omnifex_jobs.database import now_ms
from omnifex_jobs.records import JobError, plain
from omnifex_jobs.schema import event, job, job_attempt, job_dependency
from omnifex_jobs.states import (
    ALLOWED,
    BLOCKED,
    CANCEL,
    CANCELED,
    FAILED,
    FINAL,
    LOST,
    QUEUED,
    RUN,
    RUNNING,
    SCHEDULED,
    SUCCEEDED,
    State,
)

PREVIEW = "preview"  # the kind of event that does not last
SLICE = 500  # ids in one statement: the number of parameters is limited
_parent = job.alias("parent")


def move(
    db: Connection,
    verb: str,
    source: State,
    target: State,
    *where: ColumnElement[bool],
    error: JobError | None = None,
    payload: Mapping[str, Any] | None = None,
    **values: Any,
) -> list[str]:
    """Moves the jobs that are in `source` and match `where`; returns their ids, oldest first.

    When they end, their children move on too: they start, or follow their rule.
    """
    moved = _move(db, verb, source, target, *where, error=error, payload=payload, **values)
    if target in FINAL and _have_children(db, moved):
        settle(db, moved)
    return moved


def settle(db: Connection, ended: Sequence[str] | None = None) -> int:
    """Moves blocked jobs whose parents are done: children of `ended`, or all; returns how many."""
    moved = 0
    todo = None if ended is None else list(ended)
    while todo is None or todo:
        ours = [] if todo is None else [job.c.id.in_(_children(todo[:SLICE]))]
        later = job.c.run_at > now_ms()
        ready = ~_has_parent(_parent.c.state != SUCCEEDED, ~_goes_on_without())
        moved += len(_move(db, "stage", BLOCKED, SCHEDULED, *ours, ready, later))
        moved += len(_move(db, "stage", BLOCKED, QUEUED, *ours, ready))
        orphans = _end_orphans(db, ours)
        moved += len(orphans)
        todo = (todo or [])[SLICE:] + orphans
    return moved


def in_state(state: State) -> ColumnElement[bool]:
    """Said in the words of the partial index: a parameter would hide it from the planner."""
    literal = job.c.state == literal_column(f"'{state}'")
    return literal & job.c.completed_at.is_not(None) if state in FINAL else literal


def record(
    db: Connection, job_ids: Iterable[str], kind: str, payload: Mapping[str, Any] | None = None
) -> None:
    """Appends one event for each job."""
    rows = [{"job_id": job_id, "kind": kind, "payload": dict(payload or {})} for job_id in job_ids]
    if rows:
        db.execute(insert(event).values(created_at=now_ms()), rows)


def forget_previews(db: Connection, job_ids: Sequence[str]) -> None:
    """Deletes the looks at unfinished work: the next one, or the end, is better."""
    ours = (event.c.job_id.in_(job_ids), event.c.kind == PREVIEW)
    db.execute(delete(event).where(*ours))


def _have_children(db: Connection, parents: Sequence[str]) -> bool:
    """Asked first: most jobs have none."""
    return any(
        db.execute(_children(parents[start : start + SLICE]).limit(1)).first()
        for start in range(0, len(parents), SLICE)
    )


def _move(
    db: Connection,
    verb: str,
    source: State,
    target: State,
    *where: ColumnElement[bool],
    error: JobError | None = None,
    payload: Mapping[str, Any] | None = None,
    **values: Any,
) -> list[str]:
    assert (source, target, verb) in ALLOWED, f"no move {source} → {target} by {verb}"
    columns: dict[str, Any] = {
        "claim_token": None,
        "lease_until": None,
        "lease_ms": None,
        "completed_at": now_ms() if target in FINAL else None,
        "error": plain(error) if error else None,
        **values,
    }
    statement = update(job).where(in_state(source), *where).values(state=target, **columns)
    moved = sorted(db.scalars(statement.returning(job.c.id)))
    if source is RUNNING:
        _end_attempts(db, moved, verb, error)
        forget_previews(db, moved)
    told = {"error": plain(error)} if error else {}
    record(db, moved, target, {**told, **(payload or {})})
    return moved


def _end_attempts(
    db: Connection, job_ids: Sequence[str], outcome: str, error: JobError | None
) -> None:
    open_ones = (job_attempt.c.job_id.in_(job_ids), job_attempt.c.ended_at.is_(None))
    values = {"ended_at": now_ms(), "outcome": outcome, "error": plain(error) if error else None}
    db.execute(update(job_attempt).where(*open_ones).values(values))


def _end_orphans(db: Connection, ours: Sequence[ColumnElement[bool]]) -> list[str]:
    lost = (_parent.c.state.in_(LOST), job_dependency.c.on_failure != RUN)
    edges = job.join(job_dependency, job_dependency.c.job_id == job.c.id).join(
        _parent, _parent.c.id == job_dependency.c.parent_id
    )
    columns = select(
        job.c.id, _parent.c.id.label("parent_id"), _parent.c.state, job_dependency.c.on_failure
    )
    orphans = db.execute(
        columns.select_from(edges).where(in_state(BLOCKED), *lost, *ours).order_by(job.c.id)
    ).all()
    ended = []
    for orphan in orphans:  # one with several lost parents is ended once, by the first
        why = JobError(
            "dependency", f"Job {orphan.parent_id}, which this one needs, {_ended(orphan.state)}."
        )
        target = CANCELED if orphan.on_failure == CANCEL else FAILED
        ended += _move(db, "stage", BLOCKED, target, job.c.id == orphan.id, error=why)
    return ended


def _goes_on_without() -> ColumnElement[bool]:
    return _parent.c.state.in_(LOST) & (job_dependency.c.on_failure == RUN)


def _ended(state: str) -> str:
    return "was canceled" if state == CANCELED else state


def _children(parents: Sequence[str]) -> Any:
    return select(job_dependency.c.job_id).where(job_dependency.c.parent_id.in_(parents))


def _has_parent(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    edge = job_dependency.join(_parent, _parent.c.id == job_dependency.c.parent_id)
    return exists().select_from(edge).where(job_dependency.c.job_id == job.c.id, *conditions)
