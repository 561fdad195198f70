"""Who hears of an engine's calls: its jobs, and whoever wants to know how busy it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from omnifex.engine.context import JobContext
from omnifex.engine.watching.record import CallRecord

WINDOW_S = 5.0


class Watch:
    """An observer of the dispatcher, and what it saw in the last seconds."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobContext] = {}
        self._recent: deque[tuple[float, CallRecord]] = deque()

    @contextmanager
    def of(self, job: JobContext) -> Iterator[None]:
        """Tell this job of its calls while it runs."""
        self._jobs[job.id] = job
        try:
            yield
        finally:
            self._jobs.pop(job.id, None)

    def __call__(self, record: CallRecord) -> None:
        for name in record.jobs:
            if job := self._jobs.get(name):
                job.sums.add(record, name)
                job.listener.called(record)
        now = time.monotonic()
        self._recent.append((now, record))
        while self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that run."""
        return sorted(self._jobs)

    def rates(self) -> dict[str, float]:
        """Of the last seconds: calls answered a second, calls in a batch, share of time at work."""
        since = time.monotonic() - WINDOW_S
        recent = [record for at, record in tuple(self._recent) if at > since]
        ran = [record for record in recent if record.how == "ran"]
        calls = sum(len(record.jobs) for record in ran)
        return {
            "calls_per_second": calls / WINDOW_S,
            "batch": calls / len(ran) if ran else 0.0,
            "busy": min(1.0, sum(record.load + record.run for record in recent) / WINDOW_S),
        }
