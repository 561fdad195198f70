"""How far a job is: stages with steps in, one number that never goes down out."""

from __future__ import annotations

import time

from omnifex_jobs import Progress


class ProgressMeter:
    """Turns a job's stages and steps into Progress; a stage's share is known when it begins."""

    def __init__(self) -> None:
        self._stage, self._began = "starting", time.monotonic()
        self._from = self._until = self._value = 0.0

    def stage(self, name: str, until: float) -> Progress:
        """Enter a stage that ends when the share `until` of the whole job is done."""
        self._stage, self._began = name, time.monotonic()
        self._from = self._value
        self._until = min(1.0, max(self._from, until))
        return Progress(value=self._value, stage=name)

    def step(self, index: int, total: int) -> Progress:
        """Step `index` of `total` of this stage is done; the rest is taken to be as fast."""
        share = min(index / max(total, 1), 1.0)
        self._value = max(self._value, self._from + share * (self._until - self._from))
        spent = time.monotonic() - self._began
        eta = spent / index * (total - index) if index else None
        return Progress(self._value, self._stage, index, total, eta)
