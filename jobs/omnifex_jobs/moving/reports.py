"""What a running job says of itself, written down under its claim."""

from __future__ import annotations

from sqlalchemy import Connection, Float, bindparam, case, update

from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.finding import traces
from omnifex_jobs.moving.claims import HELD, require, shown
from omnifex_jobs.moving.moves import PREVIEW, forget_previews, record
from omnifex_jobs.records import Claim, Progress, Report, plain


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
    said = {f"its_{name}": value for name, value in plain(reached).items()}
    said["its_value"] = min(max(reached.value, 0.0), 1.0)
    written = db.scalar(_REACH, {**shown(held), **said})
    if written is None:
        raise LostClaim(held.job.id)
    record(db, [held.job.id], "progress", {**plain(reached), "value": written})


_VALUE = bindparam("its_value", type_=Float)
_REACH = (
    update(job)
    .where(*HELD)
    .values(
        progress=case((job.c.progress > _VALUE, job.c.progress), else_=_VALUE),
        progress_stage=bindparam("its_stage"),
        progress_step=bindparam("its_step"),
        progress_steps=bindparam("its_steps"),
        progress_eta=bindparam("its_eta"),
        progress_at=now_ms(),
    )
    .returning(job.c.progress)
)
