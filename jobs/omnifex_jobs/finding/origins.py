"""The lineage of jobs and files, as the queue offers it: each method is one transaction."""

from __future__ import annotations

from sqlalchemy import Engine

from omnifex_jobs.database.opening import reading
from omnifex_jobs.finding import lineage
from omnifex_jobs.finding.lineage import Edge, Lineage


class Origins:
    """Which job came of which, and who made and used which file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def lineage(self, job_id: str, limit: int = 500) -> Lineage:
        """The job, what it came from and what came of it, at most `limit` jobs; or JobNotFound."""
        with reading(self._engine) as db:
            return lineage.around(db, job_id, limit)

    def parents(self, job_id: str) -> list[Edge]:
        """The jobs that this one takes something from."""
        with reading(self._engine) as db:
            return lineage.edges_to(db, [job_id])

    def children(self, job_id: str) -> list[Edge]:
        """The jobs that take something from this one."""
        with reading(self._engine) as db:
            return lineage.edges_from(db, [job_id])

    def makers(self, sha256: str) -> list[str]:
        """The ids of jobs that made the file, the first one first."""
        with reading(self._engine) as db:
            return lineage.jobs_with(db, sha256, made=True)

    def users(self, sha256: str) -> list[str]:
        """The ids of jobs that took the file, the first one first."""
        with reading(self._engine) as db:
            return lineage.jobs_with(db, sha256, made=False)
