"""What a running job says, handed to the database at a pace that it bears."""

from __future__ import annotations

from collections import deque

from omnifex.engine.context import Listener
from omnifex_jobs import Claim, JobQueue, Progress
from omnifex_jobs.errors import LostClaim


class Reporter(Listener):
    """Listens in the job's thread without waiting; another thread calls `flush`."""

    def __init__(self, queue: JobQueue, claim: Claim) -> None:
        self._queue, self._claim = queue, claim
        self._notes: deque[str] = deque()
        self._reached = self._written = Progress()

    def progress(self, progress: Progress) -> None:
        self._reached = progress

    def note(self, text: str) -> None:
        self._notes.append(text)

    def flush(self) -> bool:
        """Write the notes and the latest progress; whether there were any. LostClaim if it is."""
        reached, noted = self._reached, bool(self._notes)
        while self._notes:
            self._queue.event(self._claim, "note", {"text": self._notes[0]})
            self._notes.popleft()
        if reached is self._written:
            return noted
        if not self._queue.progress(self._claim, reached):
            raise LostClaim(self._claim.job.id)
        self._written = reached
        return True
