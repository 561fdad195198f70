"""The supervisor and its processes: each dies, hangs or is told to stop, and no job minds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select
from studio_cases import TESTS, install_tiles, open_tiles, open_tiles_home, process, tiles, until

from omnifex.device import UnknownDevice
from omnifex.home import Home, open_home
from omnifex.job import Job
from omnifex.order import Order
from omnifex.submission import submit
from omnifex.worker.device_process import died_of
from omnifex.worker.space import Floor
from omnifex.worker.supervisor import Supervisor, device_slots
from omnifex.worker.worker import Worker
from omnifex_jobs import Claim, State
from omnifex_jobs.database.schema import job_attempt

WORKER = ("-m", "omnifex", "worker", "--device", "cpu:0", "--device", "cpu:1")
Serve = Callable[..., Supervisor]


@pytest.fixture
def home() -> Iterator[Home]:
    home = open_home(None, tiles())
    yield home
    home.close()


@pytest.fixture
def serve(home: Home) -> Iterator[Serve]:
    """Starts supervisors of the home, which stop with the test."""
    started: list[Supervisor] = []

    def begin(*slots: str, **options: float) -> Supervisor:
        opener = partial(open_tiles_home, home.folder)
        supervisor = Supervisor(home, opener, slots or ["cpu:0"], **options)  # type: ignore[arg-type]
        supervisor.start()
        started.append(supervisor)
        return supervisor

    yield begin
    for supervisor in started:
        supervisor.stop()


def ask(home: Home, prompt: str = "red", **fields: object) -> Job:
    return Job(home, submit(home, "tile", {"prompt": prompt, **fields}, None, Order()).id)


def outcomes(job: Job) -> list[str | None]:
    return [attempt.outcome for attempt in job.home.queue.attempts(job.id)]


def holder(supervisor: Supervisor, job: Job) -> int:
    """The process that runs the job."""
    (pid,) = [
        one.pid
        for one in supervisor.processes
        if job.id in [claim.job.id for claim in one.running()]
    ]
    assert pid
    return pid


def running(one: psutil.Process) -> bool:
    """Not so where it waits to be buried, which nobody may do in a container."""
    return one.is_running() and one.status() != psutil.STATUS_ZOMBIE


# A process that dies or hangs


def test_the_jobs_of_a_killed_process_go_on_in_its_replacement_at_once(
    home: Home, serve: Serve
) -> None:
    supervisor = serve("cpu:0", "cpu:1", at_once=1)
    jobs = [ask(home, steps=40, pace=0.05) for _ in range(2)]
    until(lambda: all(job.progress.step > 0 for job in jobs))
    os.kill(holder(supervisor, jobs[0]), signal.SIGKILL)
    killed = time.time() * 1000
    assert all(job.wait(120).state is State.SUCCEEDED for job in jobs)
    assert outcomes(jobs[1]) == ["succeed"]
    assert outcomes(jobs[0]) == ["rescue", "succeed"]
    again = home.queue.attempts(jobs[0].id)[1].started_at
    assert again - killed < 15_000  # half a lease; how fast it is, `make faults` measures


def test_a_process_that_gives_no_sign_of_life_is_replaced(home: Home, serve: Serve) -> None:
    supervisor = serve(silent_s=2.0)
    job = ask(home, steps=20, pace=0.05)
    until(lambda: job.progress.step > 0)
    stopped = holder(supervisor, job)
    os.kill(stopped, signal.SIGSTOP)
    assert job.wait(120).state is State.SUCCEEDED
    assert not psutil.pid_exists(stopped)


def test_a_job_that_does_not_stop_is_ended_with_its_process_and_costs_its_mate_no_attempt(
    home: Home, serve: Serve
) -> None:
    serve(obey_s=0.5)
    deaf, mate = ask(home, "break the ears", steps=2), ask(home)
    until(lambda: deaf.status is mate.status is State.RUNNING)
    time.sleep(0.5)  # until it is deaf
    home.queue.cancel(deaf.id)
    assert deaf.wait(10).state is State.CANCELED
    assert mate.wait(120).state is State.SUCCEEDED
    assert outcomes(mate) == ["stop", "succeed"]
    assert mate.record.attempt == 1


# A process that is busy


def test_a_process_takes_the_next_job_as_it_ends_one(home: Home, serve: Serve) -> None:
    jobs = [ask(home, steps=2) for _ in range(6)]
    supervisor = serve(at_once=1)
    assert all(job.wait(120).state is State.SUCCEEDED for job in jobs)
    with home.database.begin() as db:
        tokens = {row.job_id: row.token for row in db.execute(select(job_attempt))}
    claims = [Claim(home.queue.get(job.id), tokens[job.id], 1) for job in jobs]
    followed = [one.successor == other.token for one, other in pairwise(claims)]
    assert any(followed)
    until(lambda: not supervisor.processes[0].running())


# A supervisor that stops


def test_what_runs_when_the_supervisor_stops_goes_back_and_keeps_its_attempt(
    home: Home, serve: Serve
) -> None:
    supervisor = serve("cpu:0", "cpu:1", at_once=1)
    jobs = [ask(home, steps=40, pace=0.05) for _ in range(2)]
    until(lambda: all(job.progress.step > 0 for job in jobs))
    pids = [one.pid for one in supervisor.processes]
    supervisor.stop()
    assert [(job.status, job.record.attempt) for job in jobs] == [(State.QUEUED, 0)] * 2
    assert not any(running(psutil.Process(pid)) for pid in pids if pid and psutil.pid_exists(pid))
    assert not home.queue.workers()


def test_no_process_is_left_when_the_supervisor_is_killed(
    omnifex_home: Path, tmp_path: Path
) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    with open_tiles(workers=0) as studio, process(*WORKER, path=path) as worker:
        job = studio.submit("tile", prompt="red", steps=300, pace=0.1)
        until(lambda: job.progress.step > 0)
        family = psutil.Process(worker.pid).children(recursive=True)
        assert len(family) >= 3  # the process that is forked, and its two forks
        worker.kill()
        until(lambda: not any(map(running, family)), seconds=5)


def test_a_whole_group_that_is_told_to_stop_gives_its_jobs_back(
    omnifex_home: Path, tmp_path: Path
) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    with open_tiles(workers=0) as studio, process(*WORKER, path=path) as worker:
        job = studio.submit("tile", prompt="red", steps=100, pace=0.05)
        until(lambda: job.progress.step > 0)
        family = psutil.Process(worker.pid).children(recursive=True)
        for one in [*family, worker]:  # as a terminal's Ctrl-C does
            one.send_signal(signal.SIGINT)
        worker.communicate(timeout=60)
        assert worker.returncode == 0
        assert (job.status, job.record.attempt) == (State.QUEUED, 0)


# Room and time


def test_jobs_wait_while_there_is_too_little_space(home: Home) -> None:
    job = ask(home)
    worker = Worker(home, devices=["cpu"], keep_free=10**18)
    worker.start()
    until(lambda: home.queue.workers()[0].status)
    (status,) = [seen.status for seen in home.queue.workers()]
    assert status is not None
    assert "jobs wait until there is more" in status["waits"]
    assert job.status is State.QUEUED
    worker._floor = Floor(home.folder, 0)  # somebody makes room
    assert job.result(120)
    worker.stop()


def another_connection(home: Home) -> Any:
    """By the home's own SQLite: two libraries in one process do not see each other's locks."""
    driver: Any = home.database.dialect.loaded_dbapi
    return driver.connect(home.folder / "omnifex.db", isolation_level=None)


def test_a_job_stops_before_its_lease_ends_where_it_cannot_be_renewed(home: Home) -> None:
    worker = Worker(home, devices=["cpu"], lease_s=4.0)
    worker.start()
    job = ask(home, steps=400, pace=0.02)  # 8 s
    until(lambda: job.progress.step > 0)
    with closing(another_connection(home)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody can write
        until(lambda: worker._held_at < time.monotonic() - 1.0)
        time.sleep(1.0)
    assert job.result(120)
    assert [attempt.outcome for attempt in home.queue.attempts(job.id)] == ["stop", "succeed"]
    worker.stop()


def test_a_worker_that_had_nothing_to_hold_for_long_does_not_stop_what_it_claims(
    home: Home,
) -> None:
    worker = Worker(home, devices=["cpu"], lease_s=4.0)
    worker.id = home.queue.register()
    worker._held_at -= 3.0  # when its last job ended
    job = ask(home)
    worker._claim()
    assert worker._held_at > time.monotonic() - 1.0
    assert job.result(120)
    worker.stop()


# Names


def test_the_cpu_may_be_named_several_times() -> None:
    assert device_slots(["cpu:0", "cpu:1", "cpu:0"]) == ["cpu:0", "cpu:1"]
    assert device_slots(["cpu"]) == ["cpu"]
    assert device_slots()
    with pytest.raises(UnknownDevice, match="no device 'cuda:99'"):
        device_slots(["cpu:1", "cuda:99"])


def test_how_a_process_died_is_said_in_words() -> None:
    assert died_of(-11) == "was killed by SIGSEGV"
    assert died_of(3) == "ended with code 3"
