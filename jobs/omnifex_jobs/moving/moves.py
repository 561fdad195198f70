"""How a job changes state: one guarded UPDATE, with its event in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    select,
    update,
)

from omnifex_jobs.database.conditions import SLICE, has, in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import event, job, job_attempt, job_dependency
from omnifex_jobs.records import JobError, plain
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
_parent = job.alias("parent")


@dataclass(frozen=True)
class Change:
    """A change of state as a statement: what is made often is built once, and compiled once."""

    verb: str
    source: State
    target: State
    statement: Any  # UPDATE … RETURNING, with the error as its parameter

    @cached_property
    def whole(self) -> Any:
        """The same with all that is written beside it: one round trip to PostgreSQL, not three."""
        moved = self.statement.cte("moved")
        kind, payload = literal(self.target), bindparam("its_payload", type_=event.c.payload.type)
        noted = select(moved.c.id, kind, payload, now_ms())
        beside = [_RECORD.from_select(("job_id", "kind", "payload", "created_at"), noted)]
        if self.source is RUNNING:
            ended = job_attempt.c.job_id.in_(select(moved.c.id))
            beside.append(_end_attempts(ended))
        if self.target is RUNNING:
            began = [moved.c[name] for name in _ATTEMPT.values()]
            beside.append(insert(job_attempt).from_select(list(_ATTEMPT), select(*began)))
        named = [each.cte(f"beside_{number}") for number, each in enumerate(beside)]
        return select(moved).add_cte(*named)


def change(
    verb: str,
    source: State,
    target: State,
    *where: ColumnElement[bool],
    returning: Sequence[Any] = (job.c.id,),
    **values: Any,
) -> Change:
    """Of the jobs that are in `source` and match `where`; the values may be parameters."""
    assert (source, target, verb) in ALLOWED, f"no move {source} → {target} by {verb}"
    columns: dict[str, Any] = {
        "claim_token": None,
        "lease_until": None,
        "lease_ms": None,
        "error": bindparam("its_error"),
        **values,
    }
    if target in FINAL or source in FINAL:  # a column that is not named costs its indexes nothing
        columns["completed_at"] = now_ms() if target in FINAL else None
    statement = update(job).where(in_state(source), *where).values(state=target, **columns)
    # What is seldom there is told by the same statement, so that it need not be asked for.
    seldom = [_HAS_PREVIEW] * (source is RUNNING) + [_HAS_CHILDREN] * (target in FINAL)
    return Change(verb, source, target, statement.returning(*returning, *seldom))


def make(
    db: Connection,
    wanted: Change,
    given: Mapping[str, Any] | None = None,
    *,
    error: JobError | None = None,
    payload: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Makes the change, with the parameters `given`; returns the jobs' rows, oldest first.

    When they end, their children move on too: they start, or follow their rule.
    """
    rows = _make(db, wanted, given, error, payload)
    if wanted.target in FINAL and (parents := [row.id for row in rows if row.has_children]):
        settle(db, parents)
    return rows


def move(
    db: Connection,
    verb: str,
    source: State,
    target: State,
    *where: ColumnElement[bool],
    given: Mapping[str, Any] | None = None,
    error: JobError | None = None,
    payload: Mapping[str, Any] | None = None,
    **values: Any,
) -> list[str]:
    """A change that is made seldom, built and made; returns the ids, oldest first."""
    wanted = change(verb, source, target, *where, **values)
    return [row.id for row in make(db, wanted, given, error=error, payload=payload)]


def settle(db: Connection, ended: Sequence[str] | None = None) -> int:
    """Moves blocked jobs whose parents are done: children of `ended`, or all; returns how many."""
    moved = 0
    todo = None if ended is None else list(ended)
    while todo is None or todo:
        ours = [] if todo is None else [job.c.id.in_(_children(todo[:SLICE]))]
        later = job.c.run_at > now_ms()
        ready = ~_has_parent(_parent.c.state != SUCCEEDED, ~_goes_on_without())
        for target, *when in ((SCHEDULED, later), (QUEUED,)):
            moved += len(_make(db, change("stage", BLOCKED, target, *ours, ready, *when)))
        orphans = _end_orphans(db, ours)
        moved += len(orphans)
        todo = (todo or [])[SLICE:] + orphans
    return moved


