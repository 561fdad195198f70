"""What those who run the queue decide: which queues are paused, what each owner gets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine

from omnifex_jobs.database.opening import look_then_write, reading
from omnifex_jobs.order import owners, queues
from omnifex_jobs.order.owners import Owner
from omnifex_jobs.order.queues import DEFAULT, Queue
from omnifex_jobs.states import FINAL, State
from omnifex_jobs.upkeep import retention


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

    def keep(self, state: str, time: timedelta | None) -> None:
        """For how long jobs that ended so are kept, from now on; None is for ever, as at first.

        Workers forget older ones, a few hundred at a time, but what `prune` leaves stays.
        """
        with self._engine.begin() as db:
            retention.keep(db, state, time)

    def kept(self) -> dict[State, timedelta]:
        """What was set by `keep`."""
        with reading(self._engine) as db:
            return retention.kept(db)

    def pin(self, job_id: str, pinned: bool = True) -> None:
        """Keep this job whatever else is forgotten: it gets the tag `pinned`, or loses it."""
        with self._engine.begin() as db:
            retention.pin(db, job_id, pinned)

    def prune_due(self) -> int:
        """A worker's turn at forgetting by the rules; returns how many jobs went."""
        return look_then_write(self._engine, retention.due, retention.prune_due) or 0

    def prune(self, older_than_s: float, states: Sequence[State] = FINAL) -> tuple[int, list[str]]:
        """Forgets jobs that ended longer ago; returns how many, and files that no job has now.

        A pinned job stays, and one whose child has yet to end. Many small transactions: others get
        their turn.
        """
        forgotten, files = 0, list[str]()
        while True:
            with self._engine.begin() as db:
                job_ids = retention.old_jobs(db, round(older_than_s * 1000), states)
                if not job_ids:
                    retention.forget_progress(db)
                    return forgotten, files
                files += retention.forget(db, job_ids)
                forgotten += len(job_ids)
