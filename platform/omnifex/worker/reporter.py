"""What a running job says, handed to the database at a pace that it bears."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from omnifex.engine.context import Listener
from omnifex.engine.watching.record import CallRecord
from omnifex.trace import written
from omnifex.worker.pictures import small_picture
from omnifex_jobs import Claim, JobQueue, Progress, Report

TRACE_S = 5.0  # between two parts of a job's trace, while it runs
MOST_CALLS = 20_000  # of one attempt in its trace; what comes after is counted, not listed

log = logging.getLogger("omnifex.worker")


class Reporter(Listener):
    """Listens in the job's thread without waiting; another thread calls `flush`."""

    wants_previews = True

    def __init__(self, queue: JobQueue, claim: Claim) -> None:
        self._queue, self._claim = queue, claim
        self._notes: deque[str] = deque()
        self._calls: deque[CallRecord] = deque()
        self._unwritten: list[dict[str, Any]] = []
        self._listed = 0
        self._traced_at = time.monotonic()
        self._seen: Any = None
        self._reached = self._written = Progress()

    def progress(self, progress: Progress) -> None:
        self._reached = progress

    def note(self, text: str) -> None:
        self._notes.append(text)

    def called(self, record: CallRecord) -> None:
        if self._listed < MOST_CALLS:
            self._listed += 1
            self._calls.append(record)

    def preview(self, pixels: Any) -> None:
        self._seen = pixels

    def flush(self, *, ended: bool = False) -> bool:
        """Write what has come since the last time; whether there was anything. Or LostClaim.

        Calls are written every few seconds, and when the job has ended.
        """
        reached, notes = self._reached, list(self._notes)
        said = Report(
            progress=None if reached is self._written else reached,
            notes=notes,
            preview=None if ended else self._preview(reached),
            calls=self._due_calls(ended),
        )
        if not (said.progress or said.notes or said.preview or said.calls):
            return False
        self._queue.report(self._claim, said)
        self._written = reached
        for _ in notes:
            self._notes.popleft()
        if said.calls:
            self._unwritten.clear()
        return True

    def _due_calls(self, ended: bool) -> list[dict[str, Any]]:
        now = time.monotonic()
        if not ended and now - self._traced_at < TRACE_S:
            return []
        self._traced_at = now
        while self._calls:
            self._unwritten.append(written(self._calls.popleft(), self._claim.job.id))
        return self._unwritten

    def _preview(self, reached: Progress) -> dict[str, Any] | None:
        """The latest look at the work, drawn here so that the job does not wait for it."""
        seen, self._seen = self._seen, None
        if seen is None:
            return None
        try:
            picture = small_picture(seen)
        except Exception:  # not what was asked for: a fault of the plugin, which costs no job
            log.warning("job %s: its preview is no picture", self._claim.job.id, exc_info=True)
            return None
        return {"step": reached.step, "steps": reached.steps, **picture}
