import threading
from collections.abc import Iterator
from pathlib import Path

import dots_plugin
import pytest
import torch
from dots_plugin import Dots
from engine_cases import Heard, call, dots, free, two_jobs_with_one_call_running

from omnifex.engine.context import JobContext
from omnifex.engine.engine import Engine
from omnifex.engine.model import LoadedModel
from omnifex.errors import Canceled
from omnifex.workbench import Workbench
from omnifex_jobs import Progress


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    Dots.calls.clear()
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


def test_a_canceled_job_stops_at_the_next_call(bench: Workbench, engine: Engine) -> None:
    def cancel_at_three(progress: Progress) -> None:
        if progress.step == 3:
            running.cancel()

    started = threading.Event()
    Dots.during = staticmethod(lambda: started.wait(5))
    running = engine.start(dots(bench, steps=200), Heard(cancel_at_three))
    started.set()
    with pytest.raises(Canceled):
        running.result(30)
    assert len(Dots.calls) == 3


def test_a_job_canceled_during_a_call_makes_no_other(bench: Workbench, engine: Engine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def during() -> None:
        begun.set()
        go_on.wait(5)

    Dots.during = staticmethod(during)
    running = engine.start(dots(bench, steps=200))
    assert begun.wait(30)
    running.cancel()
    go_on.set()
    with pytest.raises(Canceled):
        running.result(30)
    assert len(Dots.calls) == 1


def test_a_job_canceled_while_its_call_waits_ends_at_once(bench: Workbench, engine: Engine) -> None:
    jobs, go_on = two_jobs_with_one_call_running(bench, engine)
    waiting = next(job for job in jobs if job.job.id == "waiting")
    waiting.cancel()
    with pytest.raises(Canceled):
        waiting.outcome.result(10)
    go_on.set()
    for job in jobs:
        job.outcome.exception(10)
    assert len(Dots.calls) == 1


def test_an_except_clause_does_not_swallow_a_cancel(bench: Workbench, engine: Engine) -> None:
    def stubborn(job: JobContext, model: LoadedModel) -> torch.Tensor:
        job.cancel()
        try:
            return call(model)
        except Exception:
            return torch.zeros(1)

    with pytest.raises(Canceled):
        engine.run(free(bench, stubborn))


def test_a_closing_engine_cancels_what_runs(bench: Workbench) -> None:
    begun = threading.Event()
    Dots.during = staticmethod(begun.set)
    with Engine() as engine:
        jobs = [engine.start(dots(bench, seed, steps=1000)) for seed in range(3)]
        assert begun.wait(30)
    assert {type(job.outcome.exception(1)) for job in jobs} == {Canceled}
    assert engine.residents() == []
