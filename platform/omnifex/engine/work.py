"""A job's work: the device seconds that it has had, and those that it still needs."""

from __future__ import annotations

from collections import Counter

from omnifex.engine.costs import CallKind, CostModel


class JobWork:
    """Counts a job's calls and steps, in the seconds that they take alone by the cost model.

    `whole` is the kind that jobs asked for in the same form are: what one of them took, the next is
    expected to take. A job of a new form is known by its steps, and until it has announced one it
    is taken to be half done.
    """

    def __init__(self, costs: CostModel, whole: CallKind | None = None) -> None:
        self._costs, self._whole = costs, whole
        self._calls: Counter[tuple[CallKind, int]] = Counter()
        self._before: Counter[tuple[CallKind, int]] = Counter()  # those of earlier stages
        self._steps = self._left = 0
        self._known = False
        self.done = self.remaining = 0.0
        self._estimate()

    @property
    def expected(self) -> float | None:
        """Seconds of the whole job; None until it has announced a step, or one like it is known."""
        return self.done + self.remaining if self._known else None

    def called(self, kind: CallKind, rows: int) -> None:
        """A call of this job is done, alone or joined with others."""
        self._calls[kind, rows] += 1
        self._estimate()

    def stage(self) -> None:
        """What follows says anew how many steps it has."""
        self._before = self._calls.copy()
        self._steps = self._left = 0
        self._estimate()

    def step(self, index: int, total: int) -> None:
        """Step `index` of `total` is done, counted from 1."""
        self._steps, self._left = index, max(0, total - index)
        self._estimate()

    def ended(self) -> None:
        """The job has made what it was asked for: the next of its form is known by it."""
        if self._whole and self._calls:
            self._costs.observe(self._whole, 1, self.done)

    def _estimate(self) -> None:
        self.done = self._seconds(self._calls)
        whole = self._costs.seconds(self._whole, 1) if self._whole else None
        self._known = self._known or whole is not None or self._steps > 0
        if not self._known:
            self.remaining = self.done
            return
        a_step = self._seconds(self._calls - self._before) / max(self._steps, 1)
        self.remaining = max(a_step * self._left, (whole or 0.0) - self.done)

    def _seconds(self, calls: Counter[tuple[CallKind, int]]) -> float:
        """By what is known now, so that a first slow call is forgotten."""
        each = ((self._costs.seconds(*call) or 0.0) * times for call, times in calls.items())
        return sum(each)
