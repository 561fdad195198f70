"""Two ways to do one thing, timed by turns, with the noise of the machine beside them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Milliseconds of each run: of the process's CPU, and of the clock on the wall."""

    cpu: Sequence[float]
    wall: Sequence[float]


@dataclass(frozen=True)
class Figure:
    """One measure of two ways, in milliseconds; `noise` is what the baseline differs from itself.

    Ratios are of equal statistics: the least of many runs, which no neighbour on the machine can
    make smaller, or the median of what each round says by itself, which no drift can touch.
    """

    baseline: float
    ours: float
    ratio: float
    noise: float


@dataclass(frozen=True)
class Comparison:
    """The same work done by the baseline, by us, and by the baseline once more."""

    baseline: Times
    ours: Times
    again: Times

    def least(self, measure: str = "cpu") -> Figure:
        first, ours, second = (min(column) for column in self._columns(measure))
        baseline = (first + second) / 2
        return Figure(baseline, ours, ours / baseline, spread(first, second))

    def median(self, measure: str = "cpu") -> Figure:
        first, ours, second = self._columns(measure)
        rounds = list(zip(first, ours, second, strict=True))
        return Figure(
            statistics.median([*first, *second]),
            statistics.median(ours),
            statistics.median(2 * b / (a + c) for a, b, c in rounds),
            spread(1.0, statistics.median(c / a for a, _, c in rounds)),
        )

    def _columns(self, measure: str) -> list[Sequence[float]]:
        return [getattr(times, measure) for times in (self.baseline, self.ours, self.again)]


def spread(one: float, other: float) -> float:
    """By what factor the larger exceeds the smaller."""
    return max(one, other) / min(one, other)


def side_by_side(baseline: Work, ours: Work, rounds: int, warm_up: int = 2) -> Comparison:
    """Run baseline, ours and baseline by turns; each round begins with another of the three."""
    works = (baseline, ours, baseline)
    for _ in range(warm_up):
        baseline()
        ours()
    columns: list[list[tuple[float, float]]] = [[], [], []]
    for turn in range(rounds):
        for place in range(3):
            column = (turn + place) % 3
            columns[column].append(timed(works[column]))
    return Comparison(*(times(column) for column in columns))


def timed(work: Work) -> tuple[float, float]:
    """CPU and wall milliseconds, with the garbage collector's pauses left out of both."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000
    finally:
        gc.enable()


def times(column: Sequence[tuple[float, float]]) -> Times:
    return Times([cpu for cpu, _ in column], [wall for _, wall in column])
