"""How far a job is: stages with steps in, one number that never goes down out."""

from __future__ import annotations

import time

from omnifex.engine.scheduling.work import JobWork
from omnifex_jobs import Progress


class ProgressMeter:
    """Turns a job's stages and steps into Progress; a stage's share is known when it begins.

    The time that is left is the work that is left, at the pace that this stage had so far: a device
    that is shared gives a job less than a second of itself each second.
    """

    def __init__(self, work: JobWork) -> None:
        self._work = work
        self._stage, self._began = "starting", time.monotonic()
        self._from = self._until = self._value = 0.0

    def stage(self, name: str, until: float) -> Progress:
        """Enter a stage that ends when the share `until` of the whole job is done."""
        self._work.stage()
        self._stage, self._began = name, time.monotonic()
        self._from = self._value
        self._until = min(1.0, max(self._from, until))
        amount = self._work.amount
        known = amount.expected is not None
        return Progress(value=self._value, stage=name, eta=amount.remaining if known else None)

    def step(self, index: int, total: int) -> Progress:
        """Step `index` of `total` of this stage is done."""
        self._work.step(index, total)
        share = min(index / max(total, 1), 1.0)
        self._value = max(self._value, self._from + share * (self._until - self._from))
        return Progress(self._value, self._stage, index, total, self._eta(index, total))

    def _eta(self, index: int, total: int) -> float | None:
        """Seconds to the end; by the clock alone where the steps call no component."""
        spent = time.monotonic() - self._began
        done = self._work.stage_done
        if not done:
            return spent / index * (total - index) if index else None
        return self._work.amount.remaining * max(1.0, spent / done)
