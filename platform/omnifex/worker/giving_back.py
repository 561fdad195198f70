"""What a supervisor has to give back to the queue, kept until the database has it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

from omnifex.home import Home
from omnifex.worker.failure import delay_after
from omnifex_jobs import Claim, JobsError
from omnifex_jobs.errors import LostClaim


class Owed(NamedTuple):
    """Jobs that go back at once: all that a process had as it died, or one that was to stop."""

    claims: list[Claim]
    died: bool = False
    killed: bool = False  # it died of SIGKILL, which comes from outside


class GivingBack:
    """Safe to share between threads; what it holds is still the worker's, and to be renewed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._changing = threading.Lock()
        self._owed: list[Owed] = []

    def claims(self) -> list[Claim]:
        with self._changing:
            return [claim for owed in self._owed for claim in owed.claims]

    def owe(self, these: Iterable[Owed]) -> None:
        with self._changing:
            self._owed += these

    def settle(self) -> None:
        """Give back all that can be; where the database is away, the rest stays owed."""
        with self._changing:
            owed, self._owed = self._owed, []
        while owed:
            try:
                self._give_back(owed[0])
            except LostClaim:  # it had ended, or another has it
                pass
            except JobsError:
                self.owe(owed)
                raise
            owed.pop(0)
            self._home.news.ring()

    def _give_back(self, owed: Owed) -> None:
        """Of a death a job may be the cause; who was only told to stop is innocent."""
        if owed.died:
            self._home.queue.crashed(owed.claims, killed=owed.killed)
            return
        for claim in owed.claims:
            self._home.queue.stop(claim, delay_after(claim.attempt))
