"""The front door: submit, watch, cancel, find and repeat jobs of every modality."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnifex import follow
from omnifex.home import Home, open_home
from omnifex.job import Job
from omnifex.models import Models
from omnifex.order import checked_order
from omnifex.overview import Overview, overview
from omnifex.plugins import Plugin, PluginHost, Problem
from omnifex.presence import served
from omnifex.submission import again, submit
from omnifex.verification import Verification, verify
from omnifex.worker.worker import Worker
from omnifex_jobs import Event, State

if TYPE_CHECKING:
    from omnifex.aio import AsyncJob
    from omnifex.engine.memory.resident import Resident


class Studio:
    """A home with its jobs and models, and by default a worker in this process.

    `home` is a folder; $OMNIFEX_HOME or ~/.omnifex where it is not given. Or it is the address of a
    PostgreSQL database, `postgresql+psycopg://…`, that several machines share; `artifacts` is then
    the folder of its files, which they share too. With `workers=0` it only submits and watches.
    Used in a `with`, or closed by `close()`: jobs that are not done by then stay in the queue, and
    what runs here is given back to it.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        workers: int = 1,
        devices: Sequence[str] | None = None,
        memory: str | int | None = None,
        plugins: PluginHost | Iterable[object] = (),
        artifacts: Path | str | None = None,
    ) -> None:
        self._home = open_home(home, plugins, artifacts)
        self._workers: list[Worker] = []
        # Also at the exit of an interpreter whose user forgot to close.
        self._closing = weakref.finalize(self, _close, self._home, self._workers)
        for _ in range(workers):
            self.serve(devices, memory)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop working; safe to call twice."""
        self._closing()

    @property
    def home(self) -> Path:
        """The folder."""
        return self._home.folder

    @property
    def models(self) -> Models:
        """add, list, show, remove."""
        return self._home.models

    def plugins(self) -> list[Plugin]:
        """The plugins that work, each with what it adds."""
        return list(self._home.plugins.plugins)

    def problems(self) -> list[Problem]:
        """The plugins that were set aside, and why."""
        return list(self._home.plugins.problems)

    def submit(
        self,
        modality: str,
        *,
        model: str | None = None,
        priority: int = 0,
        run_at: datetime | float | None = None,
        delay: timedelta | float | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        deadline: datetime | timedelta | float | None = None,
        **fields: Any,
    ) -> Job:
        """Check a request and queue it; `fields` are those of the modality's request type.

        A field that takes a file takes a path, bytes, a PIL image, an artifact, or a job, which it
        then waits for. Higher `priority` runs first; of equals, as many as possible are done by
        their `deadline`, a datetime or seconds from now, and a late one runs all the same. `run_at`
        is a datetime or epoch seconds, `delay` seconds. The same `idempotency_key` again gives the
        job that it gave before. Raises an OmnifexError, JobsError or RegistryError whose message is
        for the user.
        """
        order = checked_order(
            priority=priority,
            run_at=run_at,
            delay=delay,
            metadata=metadata,
            idempotency_key=idempotency_key,
            deadline=deadline,
        )
        return self._handle(submit(self._home, modality, fields, model, order).id)

    async def asubmit(self, modality: str, **fields: Any) -> AsyncJob:
        """As `submit`, for asyncio."""
        from omnifex.aio import AsyncJob

        return AsyncJob(await asyncio.to_thread(self.submit, modality, **fields))

    def job(self, job_id: str) -> Job:
        """The job of this id, or JobNotFound."""
        return self._handle(self._home.queue.get(job_id).id)

    def jobs(
        self,
        *,
        status: str | None = None,
        modality: str | None = None,
        model: str | None = None,
        text: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Job]:
        """Jobs that match all that is given, newest first; `before` is the id to go on from."""
        found = self._home.queue.find(
            state=status, modality=modality, model=model, text=text, limit=limit, before=before
        )
        return [self._handle(record.id) for record in found]

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        return self._home.queue.counts()

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events of all jobs up to now; go on later with `after=event.seq`."""
        return follow.so_far(self._home.queue, None, after)

    def replay(self, job_id: str) -> Job:
        """The same recipe as a new job; ModelChanged where it would make something else."""
        return self._handle(again(self._home, self._home.queue.get(job_id)).id)

    def verify(self, job_id: str) -> Verification:
        """Whether the job's files and recipe still hold, and whether it could be replayed."""
        return verify(self._home, self._home.queue.get(job_id))

    @property
    def served(self) -> bool:
        """Whether some worker, of this process or another, is there to run the jobs."""
        return served(self._home.queue)

    def serve(self, devices: Sequence[str] | None = None, memory: str | int | None = None) -> None:
        """Run jobs in this process from now on, until the studio is closed."""
        worker = Worker(self._home, devices=devices, memory=memory)
        worker.start()
        self._workers.append(worker)

    def overview(self) -> Overview:
        """The workers of this home, wherever they run, and what each is at."""
        return overview(self._home)

    def residents(self) -> list[Resident]:
        """The components that the workers of this process have in memory."""
        return [resident for worker in self._workers for resident in worker.residents()]

    def _handle(self, job_id: str) -> Job:
        return Job(self._home, job_id)


def _close(home: Home, workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()
    workers.clear()
    home.close()
