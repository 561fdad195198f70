"""The asyncio face: the same jobs, awaited."""

import asyncio

import pytest
from studio_cases import tiles

from omnifex.aio import AsyncStudio
from omnifex.errors import InvalidRequest, JobCanceled
from omnifex.job import StillRunning
from omnifex.studio import Studio
from omnifex_jobs import State


def test_jobs_are_awaited_together() -> None:
    async def main() -> None:
        async with AsyncStudio(plugins=tiles(), devices=["cpu"]) as studio:
            jobs = [await studio.submit("tile", prompt="red", seed=seed) for seed in range(12)]
            results = await asyncio.gather(*(job.result(120) for job in jobs))
            assert len({artifact.sha256 for (artifact,) in results}) == 12
            assert len(await studio.jobs(status="succeeded")) == 12
            again = await studio.replay(jobs[0].id)
            assert (await again.result(120))[0].sha256 == results[0][0].sha256
            assert (await studio.verify(again.id)).ok
            assert await again.notes() == ("20 steps",)

    asyncio.run(main())


def test_events_are_awaited_and_can_be_taken_up_again() -> None:
    async def main() -> None:
        async with AsyncStudio(plugins=tiles(), devices=["cpu"]) as studio:
            job = await studio.submit("tile", prompt="red", steps=20, pace=0.02)
            events = [event async for event in job.events()]
            assert [events[0].kind, events[-1].kind] == ["queued", "succeeded"]
            later = [event async for event in job.events(after=events[1].seq)]
            assert later == events[2:]

    asyncio.run(main())


def test_the_loop_stays_free_while_jobs_are_awaited() -> None:
    async def main() -> None:
        async with AsyncStudio(plugins=tiles(), workers=0) as studio:
            jobs = [await studio.submit("tile", prompt="red") for _ in range(40)]
            waiting = [asyncio.create_task(job.result()) for job in jobs]
            await asyncio.gather(*(job.cancel("enough") for job in jobs))
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(end) for end in ends} == {JobCanceled}

    asyncio.run(main())


def test_waiting_has_its_limits_and_retrying_its_use() -> None:
    async def main() -> None:
        async with AsyncStudio(plugins=tiles(), workers=0) as studio:
            job = await studio.submit("tile", prompt="red")
            with pytest.raises(StillRunning):
                await job.result(timeout=0.05)
            assert await job.cancel() is State.CANCELED
            assert await (await job.retry()).status() is State.QUEUED
            assert (await studio.job(job.id)).id == job.id
            with pytest.raises(InvalidRequest):
                await studio.submit("tile", prompt="red", steps=0)

    asyncio.run(main())


def test_a_plain_studio_can_be_asked_from_asyncio() -> None:
    async def main() -> None:
        with Studio(plugins=tiles(), devices=["cpu"]) as studio:
            job = await studio.asubmit("tile", prompt="red")
            assert await job.result(120)

    asyncio.run(main())
