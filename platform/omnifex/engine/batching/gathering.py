"""The calls that wait for the device, gathered so that those who come together run together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.scheduling.costs import CostModel
from omnifex.errors import Canceled

PATIENCE_S = 0.02  # for the next call, counted from the latest that came or was answered
CHOICE = 0.1  # the share of a call's seconds that the device may idle for a better choice
SAVES = 0.1  # the least part of its own seconds that a call must save by joining, to be awaited


class Gathering:
    """Waits briefly for the jobs that were answered last: they are about to ask again.

    Without that a batch falls apart: the first to come back would run alone, and all others after
    it, by turns. And the job that was chosen because it is the shortest, or the most urgent, would
    have to let another one go first before each of its calls.
    """

    def __init__(self, costs: CostModel) -> None:
        self.waiting: list[ComponentCall] = []
        self._costs = costs
        self._expected: set[JobContext] = set()
        self._answered_at = 0.0
        self._changed = threading.Condition()
        self._closed = False

    def add(self, call: ComponentCall) -> None:
        """A job asks; Canceled where nobody will answer."""
        with self._changed:
            if self._closed:
                raise Canceled
            self.waiting.append(call)
            self._expected.discard(call.job)
            if len(self.waiting) == 1 or not self._expected:
                self._changed.notify()

    def drop(self, call: ComponentCall) -> None:
        """The job no longer wants an answer."""
        with self._changed:
            if call in self.waiting:
                self.waiting.remove(call)

    def expect(self, job: JobContext) -> None:
        """The job is answered now, and may soon ask again."""
        with self._changed:
            self._expected.add(job)
            self._answered_at = time.monotonic()

    def left(self, job: JobContext) -> None:
        """The job ends: it asks no more."""
        with self._changed:
            self._expected.discard(job)
            if not self._expected:
                self._changed.notify()

    def close(self) -> None:
        """Take no more calls."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def gathered(self) -> list[ComponentCall]:
        """The calls that wait, once there are any and nobody else is worth waiting for.

        None once closed.
        """
        with self._changed:
            while not (self.waiting or self._closed) or self._worth_waiting():
                self._changed.wait(self._patience() if self.waiting else None)
            self._expected.clear()
            return list(self.waiting)

    def taken(self, calls: Sequence[ComponentCall]) -> list[ComponentCall]:
        """These calls, to run now; without those that were canceled meanwhile."""
        with self._changed:
            there = [call for call in calls if call in self.waiting]
            for call in there:
                self.waiting.remove(call)
        return [call for call in there if call.future.set_running_or_notify_cancel()]

    def _worth_waiting(self) -> bool:
        return bool(self.waiting and self._expected) and self._patience() > 0

    def _patience(self) -> float:
        """Seconds for which the next call may still come."""
        latest = self.waiting[-1]
        alone = self._costs.seconds(latest.kind, latest.rows) or 0.0
        patience = PATIENCE_S if self._saves(latest) else min(PATIENCE_S, CHOICE * alone)
        return max(latest.asked_at, self._answered_at) + patience - time.monotonic()

    def _saves(self, call: ComponentCall) -> bool:
        """Whether one more such call would cost less in a batch, as far as that was tried."""
        alike = [one for one in self.waiting if one.signature is call.signature]
        kind, rows = call.kind, len(alike) * call.rows
        if rows + call.rows > self._costs.most_rows(kind):
            return True
        alone, now, then = (
            self._costs.seconds(kind, n) or 0.0 for n in (call.rows, rows, rows + call.rows)
        )
        return then - now <= (1 - SAVES) * alone
