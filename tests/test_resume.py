"""Jobs that go on where they were: in the engine, between workers, and after kill -9."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
import torch
from dots_plugin import Dots
from engine_cases import Heard, call, dots, free
from jobs_cases import small_disk
from studio_cases import process, until
from torch import Tensor

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.durability.recording import Diverged, JobJournal
from omnifex.engine.engine import Assignment, Outcome
from omnifex.engine.model import LoadedModel
from omnifex.engine.watching.previews import Previews
from omnifex.job import Job
from omnifex.plugins import PluginHost
from omnifex.studio import Studio
from omnifex.workbench import Workbench
from omnifex_jobs import State
from omnifex_jobs.files.journal import Journals

STEPS = 6
CALLS = STEPS + 1  # and the decoder's
OWNER = {"recipe": "sha256:1"}
SLOW_S = 0.04  # a call of the jobs below that a worker is stopped in
MANY = 40


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    Dots.calls.clear()
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


def run(bench: Workbench, assignment: Assignment, root: Path, **options: Any) -> Outcome:
    """One attempt at the job, by a worker that dies where the component raises Killed."""
    with closing(Journals(root).open("JOB", OWNER, lambda: True)) as journal:
        recorded = JobJournal(journal, **{"short_s": 0.0, **options})
        return bench.engine.run(replace(assignment, journal=recorded), Heard())


def dying(after: int) -> Callable[[], None]:
    """Lets the component answer so many calls, and kills the process in the next."""
    until = len(Dots.calls) + after

    def during() -> None:
        if len(Dots.calls) > until:
            raise Killed

    return during


def killed(bench: Workbench, assignment: Assignment, root: Path, after: int) -> None:
    Dots.during = staticmethod(dying(after))
    with pytest.raises(Killed):
        run(bench, assignment, root)
    Dots.during = staticmethod(lambda: None)
    Dots.calls.clear()


# In the engine


@pytest.mark.parametrize("after", [0, 1, STEPS - 1])
def test_a_job_goes_on_with_the_call_that_it_died_in(
    bench: Workbench, tmp_path: Path, after: int
) -> None:
    whole = bench.engine.run(dots(bench, steps=STEPS)).files
    killed(bench, dots(bench, steps=STEPS), tmp_path, after)
    resumed = run(bench, dots(bench, steps=STEPS), tmp_path)
    assert resumed.files == whole
    assert len(Dots.calls) == STEPS - after
    assert resumed.metrics["calls_replayed"] == after
    assert resumed.metrics["component_calls"] == CALLS - after
    assert 0 < resumed.metrics["journal_time"] < resumed.metrics["total_time"]


def test_a_job_may_die_again_and_again(bench: Workbench, tmp_path: Path) -> None:
    whole = bench.engine.run(dots(bench, steps=STEPS)).files
    for _ in range(STEPS - 1):
        killed(bench, dots(bench, steps=STEPS), tmp_path, 1)
    assert run(bench, dots(bench, steps=STEPS), tmp_path).files == whole
    assert len(Dots.calls) == 1


def test_a_resumed_job_draws_the_same_numbers(bench: Workbench, tmp_path: Path) -> None:
    def body(job: JobContext, model: LoadedModel) -> Tensor:
        x = job.randn((1, 4))
        for _ in range(4):
            x = model["backbone"](x, torch.ones(1), job.randn((1, 4))) + job.randn((1, 4))
        return x[0]

    whole = bench.engine.run(free(bench, body)).files
    killed(bench, free(bench, body), tmp_path, 2)
    assert run(bench, free(bench, body), tmp_path).files == whole


def test_a_short_job_writes_nothing(bench: Workbench, tmp_path: Path) -> None:
    root = tmp_path / "journals"
    assert run(bench, dots(bench, steps=STEPS), root, short_s=60.0).files
    assert not root.exists()


def test_a_job_that_is_thought_short_is_recorded_once_it_is_not(
    bench: Workbench, tmp_path: Path
) -> None:
    whole = run(bench, dots(bench, steps=STEPS), tmp_path / "once", short_s=60.0).files
    job, short_s = dots(bench, steps=STEPS), 0.05  # its calls are slower than the first time
    dies = dying(4)

    def during() -> None:
        time.sleep(0.02)
        dies()

    Dots.during = staticmethod(during)
    with pytest.raises(Killed):
        run(bench, job, tmp_path, short_s=short_s)
    Dots.during = staticmethod(lambda: None)
    resumed = run(bench, job, tmp_path, short_s=short_s)
    assert resumed.files == whole
    assert 0 < resumed.metrics["calls_replayed"] < 4


def test_a_short_job_with_large_outputs_writes_them(bench: Workbench, tmp_path: Path) -> None:
    root = tmp_path / "journals"
    assert run(bench, dots(bench, steps=STEPS), root, short_s=60.0, most_bytes=1000).files
    assert len(list(root.iterdir())) == 1


def test_a_call_with_other_inputs_is_noticed(bench: Workbench, tmp_path: Path) -> None:
    killed(bench, dots(bench, seed=1, steps=STEPS), tmp_path, 3)
    with pytest.raises(Diverged, match=r"its call 1, backbone \(Dots\), was another before"):
        run(bench, dots(bench, seed=2, steps=STEPS), tmp_path)


def test_another_call_is_noticed_even_where_every_error_is_swallowed(
    bench: Workbench, tmp_path: Path
) -> None:
    def first(job: JobContext, model: LoadedModel) -> Tensor:
        for _ in range(3):
            result = call(model)
        return result

    def second(job: JobContext, model: LoadedModel) -> Tensor:
        try:
            return model["backbone"].decode(torch.ones(1, 2))
        except Exception:
            return call(model)

    killed(bench, free(bench, first), tmp_path, 2)
    with pytest.raises(Diverged, match=r"its call 1, backbone\.decode"):
        run(bench, free(bench, second), tmp_path)


def test_a_job_that_makes_fewer_calls_than_before_is_noticed(
    bench: Workbench, tmp_path: Path
) -> None:
    def body(count: int) -> Assignment:
        return free(bench, lambda job, model: [call(model) for _ in range(count)][-1])

    killed(bench, body(5), tmp_path, 3)
    with pytest.raises(Diverged, match="it ended 2 calls earlier"):
        run(bench, body(1), tmp_path)


def test_what_cannot_be_written_is_computed_again(bench: Workbench, tmp_path: Path) -> None:
    seen: list[object] = []

    def body(job: JobContext, model: LoadedModel) -> Tensor:
        seen.append(model["backbone"].anything(torch.ones(1)))
        return call(model)

    class Anything:
        pass

    Dots.anything = lambda self, x: Anything()  # type: ignore[attr-defined]
    killed(bench, free(bench, body), tmp_path, 0)
    outcome = run(bench, free(bench, body), tmp_path)
    del Dots.anything  # type: ignore[attr-defined]
    assert outcome.metrics["calls_replayed"] == 0
    assert [type(one) for one in seen] == [Anything, Anything]


def test_a_call_that_draws_from_a_generator_draws_again(bench: Workbench, tmp_path: Path) -> None:
    def body(job: JobContext, model: LoadedModel) -> Tensor:
        noise = model["backbone"].noise(torch.ones(1, 4), job.generator)
        return model["backbone"](noise, torch.ones(1), job.randn((1, 4)))[0]

    Dots.noise = lambda self, x, g: torch.randn(x.shape, generator=g)  # type: ignore[attr-defined]
    whole = bench.engine.run(free(bench, body)).files
    killed(bench, free(bench, body), tmp_path, 0)
    resumed = run(bench, free(bench, body), tmp_path).files
    del Dots.noise  # type: ignore[attr-defined]
    assert resumed == whole


def test_a_call_with_a_generator_that_it_does_not_use_is_replayed(
    bench: Workbench, tmp_path: Path
) -> None:
    def body(job: JobContext, model: LoadedModel) -> Tensor:
        shown = model["backbone"].shown(torch.ones(1, 4), generator=job.generator)
        return model["backbone"](shown, torch.ones(1), job.randn((1, 4)))[0]

    Dots.shown = lambda self, x, generator: x + 1  # type: ignore[attr-defined]
    whole = bench.engine.run(free(bench, body)).files
    killed(bench, free(bench, body), tmp_path, 0)
    resumed = run(bench, free(bench, body), tmp_path)
    del Dots.shown  # type: ignore[attr-defined]
    assert resumed.files == whole
    assert resumed.metrics["calls_replayed"] == 1


def test_previews_leave_no_trace_in_the_journal(bench: Workbench, tmp_path: Path) -> None:
    class Looking(Heard):
        wants_previews = True

    class Always(Previews):
        def due(self, kind: str) -> bool:
            return True

    def body(job: JobContext, model: LoadedModel) -> Tensor:
        job.previews = Always({})
        job.preview("dots", lambda: call(model))
        return call(model)

    for listener in (Looking(), Heard()):
        with closing(Journals(tmp_path).open("JOB", OWNER, lambda: True)) as journal:
            job = replace(free(bench, body), journal=JobJournal(journal, short_s=0.0))
            assert bench.engine.run(job, listener).files
            found = len(journal)
    assert found == 1
    assert len(Dots.calls) == 2


def test_a_job_ends_well_where_there_is_no_room_for_its_journal(
    bench: Workbench, tmp_path: Path
) -> None:
    heard = Heard()

    def body(job: JobContext, model: LoadedModel) -> Tensor:
        for _ in range(3):
            large = model["backbone"].decode(torch.ones(1, 200_000))
        return large[0, :4]

    with (
        small_disk(tmp_path) as disk,
        closing(Journals(disk).open("JOB", OWNER, lambda: True)) as journal,
    ):
        recorded = JobJournal(journal, short_s=0.0, most_bytes=1_000_000)
        assert bench.engine.run(replace(free(bench, body), journal=recorded), heard).files
    assert heard.notes[0].startswith("What is computed from here on would not survive a crash.")


# Between workers


@pytest.fixture
def studio() -> Iterator[Studio]:
    host = PluginHost([dots_plugin], entry_points=False)
    with Studio(plugins=host, workers=0) as studio:
        yield studio
    Dots.during = staticmethod(lambda: None)


def ask(studio: Studio, **fields: Any) -> Job:
    return studio.submit("dots", prompt="many dots", seed=7, steps=MANY, **fields)


def undisturbed(studio: Studio) -> str:
    """What the same job makes that nobody stops; a studio serves it."""
    (artifact,) = ask(studio).result(120)
    return artifact.sha256


def recorded(job: Job) -> int:
    """How many bytes its journal has."""
    path = job.home.journals.root / f"{job.id}.journal"
    return path.stat().st_size if path.exists() else 0


def left(studio: Studio) -> list[Path]:
    return list(studio._home.journals.root.glob("*"))


def test_what_a_stopped_worker_has_computed_another_goes_on_from(omnifex_home: Path) -> None:
    Dots.during = staticmethod(lambda: time.sleep(SLOW_S))
    host = PluginHost([dots_plugin], entry_points=False)
    with Studio(plugins=host, devices=["cpu"]) as studio:
        job = ask(studio)
        until(lambda: recorded(job))
    with Studio(plugins=host, workers=0) as studio:
        job = studio.job(job.id)
        assert job.status is State.QUEUED
        assert recorded(job)
        studio.serve(["cpu"])
        (artifact,) = job.result(120)
        (resumed,) = [e.payload["calls"] for e in job.events() if e.kind == "resumed"]
        assert job.metrics["calls_replayed"] == resumed > 5
        assert job.metrics["component_calls"] == MANY + 1 - resumed
        Dots.during = staticmethod(lambda: None)
        assert artifact.sha256 == undisturbed(studio)
        until(lambda: not left(studio))


@pytest.mark.parametrize("end", ["cancel", "failure"])
def test_a_job_that_ends_badly_leaves_no_journal(studio: Studio, end: str) -> None:
    def during() -> None:
        time.sleep(SLOW_S)
        if end == "failure" and recorded(job):
            raise RuntimeError("enough")

    Dots.during = staticmethod(during)
    job = ask(studio)
    studio.serve(["cpu"])
    until(lambda: recorded(job))
    if end == "cancel":
        job.cancel()
    assert job.wait(120).state in (State.CANCELED, State.FAILED)
    until(lambda: not left(studio))


def test_a_job_that_does_not_repeat_itself_starts_over_and_says_so(omnifex_home: Path) -> None:
    attempts: list[int] = []

    class Changeable(dots_plugin.DotsFamily):
        """Its second attempt tells its backbone something else."""

        def condition(self, job: JobContext, request: Any, model: LoadedModel) -> omnifex.Condition:
            attempts.append(len(attempts))
            told = super().condition(job, request, model)
            return told if len(attempts) == 1 else omnifex.Condition(dict(told.positive))

    class Plugin:
        register_modalities = staticmethod(dots_plugin.register_modalities)
        register_models = staticmethod(dots_plugin.register_models)

        @omnifex.hookimpl
        def register_families(self) -> list[omnifex.Family[Any]]:
            return [Changeable()]

    Dots.during = staticmethod(lambda: time.sleep(SLOW_S))
    host = PluginHost([Plugin()], entry_points=False)
    with Studio(plugins=host, devices=["cpu"]) as studio:
        job = ask(studio)
        until(lambda: recorded(job))
    Dots.during = staticmethod(lambda: None)
    with Studio(plugins=host, devices=["cpu"]) as studio:
        job = studio.job(job.id)
        (artifact,) = job.result(120)
        assert any("did not repeat itself: its call 1, backbone" in note for note in job.notes)
        assert len(attempts) == 3
        assert artifact.sha256 == undisturbed(studio)
        assert job.metrics["calls_replayed"] == 0
        until(lambda: not left(studio))


# After kill -9

WORKER = f"""
import signal, time
import dots_plugin
from omnifex.home import open_home
from omnifex.plugins import PluginHost
from omnifex.worker.worker import Worker
dots_plugin.Dots.during = staticmethod(lambda: time.sleep({SLOW_S}))
host = PluginHost([dots_plugin], entry_points=False)
Worker(open_home(None, host), devices=["cpu"]).start()
signal.pause()
"""


def test_a_job_whose_worker_is_killed_goes_on_in_another_process(studio: Studio) -> None:
    job = ask(studio)
    with process("-c", WORKER) as worker:
        until(lambda: recorded(job))
        size = recorded(job)
        until(lambda: recorded(job) > size)
        worker.kill()
        worker.communicate()
    assert job.status is State.RUNNING
    studio.serve(["cpu"])
    (artifact,) = job.result(120)
    assert [one.outcome for one in job.home.queue.attempts(job.id)] == ["rescue", "succeed"]
    assert job.metrics["calls_replayed"] > 5
    assert job.metrics["component_calls"] + job.metrics["calls_replayed"] == MANY + 1
    assert artifact.sha256 == undisturbed(studio)
    until(lambda: not left(studio))
