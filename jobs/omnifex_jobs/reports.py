"""What a running job says of itself, written down under its claim."""

from __future__ import annotations

from sqlalchemy import Connection, case, literal, update

from omnifex_jobs import traces
from omnifex_jobs.claims import holds, require
from omnifex_jobs.database import now_ms
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.moves import PREVIEW, forget_previews, record
from omnifex_jobs.records import Claim, Progress, Report, plain
from omnifex_jobs.schema import job


def report(db: Connection, held: Claim, said: Report) -> None:
    """Writes all that the job says, or LostClaim; its progress never goes down."""
    if said.progress is None:
        require(db, held)
    else:
        _progress(db, held, said.progress)
    for text in said.notes:
        record(db, [held.job.id], "note", {"text": text})
    if said.preview is not None:
        forget_previews(db, [held.job.id])
        record(db, [held.job.id], PREVIEW, said.preview)
    if said.calls:
        traces.append(db, held, said.calls)


def _progress(db: Connection, held: Claim, reached: Progress) -> None:
    value = literal(min(max(reached.value, 0.0), 1.0))
    statement = update(job).where(holds(held))
    statement = statement.values(
        progress=case((job.c.progress > value, job.c.progress), else_=value),
        progress_stage=reached.stage,
        progress_step=reached.step,
        progress_steps=reached.steps,
        progress_eta=reached.eta,
        progress_at=now_ms(),
    )
    written = db.scalar(statement.returning(job.c.progress))
    if written is None:
        raise LostClaim(held.job.id)
    record(db, [held.job.id], "progress", {**plain(reached), "value": written})
