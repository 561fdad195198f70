"""What a worker does when a job, its plugin, the disk or the database fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
import tiles_plugin
from sqlalchemy import Engine
from studio_cases import copy_model, open_tiles, process, tiles, until

from omnifex.home import Home, open_home
from omnifex.job import Job
from omnifex.order import Order
from omnifex.plugins import PluginHost
from omnifex.presence import bury_the_dead, dead
from omnifex.studio import Studio
from omnifex.submission import submit
from omnifex.worker.failure import job_error, retry_delay
from omnifex.worker.worker import Worker
from omnifex_jobs import (
    ArtifactStore,
    Claim,
    JobQueue,
    Report,
    State,
    StoredFile,
)
from omnifex_jobs.errors import DatabaseBusy, DiskFull


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


# Failures


def test_a_failing_job_ends_alone(studio: Studio) -> None:
    failing = studio.submit("tile", prompt="break the family")
    fine = studio.submit("tile", prompt="red")
    assert fine.result(120)
    error = failing.wait(120).error
    assert error is not None
    assert (error.code, error.retryable) == ("generation_failed", False)
    assert "RuntimeError: the family is broken" in error.message
    assert "\n" not in error.message
    assert studio.submit("tile", prompt="red").result(120)


def test_the_traceback_of_a_fault_is_kept_with_the_job(studio: Studio) -> None:
    job = studio.submit("tile", prompt="break the family")
    job.wait(120)
    (text,) = [e.payload["text"] for e in job.events() if e.kind == "traceback"]
    assert "tiles_plugin.py" in text


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("break the memory", "generation_failed"), ("break the encoder", "disk_full")],
)
def test_what_may_pass_is_tried_again_later(studio: Studio, prompt: str, code: str) -> None:
    job = studio.submit("tile", prompt=prompt)
    until(lambda: job.status is State.SCHEDULED)
    record = job.record
    assert record.error is not None
    assert (record.error.code, record.error.retryable) == (code, True)
    assert record.run_at is not None
    assert 4 < (record.run_at - record.created_at) / 1000 < 60
    job.cancel()


def test_the_delays_double_up_to_a_limit() -> None:
    busy = job_error(DatabaseBusy("here"), "there")
    delays = [retry_delay(busy, attempt) or 0 for attempt in (1, 2, 3, 20)]
    assert delays == pytest.approx([5, 10, 20, 300], rel=0.11)
    assert retry_delay(job_error(DiskFull("here"), "there"), 1) is not None
    assert retry_delay(job_error(ValueError("always so"), "there"), 1) is None


def test_what_nobody_expected_is_a_fault_of_ours() -> None:
    error = job_error(ZeroDivisionError("division\nby zero"), "there")
    assert error.code == "internal"
    assert error.message.startswith("ZeroDivisionError: division by zero; this is a fault")


class FullStore(ArtifactStore):
    """A store on a disk that is full until somebody makes room."""

    full = True

    def put(self, data: bytes | Path, *, suffix: str, media_type: str) -> StoredFile:
        if self.full:
            raise DiskFull(str(self.root))
        return super().put(data, suffix=suffix, media_type=media_type)


def test_a_job_waits_for_room_on_a_full_disk_and_loses_nothing(home: Home) -> None:
    before = ask(home)
    worker = serving(home)
    before.wait(120)
    worker.stop()
    full = replace(home, store=FullStore(home.store.root))
    job = ask(full)
    worker = serving(full)
    until(lambda: job.status is State.SCHEDULED)
    error = job.record.error
    assert error is not None
    assert error.code == "disk_full"
    assert "nothing was lost: free some space" in error.message
    assert not job.artifacts
    assert before.artifacts[0].verify()
    FullStore.full = False
    assert job.result(120)
    worker.stop()
    FullStore.full = True


def test_a_model_that_changed_since_submission_is_not_used(home: Home, tmp_path: Path) -> None:
    folder = copy_model(tmp_path / "mine")
    home.models.add(folder)
    job = Job(home, submit(home, "tile", {"prompt": "red"}, "mine", Order()).id)
    (folder / "backbone" / "config.json").write_text('{"new": 1}')
    home.models.add(folder)
    worker = serving(home)
    error = job.wait(120).error
    worker.stop()
    assert error is not None
    assert error.code == "model_changed"


def test_an_input_that_was_taken_away_fails_the_job(home: Home, tmp_path: Path) -> None:
    from PIL import Image

    job = ask(home, image=Image.new("RGB", (4, 4)))
    job.inputs[0].path.unlink()
    worker = serving(home)
    error = job.wait(120).error
    worker.stop()
    assert error is not None
    assert error.code == "artifact_missing"


def test_a_job_of_another_kind_is_no_input(omnifex_home: Path) -> None:
    host = PluginHost([tiles_plugin, dots_plugin], entry_points=False)
    with Studio(plugins=host, devices=["cpu"]) as studio:
        dots = studio.submit("dots", prompt="few")
        tile = studio.submit("tile", prompt="red", image=dots)
        error = tile.wait(120).error
    assert error is not None
    assert error.message == f"job {dots.id} made no tile, but dots; give a job of another modality."


# When the database or the disk has a bad moment


class UnsteadyQueue(JobQueue):
    """A queue whose database is busy the first time that each of these is asked for."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.unsteady = {"claim", "report", "succeed"}

    def _stumble(self, name: str) -> None:
        if name in self.unsteady:
            self.unsteady.remove(name)
            raise DatabaseBusy("here")

    def claim(self, *args: Any, **kwargs: Any) -> list[Claim]:
        self._stumble("claim")
        return super().claim(*args, **kwargs)

    def report(self, claim: Claim, said: Report) -> None:
        self._stumble("report")
        super().report(claim, said)

    def succeed(self, *args: Any, **kwargs: Any) -> None:
        self._stumble("succeed")
        super().succeed(*args, **kwargs)


def test_a_database_that_is_busy_for_a_moment_costs_no_job(home: Home) -> None:
    queue = UnsteadyQueue(home.database)
    unsteady = replace(home, queue=queue)
    job = ask(unsteady)
    worker = serving(unsteady)
    assert job.result(120)
    worker.stop()
    assert not queue.unsteady
    assert job.record.attempt == 1


def test_a_dead_process_frees_its_jobs_when_it_has_been_silent(home: Home) -> None:
    register = (
        "import sys; from studio_cases import open_tiles\n"
        "with open_tiles(workers=0) as studio: studio._home.queue.register()"
    )
    with process("-c", register) as child:
        child.communicate()
    (worker,) = home.queue.workers()
    assert dead(worker)
    assert not dead(replace(worker, host="elsewhere"))
    assert not dead(replace(worker, pid=os.getpid()))
    bury_the_dead(home.queue)
    assert len(home.queue.workers()) == 1  # it may be alive in another container
    until(lambda: bury_the_dead(home.queue) or not home.queue.workers())
