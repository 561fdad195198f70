"""What those who run the queue decide: which queues are paused, what each owner gets."""

from __future__ import annotations

from sqlalchemy import Engine

from omnifex_jobs import owners, queues
from omnifex_jobs.database import reading
from omnifex_jobs.owners import Owner
from omnifex_jobs.queues import DEFAULT, Queue


class Rules:
    """Every method is one transaction on the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def queues(self) -> list[Queue]:
        """The default queue, and those that have jobs or settings."""
        with reading(self._engine) as db:
            return queues.queues(db)

    def pause(self, queue: str = DEFAULT) -> None:
        """Begin nothing more of this queue; what runs goes on."""
        with self._engine.begin() as db:
            queues.pause(db, queue)

    def resume(self, queue: str = DEFAULT) -> None:
        with self._engine.begin() as db:
            queues.resume(db, queue)

    def limit(self, queue: str, max_running: int | None) -> None:
        """How many of the queue's jobs run at once; None for any number."""
        with self._engine.begin() as db:
            queues.limit(db, queue, max_running)

    def owners(self) -> list[Owner]:
        """Those for whom a share or a limit was set."""
        with reading(self._engine) as db:
            return owners.owners(db)

    def set_owner(self, owner: Owner) -> None:
        """Its share and limits from now on, for jobs that wait as well."""
        with self._engine.begin() as db:
            owners.settle_owner(db, owner)
