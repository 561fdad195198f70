"""Priority, deadline, pause and the time that is left: from submit to the device and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
from dots_plugin import Dots
from engine_cases import Free, Heard, call, dots, free, wait_until
from studio_cases import open_tiles

from omnifex.engine.context import JobContext
from omnifex.engine.engine import Engine
from omnifex.engine.model import LoadedModel
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.scheduling.work import JobWork
from omnifex.engine.watching.progress import ETA_AGAIN_S, ProgressMeter
from omnifex.errors import Canceled
from omnifex.home import Home, open_home
from omnifex.order import checked_order
from omnifex.submission import submit
from omnifex.workbench import Workbench
from omnifex.worker.preparation import prepare

STEP, DECODE = (CallKind("backbone", method, "4") for method in ("__call__", "decode"))
FORM = CallKind("dots/dots-1", "job", "steps=4")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    Dots.calls.clear()
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    import tiles_plugin

    home = open_home(tmp_path, [tiles_plugin])
    yield home
    home.close()


def work(*, seen: bool) -> JobWork:
    """A job's work where a step takes 2 s and decoding 3 s, in a form that was seen or not."""
    costs = CostModel()
    costs.observe(STEP, 1, 2.0)
    costs.observe(DECODE, 1, 3.0)
    if seen:
        costs.observe(FORM, 1, 11.0)
    return JobWork(costs, FORM)


# From submit to the job


@pytest.mark.parametrize("form", [int, float, timedelta, datetime])
def test_a_deadline_reaches_the_job_in_whatever_form_it_is_given(home: Home, form: type) -> None:
    span = timedelta(seconds=90)
    deadline: Any = datetime.now(UTC) + span if form is datetime else span
    if form in (int, float):
        deadline = form(span.total_seconds())
    order = checked_order(priority=3, deadline=deadline)
    job = prepare(home, submit(home, "tile", {"prompt": "red"}, None, order))
    assert job.priority == 3
    assert job.deadline is not None
    assert job.deadline - job.arrived == pytest.approx(90, abs=30)
    assert job.arrived == pytest.approx(time.monotonic(), abs=30)


def test_a_job_that_waited_for_its_time_came_when_that_came(home: Home) -> None:
    order = checked_order(delay=60)
    job = prepare(home, submit(home, "tile", {"prompt": "red"}, None, order))
    assert job.arrived == pytest.approx(time.monotonic() + 60, abs=30)
    assert job.deadline is None


def test_a_studio_tells_the_deadline_and_makes_a_late_job_all_the_same(tmp_path: Path) -> None:
    with open_tiles(tmp_path) as studio:
        job = studio.submit("tile", prompt="red", deadline=0.001)
        assert job.result(60)
        assert job.record.deadline_at is not None
        assert studio.replay(job.id).record.deadline_at is None


# The work of a job


def test_a_job_of_a_new_form_is_known_once_it_has_announced_a_step() -> None:
    job = work(seen=False)
    job.called(STEP, 1)
    assert (job.amount.done, job.amount.remaining, job.amount.expected) == (2.0, 2.0, None)
    job.step(1, 4)
    assert (job.amount.done, job.amount.remaining, job.amount.expected) == (2.0, 6.0, 8.0)


def test_a_job_of_a_form_that_was_seen_is_known_from_the_start() -> None:
    job = work(seen=True)
    assert (job.amount.remaining, job.amount.expected) == (11.0, 11.0)
    for index in range(1, 5):
        job.called(STEP, 1)
        job.step(index, 4)
    assert job.amount.remaining == 3.0  # decoding, which no step announces
    job.stage()
    job.called(DECODE, 1)
    assert (job.amount.done, job.amount.remaining) == (11.0, 0.0)


def test_a_job_that_ends_teaches_its_form() -> None:
    costs = CostModel()
    costs.observe(STEP, 1, 2.0)
    first = JobWork(costs, FORM)
    first.called(STEP, 1)
    first.ended()
    assert JobWork(costs, FORM).amount.expected == 2.0


