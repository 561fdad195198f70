"""The worker in one process: what it claims, how it stops, and whom it tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dots_plugin
import pytest
import tiles_plugin
from dots_plugin import Dots
from studio_cases import open_tiles, tiles, until

import omnifex
from omnifex.bell import Bell
from omnifex.device import UnknownDevice, checked_devices, find_devices
from omnifex.home import Home, open_home
from omnifex.job import Job
from omnifex.order import Order
from omnifex.plugins import PluginHost
from omnifex.presence import bury_the_dead, served
from omnifex.studio import Studio
from omnifex.submission import submit
from omnifex.worker.engines import Engines
from omnifex.worker.worker import Worker
from omnifex_jobs import (
    Event,
    State,
)


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def home() -> Iterator[Home]:
    home = open_home(None, tiles())
    yield home
    home.close()


def ask(home: Home, prompt: str = "red", priority: int = 0, **fields: object) -> Job:
    return Job(home, submit(home, "tile", {"prompt": prompt, **fields}, None, Order(priority)).id)


def serving(home: Home, **options: object) -> Worker:
    worker = Worker(home, devices=["cpu"], **options)  # type: ignore[arg-type]
    worker.start()
    return worker


# Stopping


def test_a_canceled_job_stops_within_one_call() -> None:
    Dots.calls.clear()
    reached, go = threading.Event(), threading.Event()

    def during() -> None:
        if len(Dots.calls) == 5:
            reached.set()
            go.wait(120)

    Dots.during = during
    host = PluginHost([dots_plugin], entry_points=False)
    try:
        with Studio(plugins=host, devices=["cpu"]) as studio:
            job = studio.submit("dots", prompt="many", steps=200)
            assert reached.wait(120)
            job.cancel("enough")
            go.set()
            assert job.wait(120).state is State.CANCELED
    finally:
        Dots.during = lambda: None
    assert len(Dots.calls) <= 6
    assert job.error is not None
    assert job.error.message == "enough"


def test_a_job_is_canceled_from_another_studio(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red", steps=200, pace=0.1)
    until(lambda: job.status is State.RUNNING)
    with open_tiles(workers=0) as other:
        other.job(job.id).cancel()
        assert other.job(job.id).wait(120).state is State.CANCELED
    assert not job.artifacts


def test_what_runs_when_the_worker_stops_goes_back_to_the_queue(omnifex_home: Path) -> None:
    with open_tiles() as studio:
        job = studio.submit("tile", prompt="red", steps=100, pace=0.05)
        until(lambda: job.progress.step > 0)
    record = job.record
    assert record.state is State.QUEUED
    assert record.attempt == 0
    with open_tiles(workers=0) as studio:
        assert not studio.served


def test_a_stopped_worker_cancels_what_was_canceled(home: Home) -> None:
    job = ask(home, steps=200, pace=0.05)
    worker = serving(home)
    until(lambda: job.status is State.RUNNING)
    home.queue.cancel(job.id)
    worker.stop()
    assert job.status is State.CANCELED


def test_a_job_that_another_worker_took_over_is_dropped(home: Home) -> None:
    job = ask(home, steps=30, pace=0.05)
    first = serving(home, at_once=1)
    until(lambda: job.progress.step > 0)
    until(lambda: home.queue.gone(first.id) or home.queue.rescue())  # as if it had been silent
    second = serving(home)
    assert job.wait(120).state is State.SUCCEEDED
    first.stop()
    second.stop()
    kinds = [event.kind for event in job.events()]
    assert kinds.count("succeeded") == 1
    assert kinds.count("running") == 2


def test_leaving_without_work_is_quick_and_can_be_done_twice(home: Home) -> None:
    Worker(home).stop()
    worker = serving(home)
    assert served(home.queue)
    worker.stop()
    assert not served(home.queue)


# Choosing


def test_a_higher_priority_runs_first(home: Home) -> None:
    late, soon = ask(home), ask(home, priority=5)
    worker = serving(home, at_once=1)
    late.wait(120)
    soon.wait(120)
    worker.stop()
    started = {e.job_id: e.seq for e in home.queue.events() if e.kind == "running"}
    assert started[soon.id] < started[late.id]


def test_a_full_worker_has_room_for_a_more_urgent_job(home: Home) -> None:
    worker = serving(home, at_once=1)
    long = ask(home, steps=900, pace=0.005)  # it paces with the baton in hand, and then all wait
    until(lambda: long.status is State.RUNNING)
    equal, urgent = ask(home), ask(home, priority=1)
    assert urgent.wait(120).state is State.SUCCEEDED
    assert (long.status, equal.status) == (State.RUNNING, State.QUEUED)
    long.cancel()
    assert equal.wait(120).state is State.SUCCEEDED
    worker.stop()


def test_jobs_of_modalities_that_are_not_installed_are_left_to_others(home: Home) -> None:
    job = ask(home)
    bare = open_home(None, PluginHost([dots_plugin], entry_points=False))
    worker = serving(bare)
    until(lambda: served(home.queue))
    worker.stop()
    bare.close()
    assert job.status is State.QUEUED


def test_a_job_too_large_for_a_device_is_left_to_a_larger_one_while_there_is_one(
    home: Home,
) -> None:
    worker = serving(home)
    assert ask(home).result(120)
    with home.database.begin() as db:
        db.exec_driver_sql("UPDATE expectation SET peak_bytes = 1000000000000000")
    engine = {"memory_budget": 10**18}
    larger = home.queue.register(devices=["cuda:0"])
    home.queue.beat(larger, status={"engines": [engine], "modalities": ["tile", "other"]})
    until(lambda: worker._most_bytes)
    job = ask(home)
    time.sleep(1.0)
    assert job.status is State.QUEUED
    home.queue.gone(larger)
    assert job.result(120)
    worker.stop()


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownDevice, match="no device 'cuda:99'; this machine has cpu"):
        checked_devices(["cuda:99"])
    assert checked_devices(["cpu", "cpu"]) == ["cpu"]
    assert checked_devices("cpu") == ["cpu"]
    assert checked_devices(None) is None
    assert find_devices()


def test_each_job_gets_the_engine_that_has_the_fewest() -> None:
    engines = Engines(["cpu", "cpu"])
    assert engines.count == 2
    with engines.lent() as first, engines.lent() as second:
        assert first is not second
    with engines.lent() as third:
        assert third in (first, second)
    engines.close()


# Telling


def test_plugins_hear_of_each_event_once(omnifex_home: Path) -> None:
    heard: list[Event] = []

    class Listening:
        @omnifex.hookimpl
        def job_event(self, event: Event) -> None:
            heard.append(event)
            raise RuntimeError("I break")

    host = PluginHost([tiles_plugin, Listening()], entry_points=False)
    with Studio(plugins=host, devices=["cpu"]) as studio:
        job = studio.submit("tile", prompt="red")
        assert job.result(120)
        until(lambda: heard and heard[-1].kind == "succeeded")
        assert heard == [event for event in job.events() if event.seq >= heard[0].seq]
        assert heard[0].kind == "running"
        (problem,) = studio.problems()
    assert "job_event raised RuntimeError: I break" in problem.message


def test_the_dead_are_known_by_their_process_and_their_silence(home: Home) -> None:
    worker_id = home.queue.register(devices=["cpu"])
    bury_the_dead(home.queue)  # this very process is alive
    assert [worker.id for worker in home.queue.workers()] == [worker_id]


def test_a_bell_wakes_who_waits_and_is_never_missed() -> None:
    bell = Bell()
    heard = bell.count
    bell.ring()
    bell.wait(heard, timeout=60)  # it rang before
    threading.Timer(0.01, bell.ring).start()
    bell.wait(bell.count, timeout=60)
    assert bell.count == 2
    bell.wait(bell.count, timeout=0)
