"""Looks at unfinished work: when a job may give one, so that they cost it next to nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from omnifex.engine.watching.sums import CallSums

SHARE = 0.02  # of a job's time so far, for all its previews together
FIRST_S = 1.0  # shorter jobs show none
UNKNOWN_S = 5.0  # before a preview whose cost nobody knows yet

log = logging.getLogger("omnifex.engine")


class Previews:
    """The previews of one job; `costs` are the seconds that one took, by kind, of all jobs."""

    def __init__(self, costs: MutableMapping[str, float]) -> None:
        self._costs = costs
        self._began = time.monotonic()
        self.spent = 0.0
        self._wanted = True

    def due(self, kind: str) -> bool:
        """Whether the next one stays within the share, going by what the last of its kind took."""
        ran = time.monotonic() - self._began
        if not self._wanted or ran < FIRST_S:
            return False
        cost = self._costs.get(kind)
        return ran >= UNKNOWN_S if cost is None else self.spent + cost <= SHARE * ran

    def taken(self, kind: str, draw: Callable[[], Any], sums: CallSums) -> Any:
        """What `draw` gives, measured but for its wait; after a failure or a None no more of it."""
        began, waited = time.perf_counter(), sums.waited
        try:
            pixels = draw()
        except Exception:
            log.warning("a preview of %s failed; the job goes on without", kind, exc_info=True)
            pixels = None
        cost = time.perf_counter() - began - (sums.waited - waited)
        self._costs[kind] = max(0.0, cost)
        self.spent += self._costs[kind]
        self._wanted = pixels is not None
        return pixels
