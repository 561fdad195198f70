"""The studio for asyncio: the same code, each call in a thread, each wait in the event loop."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, ParamSpec, TypeVar

from omnifex.artifact import Artifact
from omnifex.job import POLL_S, Job, StillRunning, outputs
from omnifex.studio import Studio
from omnifex.verification import Verification
from omnifex_jobs import Event, State
from omnifex_jobs import Job as Record

P = ParamSpec("P")
T = TypeVar("T")


class AsyncJob:
    """A job to await; `job` is the same one for code that may block."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.id = job.id

    async def record(self) -> Record:
        """All of the job as it is now."""
        return await asyncio.to_thread(lambda: self.job.record)

    async def status(self) -> State:
        return (await self.record()).state

    async def notes(self) -> tuple[str, ...]:
        return await asyncio.to_thread(lambda: self.job.notes)

    async def wait(self, timeout: float | None = None) -> Record:
        """The job at its end; holds no thread meanwhile, so that any number can wait."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (record := await self.record()).final:
            if deadline is not None and time.monotonic() >= deadline:
                raise StillRunning(record, timeout or 0, self.job.home)
            await asyncio.sleep(POLL_S)
        return record

    async def result(self, timeout: float | None = None) -> tuple[Artifact, ...]:
        """The outputs; raises what Job.result raises."""
        return outputs(self.job.home, await self.wait(timeout))

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Each event as it comes, until the job ends."""
        queue = self.job.home.queue
        page: list[Event] = []
        final = False
        while page or not final:
            final = (await self.record()).final  # asked before, so that no event is missed
            page = await asyncio.to_thread(queue.events, self.id, after=after)
            for event in page:
                after = event.seq
                yield event
            if not page and not final:
                await asyncio.sleep(POLL_S)

    async def cancel(self, reason: str = "") -> State:
        return await asyncio.to_thread(self.job.cancel, reason)

    async def retry(self) -> AsyncJob:
        await asyncio.to_thread(self.job.retry)
        return self


class AsyncStudio:
    """`async with AsyncStudio(home) as studio: job = await studio.submit("image", prompt=…)`.

    Takes what Studio takes; `studio` is the one behind it, for what is quick enough to block.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._open = functools.partial(Studio, *args, **kwargs)
        self.studio: Studio

    async def __aenter__(self) -> AsyncStudio:
        self.studio = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.studio.close)

    async def submit(self, modality: str, **fields: Any) -> AsyncJob:
        """As Studio.submit."""
        return await _job(self.studio.submit, modality, **fields)

    async def job(self, job_id: str) -> AsyncJob:
        return await _job(self.studio.job, job_id)

    async def jobs(self, **search: Any) -> list[AsyncJob]:
        """As Studio.jobs."""
        return [AsyncJob(job) for job in await asyncio.to_thread(self.studio.jobs, **search)]

    async def replay(self, job_id: str) -> AsyncJob:
        return await _job(self.studio.replay, job_id)

    async def verify(self, job_id: str, **options: bool) -> Verification:
        return await asyncio.to_thread(self.studio.verify, job_id, **options)


async def _job(call: Callable[P, Job], *args: P.args, **kwargs: P.kwargs) -> AsyncJob:
    return AsyncJob(await asyncio.to_thread(call, *args, **kwargs))