def test_a_slow_first_call_is_forgotten_in_what_was_done() -> None:
    costs = CostModel()
    job = JobWork(costs)
    for seconds in (50.0, 1.0):
        costs.observe(STEP, 1, seconds)
        job.called(STEP, 1)
    assert job.amount.done == 2.0


def test_the_time_left_is_the_work_left_at_the_pace_so_far() -> None:
    job = work(seen=True)
    meter = ProgressMeter(job)
    assert meter.stage("sampling", until=0.9).eta == 11.0
    job.called(STEP, 1)
    assert meter.step(1, 4).eta == 9.0  # the clock stood still: no faster than alone
    meter._began -= 8.0  # four times as long as alone
    assert meter.step(1, 4).eta == 9.0  # it was worked out a moment ago
    meter._eta_at -= ETA_AGAIN_S
    assert meter.step(1, 4).eta == pytest.approx(36.0, rel=0.1)


def test_steps_without_calls_are_timed_by_the_clock() -> None:
    meter = ProgressMeter(JobWork(CostModel()))
    assert meter.stage("thinking", until=0.9).eta is None
    assert meter.step(0, 4).eta is None
    meter._began -= 5.0
    meter._eta_at -= ETA_AGAIN_S
    assert meter.step(1, 4).eta == pytest.approx(15.0, rel=0.1)


def test_the_second_job_of_a_form_knows_its_end_from_the_first(
    bench: Workbench, engine: Engine
) -> None:
    first, second = Heard(), Heard()
    engine.run(dots(bench, steps=4), first)
    engine.run(dots(bench, seed=2, steps=4), second)
    assert first.progresses[0].eta is None
    assert all(progress.eta is not None for progress in second.progresses)
    assert dots(bench, steps=4).form == dots(bench, seed=9, steps=4).form
    assert dots(bench, steps=5).form != dots(bench, steps=4).form


# The device


def steps(count: int, order: list[str]) -> Callable[[JobContext, LoadedModel], Any]:
    """A body of so many calls, each told in the order."""

    def body(job: JobContext, model: LoadedModel) -> Any:
        for index in range(count):
            result = call(model)
            order.append(job.id)
            job.step(index + 1, count)
        return result

    return body


def test_a_more_urgent_job_goes_first_at_the_next_call(bench: Workbench, engine: Engine) -> None:
    Dots.during = staticmethod(lambda: time.sleep(0.05))
    order: list[str] = []
    apart = dots(bench, deterministic=True)  # they do not join
    meek = replace(apart, family=Free(steps(24, order)), id="meek")
    urgent = replace(apart, family=Free(steps(8, order)), id="urgent", priority=1)
    first = engine.start(meek)
    wait_until(lambda: len(order) >= 2)
    engine.start(urgent).result(60)
    first.result(60)
    began = order.index("urgent")
    ended = len(order) - order[::-1].index("urgent")
    assert order[began:ended].count("meek") < 4  # by turns it would be seven


def test_a_paused_job_waits_at_its_next_call_while_others_go_on(
    bench: Workbench, engine: Engine
) -> None:
    order: list[str] = []
    running = engine.start(replace(free(bench, steps(3, order)), id="paused"))
    running.pause()
    running.pause()
    other = engine.start(replace(free(bench, steps(3, order)), id="other"))
    other.result(60)
    assert order.count("other") == 3
    assert order.count("paused") <= 3
    running.resume()
    running.resume()
    assert running.result(60).files
    assert order.count("paused") == 3


def test_a_paused_job_can_be_canceled(bench: Workbench, engine: Engine) -> None:
    def body(job: JobContext, model: LoadedModel) -> Any:
        job.pause()
        return call(model)

    running = engine.start(free(bench, body))
    wait_until(lambda: running.job.paused is not None)
    assert not running.done()
    running.cancel()
    with pytest.raises(Canceled):
        running.result(60)
    running.pause()  # too late, and harmless
    assert running.job.paused is None
