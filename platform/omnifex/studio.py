"""The front door: submit, watch, cancel, find and repeat jobs of every modality."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnifex import follow, timetable
from omnifex.export import export
from omnifex.graph import Graph, submit_all
from omnifex.home import Home, open_home
from omnifex.inspection import Inspection, inspect
from omnifex.job import Job
from omnifex.listing import Page, pages, sought
from omnifex.models import Models
from omnifex.order import checked_order
from omnifex.overview import Overview, overview
from omnifex.plugins import Plugin, PluginHost, Problem
from omnifex.presence import served
from omnifex.submission import again, fork, submit
from omnifex.verification import Verification, verify
from omnifex.worker.worker import Worker
from omnifex_jobs import Event, State
from omnifex_jobs.moving.batches import Batches
from omnifex_jobs.upkeep.rules import Rules
from omnifex_jobs.upkeep.schedules import Schedule, Schedules

if TYPE_CHECKING:
    from omnifex.aio import AsyncJob
    from omnifex.engine.memory.resident import Resident


class Studio:
    """A home with its jobs and models, and by default a worker in this process.

    `home` is a folder; $OMNIFEX_HOME or ~/.omnifex where it is not given. Or it is the address of a
    PostgreSQL database, `postgresql+psycopg://…`, that several machines share; `artifacts` is then
    the place of its files, which they share too: a folder, or a bucket, `s3://…`. With `workers=0`
    it only submits and watches. Used in a `with`, or closed by `close()`: jobs that are not done by
    then stay in the queue, and what runs here is given back to it. What is submitted belongs to
    `owner`.
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
        owner: str = "",
    ) -> None:
        self._home = open_home(home, plugins, artifacts)
        self.owner = owner
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
        tags: Sequence[str] = (),
        after: Job | str | Sequence[Job | str] = (),
        on_failure: str = "fail",
        queue: str | None = None,
        batch: str | None = None,
        unique: bool | str = False,
        timeout: timedelta | float | None = None,
        stall_timeout: timedelta | float | None = None,
        expires: datetime | timedelta | float | None = None,
        **fields: Any,
    ) -> Job:
        """Check a request and queue it; `fields` are those of the modality's request type.

        A field that takes a file takes a path, bytes, a PIL image, an artifact, or a job, which it
        then waits for. Higher `priority` runs first; of equals, as many as possible are done by
        their `deadline`, a datetime or seconds from now, and a late one runs all the same. `run_at`
        is a datetime or epoch seconds, `delay` seconds. The same `idempotency_key` again gives the
        job that it gave before. It waits for the jobs in `after`, too; where one that it waits for
        is lost, it does what `on_failure` says: "fail", "cancel", or "run" without it. A `unique`
        job (True: one that asks for the same but the seed; or a key) is not made while another
        has not ended: that one is given. An attempt may take `timeout` seconds, and be
        `stall_timeout` seconds without progress; what has not begun when it `expires` fails.
        `queue` and `batch` are names. Raises an OmnifexError, JobsError or RegistryError whose
        message is for the user.
        """
        order = checked_order(
            priority=priority,
            run_at=run_at,
            delay=delay,
            metadata=metadata,
            idempotency_key=idempotency_key,
            deadline=deadline,
            tags=tags,
            after=after,
            on_failure=on_failure,
            owner=self.owner,
            queue=queue,
            batch=batch,
            unique=unique,
            timeout=timeout,
            stall_timeout=stall_timeout,
            expires=expires,
        )
        return self._handle(submit(self._home, modality, fields, model, order).id)

    def graph(self) -> Graph:
        """`with studio.graph() as g: …` submits what `g.submit` collects, all of it or nothing."""
        return Graph(self._home, self.owner)

    def submit_all(self, requests: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Several jobs in one transaction, each a mapping of what `submit` takes.

        One with a `name` can be named by the others, in any order, as `job:NAME`.
        """
        return submit_all(self._home, requests, self.owner)

    async def asubmit(self, modality: str, **fields: Any) -> AsyncJob:
        """As `submit`, for asyncio."""
        from omnifex.aio import AsyncJob

        return AsyncJob(await asyncio.to_thread(self.submit, modality, **fields))

    def job(self, job_id: str) -> Job:
        """The job of this id, or JobNotFound."""
        return self._handle(self._home.queue.get(job_id).id)

    def jobs(self, *, limit: int = 50, before: str | None = None, **wanted: Any) -> Page:
        """Jobs that match all that is given, newest first; go on with `before=page.next`.

        `status`, `modality`, `model`, `owner`, `tag` or `tags`, `text` (words, "phrases" and
        begin* of what was asked), `since` and `until` (when it came: a datetime, epoch seconds, or
        an age such as "2d").
        """
        found = self._home.queue.find(limit=limit, before=before, **sought(wanted))
        return Page(self._home, found, limit)

    @property
    def queues(self) -> Rules:
        """Which queues are paused or limited, what each owner gets, and forgetting old jobs."""
        return self._home.queue.rules

    @property
    def batches(self) -> Batches:
        """counts, jobs and cancel of all that was submitted as one `batch`."""
        return self._home.queue.batches

    def schedule(
        self,
        name: str,
        cron: str,
        modality: str,
        *,
        zone: str = "UTC",
        model: str | None = None,
        **fields: Any,
    ) -> Schedule:
        """Submit this at each time of a cron line, once, whichever workers are there then."""
        return timetable.put(self._home, name, cron, zone, modality, model, fields, self.owner)

    @property
    def schedules(self) -> Schedules:
        """all, enable, remove, fires."""
        return self._home.queue.schedules

    def export(self, path: Path | str, **wanted: Any) -> int:
        """Write the jobs that match, as for `jobs`, to a .jsonl or .parquet file; how many."""
        filters = sought(wanted)
        return export(Path(path), lambda: pages(self._home, filters))

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        return self._home.queue.counts()

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events of all jobs up to now; go on later with `after=event.seq`."""
        return follow.so_far(self._home.queue, None, after)

    def retry(self, job_id: str) -> Job:
        """As Job.retry."""
        return self.job(job_id).retry()

    def fork(self, job_id: str, **changes: Any) -> Job:
        """The job's request with changes, as a new job; `seed=None` draws another seed."""
        return self._handle(fork(self._home, self._home.queue.get(job_id), changes).id)

    def replay(self, job_id: str) -> Job:
        """The same recipe as a new job; ModelChanged where it would make something else."""
        return self._handle(again(self._home, self._home.queue.get(job_id)).id)

    def verify(self, job_id: str, *, models: bool = True) -> Verification:
        """Whether the job's files, recipe and models still hold; could it be replayed?

        Without `models`, whose files may be many gigabytes, these are not read.
        """
        return verify(self._home, self._home.queue.get(job_id), models=models)

    def inspect(self, path: Path | str) -> Inspection:
        """What any file says of its making, and whether it was changed since it was signed."""
        return inspect(self._home, path)

    @property
    def served(self) -> bool:
        """Whether some worker, of this process or another, is there to run the jobs."""
        return served(self._home.queue)

    def serve(self, devices: Sequence[str] | None = None, memory: str | int | None = None) -> None:
        """Run jobs in this process from now on, until the studio is closed."""
        worker = Worker(self._home, devices=devices, memory=memory)
        self._workers.append(worker)  # first, so that a Ctrl-C from here on finds it to be closed
        worker.start()

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