def record(
    db: Connection, job_ids: Iterable[str], kind: str, payload: Mapping[str, Any] | None = None
) -> None:
    """Appends one event for each job."""
    rows = [{"job_id": job_id, "kind": kind, "payload": dict(payload or {})} for job_id in job_ids]
    put(db, _RECORD_NOW, rows)


def put(db: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows; a single one is cheaper when it does not come as a list."""
    if rows:
        db.execute(statement, rows if len(rows) > 1 else rows[0])


def forget_previews(db: Connection, job_ids: Sequence[str]) -> None:
    """Deletes the looks at unfinished work: the next one, or the end, is better."""
    if job_ids:
        db.execute(_FORGET_PREVIEWS, {"ids": job_ids})


def _make(
    db: Connection,
    wanted: Change,
    given: Mapping[str, Any] | None = None,
    error: JobError | None = None,
    payload: Mapping[str, Any] | None = None,
) -> list[Any]:
    why = plain(error) if error else None
    told = {**({"error": why} if why else {}), **(payload or {})}
    values = {**(given or {}), "its_error": why}
    if db.dialect.name == "postgresql":
        beside = {"its_outcome": wanted.verb, "its_payload": told}
        rows = db.execute(wanted.whole, {**values, **beside}).all()
    else:
        rows = db.execute(wanted.statement, values).all()
        _write_beside(db, wanted, rows, why, told)
    if wanted.source is RUNNING:
        forget_previews(db, [row.id for row in rows if row.has_preview])
    return sorted(rows, key=_id)


def _write_beside(
    db: Connection, wanted: Change, rows: Sequence[Any], why: Any, told: Mapping[str, Any]
) -> None:
    """What `Change.whole` writes by itself: the ends or beginnings of attempts, and the events."""
    moved = [row.id for row in rows]
    if moved and wanted.source is RUNNING:
        db.execute(_END_ATTEMPTS, {"ids": moved, "its_outcome": wanted.verb, "its_error": why})
    if wanted.target is RUNNING:
        began = [{name: getattr(row, its) for name, its in _ATTEMPT.items()} for row in rows]
        put(db, _OPEN_ATTEMPT, began)
    record(db, moved, wanted.target, told)


def _end_attempts(of: ColumnElement[bool]) -> Any:
    ended = {"ended_at": now_ms(), "outcome": bindparam("its_outcome")}
    open_ones = update(job_attempt).where(of, job_attempt.c.ended_at.is_(None))
    return open_ones.values(**ended, error=bindparam("its_error"))


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
        wanted = change("stage", BLOCKED, target, job.c.id == orphan.id)
        ended += [row.id for row in _make(db, wanted, error=why)]
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


_HAS_PREVIEW = has(event, event.c.kind == PREVIEW).label("has_preview")
_HAS_CHILDREN = has(job_dependency, by=job_dependency.c.parent_id).label("has_children")
_IDS: Any = bindparam("ids", expanding=True)
_RECORD = insert(event)
_RECORD_NOW = _RECORD.values(created_at=now_ms())
_FORGET_PREVIEWS = delete(event).where(event.c.job_id.in_(_IDS), event.c.kind == PREVIEW)
_OPEN_ATTEMPT = insert(job_attempt)
_END_ATTEMPTS = _end_attempts(job_attempt.c.job_id.in_(_IDS))
_ATTEMPT = {  # its columns, from those of the job that was claimed
    "token": "claim_token",
    "job_id": "id",
    "attempt": "attempt",
    "worker": "worker",
    "started_at": "started_at",
}
_id = attrgetter("id")
