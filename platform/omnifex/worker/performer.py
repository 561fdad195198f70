"""Where a worker's jobs are carried out: threads of this process, or of another one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from omnifex.home import Home
from omnifex.worker.costs import CostBook
from omnifex.worker.engines import Engines
from omnifex.worker.run import Run
from omnifex_jobs import Claim, Wish

if TYPE_CHECKING:
    from omnifex.engine.memory.resident import Resident


class Performing(Protocol):
    """What a worker needs of the place that runs its jobs; docs/workers.md shows both kinds."""

    @property
    def engines(self) -> int:
        """How many engines there are to claim for; none while they cannot take a job."""

    def open(self) -> None:
        """Get ready; returns at once."""

    def running(self) -> list[Claim]:
        """The claims that are its to hold."""

    def start(self, claim: Claim) -> bool:
        """Begin the job, which ends by itself; False where it cannot: nothing has happened then."""

    def refill(self, wish: Wish | None) -> None:
        """What each job that succeeds takes in its place, from now on; None for nothing."""

    def cancel(self, job_id: str) -> None:
        """Stop the job, if it runs, at its next component call."""

    def ask_back(self) -> None:
        """Let all that runs go back to the queue, a component call later at most."""

    def release(self) -> None:
        """The same; returns when it has been done."""

    def status(self) -> Mapping[str, Any]:
        """What `omnifex top` shows of its engines."""

    def residents(self) -> list[Resident]:
        """The components in memory, where they are this process's."""

    def keep(self) -> None:
        """Called every second."""

    def close(self) -> None:
        """End, after `release`."""


class Performer:
    """Each job in a thread of this process; the engines are made when the first one comes."""

    def __init__(
        self,
        home: Home,
        devices: Sequence[str] | None = None,
        memory: int | None = None,
        took: Callable[[Claim], object] = lambda claim: None,
        ended: Callable[[Claim], object] = lambda claim: None,
    ) -> None:
        self._home, self._took, self._ended = home, took, ended
        self._costs = CostBook(home.database)
        self.lending = Engines(devices, self._costs.restore, memory)
        self._runs: dict[Run, threading.Thread] = {}
        self._starting = threading.Lock()
        self._wish: Wish | None = None

    @property
    def engines(self) -> int:
        return self.lending.count

    def open(self) -> None:
        self._home.on_cancel.append(self.cancel)

    def running(self) -> list[Claim]:
        return [run.claim for run in list(self._runs)]

    def start(self, claim: Claim) -> bool:
        run = Run(self._home, claim, self.lending, self._succeed)
        name = f"run-{claim.job.id}"
        thread = threading.Thread(target=self._perform, args=[run], name=name, daemon=True)
        with self._starting:
            self._runs[run] = thread
            thread.start()
        return True

    def refill(self, wish: Wish | None) -> None:
        self._wish = wish

    def cancel(self, job_id: str) -> None:
        for run in list(self._runs):
            if run.claim.job.id == job_id:
                run.stop()

    def ask_back(self) -> None:
        for run in list(self._runs):
            run.stop()

    def release(self) -> None:
        while runs := self._begun():  # one that was just ending may have taken another
            self.ask_back()
            for thread in runs:
                thread.join()

    def status(self) -> Mapping[str, Any]:
        return self.lending.status()

    def residents(self) -> list[Resident]:
        return self.lending.residents()

    def keep(self) -> None:
        self._costs.keep()

    def close(self) -> None:
        try:
            self._costs.keep(every=0)
        finally:
            self.lending.close()

    def _begun(self) -> list[threading.Thread]:
        with self._starting:
            return list(self._runs.values())

    def _succeed(self, claim: Claim, *made: Any) -> None:
        """End a job; the one that it takes in its place begins at once."""
        for following in self._home.queue.succeed(claim, *made, then=self._wish):
            self._took(following)
            self.start(following)

    def _perform(self, run: Run) -> None:
        try:
            run.perform()
        finally:
            del self._runs[run]
            self._ended(run.claim)
            self._home.news.ring()  # there is room for another
