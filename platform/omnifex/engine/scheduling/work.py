"""A job's work: the device seconds that it has had, and those that it still needs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from omnifex.engine.scheduling.costs import CallKind, CostModel

Calls = Counter[tuple[CallKind, int]]  # kind and rows


@dataclass(frozen=True, slots=True)
class Amount:
    """Device seconds; `expected` of the whole job, None until it has told enough."""

    done: float
    remaining: float
    expected: float | None


class JobWork:
    """Counts a job's calls and steps, in the seconds that they take alone by the cost model.

    `whole` is the kind that jobs asked for in the same form are: what one of them took, the next is
    expected to take. A job of a new form is known by its steps, and until it has announced one it
    is taken to be half done.
    """

    def __init__(self, costs: CostModel, whole: CallKind | None = None) -> None:
        self._costs, self._whole = costs, whole
        self._calls, self._stage_calls = Calls(), Calls()
        self._before = 0.0  # seconds of all stages before this one
        self._steps = self._left = 0
        self._known = False
        self._amount: Amount | None = None
        self._stage_done: float | None = None

    def called(self, kind: CallKind, rows: int) -> None:
        """A call of this job is answered, alone or joined with others."""
        self._stage_calls[kind, rows] += 1
        self._amount = self._stage_done = None

    def stage(self) -> None:
        """What follows says anew how many steps it has."""
        self._calls += self._stage_calls
        self._before = self._seconds(self._calls)
        self._stage_calls.clear()
        self._steps = self._left = 0
        self._amount = self._stage_done = None

    def step(self, index: int, total: int) -> None:
        """Step `index` of `total` of this stage is done, counted from 1."""
        self._steps, self._left = index, max(0, total - index)
        self._known = True
        self._amount = None

    def ended(self) -> None:
        """The job has made what it was asked for: the next of its form is known by it."""
        self.stage()
        if self._whole and self._calls:
            self._costs.observe(self._whole, 1, self._before)

    @property
    def amount(self) -> Amount:
        """How much was done and is left, by what is known now: a first slow call is forgotten."""
        if self._amount is None:
            self._amount = self._measured()
        return self._amount

    @property
    def stage_done(self) -> float:
        """Device seconds of this stage."""
        if self._stage_done is None:
            self._stage_done = self._seconds(self._stage_calls)
        return self._stage_done

    def _measured(self) -> Amount:
        done = self._before + self.stage_done
        whole = self._costs.seconds(self._whole, 1) if self._whole else None
        if whole is None and not self._known:
            return Amount(done, done, None)
        steps = self.stage_done / self._steps * self._left if self._steps else 0.0
        remaining = max(steps, (whole or 0.0) - done)
        return Amount(done, remaining, done + remaining)

    def _seconds(self, calls: Calls) -> float:
        seconds = 0.0
        for (kind, rows), times in calls.items():
            seconds += (self._costs.seconds(kind, rows) or 0.0) * times
        return seconds
