"""The worker: claims jobs, starts them, keeps its claims alive, and cleans up after dead ones."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from omnifex.device import checked_devices
from omnifex.home import Home
from omnifex.memory import checked_memory
from omnifex.presence import bury_the_dead
from omnifex.timetable import fire_due
from omnifex.versions import version
from omnifex.worker.capacity import most_bytes
from omnifex.worker.performer import Performer, Performing
from omnifex.worker.space import Floor
from omnifex_jobs import Claim, JobsError, Wish

if TYPE_CHECKING:
    from omnifex.engine.memory.resident import Resident

AT_ONCE = 16  # jobs for each engine: it can choose only among those that it has
FOR_URGENT = 4  # more of them, for those that are more urgent than all that run
WARM = 8  # models of jobs that were taken last: likely still in memory
LEASE_S = 30.0
POLL_S = 0.05  # how soon a job of another process is seen; one of this process is seen at once
IDLE_POLL_S = 0.25  # the same where nothing has happened for IDLE_AFTER_S
IDLE_AFTER_S = 10.0
BEAT_S = 0.5  # how soon a cancel of another process is seen
IDLE_BEAT_S = 5.0
FENCE_S = 2.5  # before a lease ends that could not be renewed, its job is told to stop
FENCE_LOOK_S = 0.25
KEEP_S = 1.0  # between two rounds of housekeeping
AGAIN_S = 60.0  # before the log says again what is still wrong

log = logging.getLogger("omnifex.worker")


class Worker:
    """Runs jobs of one home, in threads of this process unless another place is given to run them.

    `devices` are found when the first job comes; each runs up to `at_once` jobs by turns, with at
    most so much `memory` for models, such as "8GB".
    """

    def __init__(
        self,
        home: Home,
        *,
        devices: Sequence[str] | None = None,
        memory: str | int | None = None,
        at_once: int = AT_ONCE,
        lease_s: float = LEASE_S,
        keep_free: int | None = None,
        performer: Performing | None = None,
    ) -> None:
        self._home = home
        self._devices = devices if performer else checked_devices(devices)
        self.performer = performer or Performer(home, self._devices, checked_memory(memory))
        self._at_once, self._lease_s = at_once, lease_s
        self._floor, self._full = Floor(home.folder, keep_free), ""
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._busy_at = self._held_at = time.monotonic()
        self._models: deque[str] = deque(maxlen=WARM)
        self._most_bytes: int | None = None
        self.id = ""
        self._said, self._said_at = "", float("-inf")

    def start(self) -> None:
        """Begin to claim; returns at once."""
        named = list(self._devices or ["auto"])
        self.id = self._home.queue.register(devices=named, version=version())
        self.performer.open()
        self._home.queue.hints.listen(self._home.news.ring)
        self._keep_space()
        serves = {"claims": self._claim_jobs, "beats": self._keep_claims, "fence": self._fence}
        for name, serve in serves.items():
            thread = threading.Thread(target=serve, name=f"omnifex-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def residents(self) -> list[Resident]:
        """The components that this worker has in memory."""
        return self.performer.residents()

    def stop(self) -> None:
        """Give back what runs, at most a component call later, and end; nothing is lost."""
        self._stopping.set()
        self._home.news.ring()
        if self._threads:
            self._wind_down(*self._threads)
        self._safely(self.performer.close)
        self._home.news.ring()

    def _wind_down(self, claims: threading.Thread, *others: threading.Thread) -> None:
        """Claim nothing more, hold the leases until all has been given back, say goodbye."""
        claims.join()
        self.performer.refill(None)
        self._safely(self.performer.release)
        self._ended.set()
        for thread in others:
            thread.join()
        self._safely(lambda: self._home.queue.gone(self.id))

    def _claim_jobs(self) -> None:
        while not self._stopping.is_set():
            heard = self._home.news.count
            self._safely(self._claim)
            idle = time.monotonic() - self._busy_at > IDLE_AFTER_S
            self._home.news.wait(heard, IDLE_POLL_S if idle else POLL_S)

    def _claim(self) -> None:
        """Take as many jobs as there is room for, and start them.

        From then on, each that succeeds takes another in its place.
        """
        self.performer.refill(self._refill())
        while claims := self._take():
            self._busy_at = time.monotonic()
            for claim in claims:
                if not self.performer.start(claim):
                    self._home.queue.release(claim)

    def _take(self) -> list[Claim]:
        """The jobs whose turn it is, as many as there is room for.

        There is a little room more for jobs that are more urgent than all that run.
        """
        if self._full or not self.performer.engines:
            return []
        priorities = [claim.job.priority for claim in self.performer.running()]
        if not priorities:
            self._held_at = time.monotonic()  # all leases that there will be begin now
        room = self._at_once * self.performer.engines - len(priorities)
        if room > 0:
            claims = self._home.queue.claim(self.id, **self._wish(limit=room))
        elif room > -FOR_URGENT:
            claims = self._home.queue.claim(self.id, **self._wish(above=max(priorities)))
        else:
            return []
        self._models.extend({claim.job.model for claim in claims}.difference(self._models))
        return claims

    def _refill(self) -> Wish | None:
        """What takes the place of a job: nothing where more run than there is room for."""
        full = len(self.performer.running()) > self._at_once * self.performer.engines
        return None if self._full or full else Wish(**self._wish(suspects=False))

    def _wish(self, **which: Any) -> dict[str, Any]:
        return {
            "lease_s": self._lease_s,
            "modalities": tuple(self._home.plugins.modalities),
            "warm": frozenset(self._models),
            "most_bytes": self._most_bytes,
            **which,
        }

    def _keep_claims(self) -> None:
        """Beat often while there is something to hold, and do the housekeeping of the home."""
        beaten = kept = 0.0
        while not self._ended.wait(BEAT_S):
            now = time.monotonic()
            if self.performer.running() or now - beaten > IDLE_BEAT_S:
                self._safely(self._beat)
                beaten = now
            if now - kept > KEEP_S:
                self._safely(self._keep_house)
                kept = now + random.uniform(0, KEEP_S / 4)  # not all workers at once

    def _beat(self) -> None:
        """Renew the leases, say how it stands, stop the jobs that were canceled or lost."""
        began, claims = time.monotonic(), self.performer.running()
        status = {**self.performer.status(), "modalities": sorted(self._home.plugins.modalities)}
        if self._full:
            status["waits"] = self._full
        to_stop = self._home.queue.beat(self.id, self._lease_s, claims, status)
        self._held_at = began
        for job_id in to_stop:
            self.performer.cancel(job_id)

    def _fence(self) -> None:
        """Stop what runs before its lease ends, where the database cannot be reached.

        Another worker takes the job then. This one could not end it, and would only compute on.
        """
        while not self._ended.wait(FENCE_LOOK_S):
            if time.monotonic() - self._held_at < self._lease_s - FENCE_S:
                continue
            if self.performer.running():
                log.warning("worker %s: it could not renew its leases; its jobs stop", self.id)
                self.performer.ask_back()
            self._held_at = time.monotonic()

    def _keep_house(self) -> None:
        queue = self._home.queue
        self._keep_space()
        self.performer.keep()
        bury_the_dead(queue)
        modalities = self._home.plugins.modalities
        self._most_bytes = most_bytes(self.performer.status(), queue.workers(), modalities)
        self._home.journals.sweep(queue.over)
        if forgotten := queue.rules.prune_due():
            log.info("worker %s: %d old jobs were forgotten", self.id, forgotten)
        if queue.rescue() or queue.stage() or fire_due(self._home):
            self._home.news.ring()

    def _keep_space(self) -> None:
        full = self._floor.reached() or ""
        if bool(full) != bool(self._full):
            log.warning("worker %s: %s", self.id, full or "there is space again")
        self._full = full

    def _safely(self, action: Callable[[], None]) -> None:
        """Nothing that goes wrong once ends the worker; it is tried again a moment later."""
        try:
            action()
        except JobsError as error:  # the database is away or busy, the disk full
            self._say(str(error))
            self._stopping.wait(POLL_S)
        except Exception:
            log.exception("worker %s", self.id)
            self._stopping.wait(POLL_S)

    def _say(self, trouble: str) -> None:
        """What is wrong, when it begins and then once a minute; it is tried many times a second."""
        now = time.monotonic()
        if trouble != self._said or now - self._said_at > AGAIN_S:
            log.warning("worker %s: %s", self.id, trouble)
            self._said, self._said_at = trouble, now
