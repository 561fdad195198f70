"""What a job's component calls come to: the part of its metrics that calls decide."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from omnifex.engine.watching.record import CallRecord


class CallSums:
    """Sums over the calls of one job; they go on however many there are."""

    def __init__(self) -> None:
        self._how: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._mates = 0
        self.peaks: dict[str, int] = {}  # bytes beside a component's weights that a call took
        self.waited = 0.0

    def add(self, record: CallRecord, job_id: str) -> None:
        self._how[record.how] += 1
        self.waited += record.queued.get(job_id, 0.0)
        if record.how == "ran":
            self._seconds[record.role] += record.run
            self._mates += len(record.jobs) - 1
            own = record.peak_bytes // len(record.jobs)
            self.peaks[record.component] = max(own, self.peaks.get(record.component, 0))

    def metrics(self) -> dict[str, Any]:
        """Seconds in the queue of the device and in each component, and who ran along."""
        ran = self._how["ran"]
        return {
            "wait_time": self.waited,
            "component_seconds": dict(self._seconds),
            "mean_batch": 1 + self._mates / ran if ran else 0.0,
            "calls_replayed": self._how["replayed"],
            "calls_remembered": self._how["remembered"],
        }
