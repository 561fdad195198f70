"""Jobs that were submitted under one name, seen and ended as one."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from omnifex_jobs.database.opening import reading
from omnifex_jobs.database.schema import job
from omnifex_jobs.moving.requests import cancel
from omnifex_jobs.states import FINAL, State


class Batches:
    """Every method is one transaction on the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def counts(self, batch: str) -> dict[State, int]:
        """How many of its jobs are in each state; states without jobs are left out."""
        ours = select(job.c.state, func.count()).where(job.c.batch == batch).group_by(job.c.state)
        with reading(self._engine) as db:
            return {State(state): many for state, many in db.execute(ours)}

    def jobs(self, batch: str) -> list[str]:
        """The ids of its jobs, the oldest first."""
        ours = select(job.c.id).where(job.c.batch == batch).order_by(job.c.id)
        with reading(self._engine) as db:
            return list(db.scalars(ours))

    def cancel(self, batch: str, reason: str = "") -> int:
        """Cancels what has not ended, children before their parents; returns how many jobs."""
        going = (job.c.batch == batch, job.c.state.not_in(FINAL))
        with self._engine.begin() as db:
            ids = db.scalars(select(job.c.id).where(*going).order_by(job.c.id.desc())).all()
            for job_id in ids:
                cancel(db, job_id, reason)
            return len(ids)
