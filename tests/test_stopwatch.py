"""Timing calls: on a CPU as they run, on an accelerator by its own events, a call later."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from omnifex.engine.watching.stopwatch import Stopwatch


class Accelerator:
    """A device that works behind: what it is handed takes its time, when somebody waits for it."""

    def __init__(self) -> None:
        self.handed: list[Any] = []  # events, and seconds of work
        self.now = 0.0

    def event(self, device: torch.device, enable_timing: bool) -> Event:
        assert enable_timing
        return Event(self)

    def work(self, event: Event | None = None) -> None:
        """Do all that was handed to it, up to this event."""
        while self.handed and (event is None or event.at is None):
            item = self.handed.pop(0)
            if isinstance(item, Event):
                item.at = self.now
            else:
                self.now += item

    @property
    def behind(self) -> int:
        """Calls that are not done."""
        return sum(isinstance(item, float) for item in self.handed)


class Event:
    """As torch.Event, in the accelerator's time."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.at: float | None = None

    def record(self) -> None:
        self.accelerator.handed.append(self)

    def query(self) -> bool:
        return self.at is not None

    def synchronize(self) -> None:
        self.accelerator.work(self)

    def elapsed_time(self, other: Event) -> float:
        assert self.at is not None
        assert other.at is not None
        return (other.at - self.at) * 1000


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Accelerator:
    accelerator = Accelerator()
    monkeypatch.setattr(torch, "Event", accelerator.event)
    return accelerator


def run(stopwatch: Stopwatch, accelerator: Accelerator, seconds: float, told: list[float]) -> None:
    with stopwatch.timing(told.append):
        accelerator.handed.append(seconds)


def test_an_accelerator_is_never_more_than_two_calls_behind(accelerator: Accelerator) -> None:
    stopwatch, told = Stopwatch(torch.device("cuda")), list[float]()
    behind = []
    for seconds in (1.0, 2.0, 4.0, 8.0):
        run(stopwatch, accelerator, seconds, told)
        behind.append(accelerator.behind)
    assert behind == [1, 2, 2, 2]
    assert told == pytest.approx([1.0, 2.0])


def test_what_is_done_is_told_with_the_next_call(accelerator: Accelerator) -> None:
    stopwatch, told = Stopwatch(torch.device("cuda")), list[float]()
    run(stopwatch, accelerator, 3.0, told)
    accelerator.work()
    run(stopwatch, accelerator, 5.0, told)
    assert told == pytest.approx([3.0])


def test_a_call_that_fails_is_not_told(accelerator: Accelerator) -> None:
    told: list[float] = []
    for name in ("cpu", "cuda"):
        stopwatch = Stopwatch(torch.device(name))
        with pytest.raises(ZeroDivisionError), stopwatch.timing(told.append):
            raise ZeroDivisionError
        with stopwatch.timing(lambda seconds: None):
            pass
    assert told == []


def test_on_a_cpu_the_time_that_is_computed_counts() -> None:
    told: list[float] = []
    with Stopwatch(torch.device("cpu")).timing(told.append):
        sum(range(100_000))
    assert told[0] > 0
