"""Which job came of which: by waiting for it, by taking its file, as its replay or its fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from omnifex_jobs.database.schema import job, job_artifact, job_attempt, job_dependency
from omnifex_jobs.finding import find
from omnifex_jobs.records import Job

MADE, INPUT = ("output", "preview"), "input"  # roles of files
WAITS, TAKES = "waits", "takes"  # kinds of edges, beside "replay" and "fork"

_taken = job_artifact.alias("taken")
_made = job_artifact.alias("made")
_same_file = _taken.join(_made, _made.c.sha256 == _taken.c.sha256)
_source = job.alias("source")


@dataclass(frozen=True)
class Edge:
    """`child` came of `parent`.

    It `waits` for it, `takes` a file that it had made, or is a `replay` or a `fork` of it.
    """

    parent: str
    child: str
    kind: str
    on_failure: str | None = None  # the rule of one that waits


@dataclass(frozen=True)
class Lineage:
    """Jobs, the oldest first, how they hang together, and how often each was claimed."""

    jobs: tuple[Job, ...]
    edges: tuple[Edge, ...]
    claims: Mapping[str, int]
    cut: bool  # whether there are more


def around(db: Connection, job_id: str, limit: int) -> Lineage:
    """All that a job came from, and all that came of it; the nearest first, up to `limit` jobs."""
    find.get(db, job_id)
    known, cut = {job_id}, False
    edges: dict[Edge, None] = {}
    for more in (edges_to, edges_from):
        front = [job_id]
        while front:
            found = more(db, front)
            beyond = {end for edge in found for end in (edge.parent, edge.child)} - known
            room = max(0, limit - len(known))
            front = sorted(beyond, reverse=True)[:room]
            cut = cut or len(front) < len(beyond)
            known.update(front)
            edges.update(dict.fromkeys(found))
    kept = tuple(edge for edge in edges if {edge.parent, edge.child} <= known)
    ids = sorted(known)
    return Lineage(tuple(find.by_ids(db, ids)), kept, _claims(db, ids), cut)


def edges_to(db: Connection, job_ids: Sequence[str]) -> list[Edge]:
    """What the jobs came from; of several makers of one file the first is named."""
    return [edge for part in find.slices(job_ids) for edge in _edges_to(db, part)]


def edges_from(db: Connection, job_ids: Sequence[str]) -> list[Edge]:
    """What came of the jobs."""
    waiting = select(job_dependency.c.job_id).where(job_dependency.c.parent_id.in_(job_ids))
    again = select(job.c.id).where(job.c.source_id.in_(job_ids))
    takers = select(_taken.c.job_id).select_from(_same_file)
    takers = takers.where(_taken.c.role == INPUT, _made.c.role.in_(MADE))
    takers = takers.where(_made.c.job_id.in_(job_ids))
    children = {child for rows in (waiting, again, takers) for child in db.scalars(rows)}
    return [edge for edge in edges_to(db, sorted(children)) if edge.parent in job_ids]


def jobs_with(db: Connection, sha256: str, *, made: bool) -> list[str]:
    """The jobs that made a file, or that took it; the first one first."""
    ids = select(job_artifact.c.job_id).where(job_artifact.c.sha256 == sha256)
    ids = ids.where(job_artifact.c.role.in_(MADE if made else (INPUT,))).distinct()
    return list(db.scalars(ids.order_by(job_artifact.c.job_id)))


def _edges_to(db: Connection, job_ids: Sequence[str]) -> list[Edge]:
    rows = db.execute(select(job_dependency).where(job_dependency.c.job_id.in_(job_ids)))
    waits = [Edge(row.parent_id, row.job_id, WAITS, row.on_failure) for row in rows]
    waited = {(edge.parent, edge.child) for edge in waits}
    takes = [edge for edge in _takes(db, job_ids) if (edge.parent, edge.child) not in waited]
    return sorted(waits + takes + _again(db, job_ids), key=lambda edge: (edge.child, edge.parent))


def _takes(db: Connection, job_ids: Sequence[str]) -> list[Edge]:
    """By the files: who made one before the job took it, the first of them all."""
    first = func.min(_made.c.job_id).label("parent")
    makers = select(_taken.c.job_id, first).select_from(_same_file)
    makers = makers.where(_taken.c.role == INPUT, _made.c.role.in_(MADE))
    makers = makers.where(_taken.c.job_id.in_(job_ids), _made.c.job_id < _taken.c.job_id)
    rows = db.execute(makers.group_by(_taken.c.job_id, _taken.c.sha256))
    return list(dict.fromkeys(Edge(row.parent, row.job_id, TAKES) for row in rows))


def _again(db: Connection, job_ids: Sequence[str]) -> list[Edge]:
    """Replays and forks of jobs that are still there."""
    made_of = job.join(_source, _source.c.id == job.c.source_id)
    rows = select(job.c.id, job.c.source, job.c.source_id).select_from(made_of)
    found = db.execute(rows.where(job.c.id.in_(job_ids)))
    return [Edge(row.source_id, row.id, row.source) for row in found]


def _claims(db: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    each = select(job_attempt.c.job_id, func.count()).group_by(job_attempt.c.job_id)
    parts = (each.where(job_attempt.c.job_id.in_(part)) for part in find.slices(job_ids))
    return {job_id: claims for part in parts for job_id, claims in db.execute(part)}
