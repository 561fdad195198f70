"""Families, listeners and jobs that the engine's tests are made of."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from dots_plugin import Dots, DotsRequest

import omnifex
from omnifex.engine.context import JobContext, Listener
from omnifex.engine.engine import Assignment, Engine, RunningJob
from omnifex.engine.model import LoadedModel
from omnifex.workbench import Workbench
from omnifex_jobs import Progress
from omnifex_registry import Model


class Free(omnifex.Family[DotsRequest]):
    """A family that runs the function it is given."""

    name, modality = "free", "dots"

    def __init__(self, body: Callable[[JobContext, LoadedModel], Any]) -> None:
        self.body = body

    def recognises(self, model: Model) -> bool:
        return True

    def generate(self, job: JobContext, request: DotsRequest, model: LoadedModel) -> Any:
        return self.body(job, model)


class Heard(Listener):
    """Keeps what it hears, and may act on it."""

    def __init__(self, act: Callable[[Progress], object] = lambda progress: None) -> None:
        self.progresses: list[Progress] = []
        self.notes: list[str] = []
        self.act = act

    def progress(self, progress: Progress) -> None:
        self.progresses.append(progress)
        self.act(progress)

    def note(self, text: str) -> None:
        self.notes.append(text)


def dots(bench: Workbench, seed: int = 1, **fields: Any) -> Assignment:
    return bench.assignment("dots", prompt="three dots", seed=seed, **fields)


def free(bench: Workbench, body: Callable[[JobContext, LoadedModel], Any]) -> Assignment:
    return replace(dots(bench), family=Free(body))


def call(model: LoadedModel) -> torch.Tensor:
    """One call of the backbone, with any tensors."""
    result: torch.Tensor = model["backbone"](torch.ones(1, 2), torch.ones(1), torch.zeros(1, 2))
    return result


def two_jobs_with_one_call_running(
    bench: Workbench, engine: Engine
) -> tuple[list[RunningJob], threading.Event]:
    """Job "running" is in the device's thread until the event is set; job "waiting" is next."""
    begun, go_on = threading.Event(), threading.Event()

    def during() -> None:
        begun.set()
        go_on.wait(10)

    def once(job: JobContext, model: LoadedModel) -> torch.Tensor:
        if job.id == "running":
            wait_until(lambda: engine.baton.jobs == 2)
        return call(model)

    Dots.during = staticmethod(during)
    jobs = [engine.start(replace(free(bench, once), id="running"))]
    wait_until(lambda: engine.baton.jobs == 1)
    jobs.append(engine.start(replace(free(bench, once), id="waiting")))
    assert begun.wait(10)
    wait_until(lambda: len(engine.dispatcher.waiting) == 1)
    return jobs, go_on


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.001)
