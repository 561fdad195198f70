"""How far a job is: stages with steps in, one number that never goes down out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping

from omnifex.engine.scheduling.work import JobWork
from omnifex_jobs import Progress

ETA_AGAIN_S = 0.1  # nobody sees it change faster, and working it out is as much as a small call


class ProgressMeter:
    """Turns a job's stages and steps into Progress; a stage's share is known when it begins.

    The time that is left is the work that is left, at the pace that this stage had so far: a device
    that is shared gives a job less than a second of itself each second.
    """

    def __init__(self, work: JobWork) -> None:
        self._work = work
        self._stage, self._began = "starting", time.monotonic()
        self._spent: defaultdict[str, float] = defaultdict(float)  # in each stage before this one
        self._from = self._until = self._value = 0.0
        self._eta: float | None = None
        self._eta_at = 0.0
        self._part, self._parts = 0, 1

    def part(self, index: int, total: int) -> None:
        """The stages that follow are those of part `index` of `total`, which take equal shares."""
        self._part, self._parts = index, total

    def stage(self, name: str, until: float) -> Progress:
        """Enter a stage that ends when the share `until` of the job, or of its part, is done."""
        self._work.stage()
        self._spent[self._stage] += time.monotonic() - self._began
        self._stage, self._began = name, time.monotonic()
        self._from, self._eta_at = self._value, 0.0
        self._until = min(1.0, max(self._from, (self._part + until) / self._parts))
        amount = self._work.amount
        known = amount.expected is not None
        return Progress(self._value, self._shown, eta=amount.remaining if known else None)

    def step(self, index: int, total: int) -> Progress:
        """Step `index` of `total` of this stage is done."""
        self._work.step(index, total)
        share = min(index / max(total, 1), 1.0)
        self._value = max(self._value, self._from + share * (self._until - self._from))
        now = time.monotonic()
        if now > self._eta_at + ETA_AGAIN_S or index >= total:
            self._eta, self._eta_at = self._time_left(now - self._began, index, total), now
        return Progress(self._value, self._shown, index, total, self._eta)

    @property
    def _shown(self) -> str:
        """The stage, and which part it is of: "sampling 2/4"."""
        return f"{self._stage} {self._part + 1}/{self._parts}" if self._parts > 1 else self._stage

    def seconds(self) -> Mapping[str, float]:
        """What each stage has taken so far, this one included, in their order."""
        now = {self._stage: self._spent[self._stage] + time.monotonic() - self._began}
        return {**self._spent, **now}

    def _time_left(self, spent: float, index: int, total: int) -> float | None:
        """Seconds to the end; by the clock alone where the steps call no component."""
        done = self._work.stage_done
        if not done:
            return spent / index * (total - index) if index else None
        return self._work.amount.remaining * max(1.0, spent / done)
