"""The actor of a Ray cluster: a supervisor of one device, whose process dies with it.

Ray imports this in each process that it starts, and waits for that: nothing heavy is imported here.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnifex.home import Home
    from omnifex.worker.standby import DeviceLock
    from omnifex.worker.supervisor import Supervisor

log = logging.getLogger("omnifex.worker")

STARTING, STANDING_BY, WORKING = "starting", "standing by", "working"


class RayWorker:
    """Answers at once; imports torch, and then takes jobs, or waits until its twin has died.

    `opening` is a pickled function that opens the home: to unpickle it is to import the platform.
    """

    def __init__(self, slot: str, opening: bytes, options: dict[str, Any]) -> None:
        self._slot, self._opening, self._options = slot, opening, options
        self._warm = False
        self._supervisor: Supervisor | None = None
        self._stopping = threading.Event()
        self._living = threading.Thread(target=self._live, name="omnifex-actor", daemon=True)
        self._living.start()

    def pid(self) -> int:
        """Which process it is now: another one after each restart."""
        return os.getpid()

    def state(self) -> str:
        """Whether it takes jobs, or could at once."""
        if self._supervisor and all(one.engines for one in self._supervisor.processes):
            return WORKING
        return STANDING_BY if self._warm and not self._supervisor else STARTING

    def stop(self) -> None:
        """Give back what runs."""
        self._stopping.set()
        self._living.join()

    def _live(self) -> None:
        try:
            self._stand_by_and_serve()
        except Exception:  # the database is away, say: Ray begins another process
            log.exception("actor %s", self._slot)
            os._exit(1)

    def _stand_by_and_serve(self) -> None:
        from omnifex.worker.standby import DeviceLock
        from omnifex.worker.supervisor import device_slots

        open_home: Callable[[], Home] = pickle.loads(self._opening)
        home = open_home()
        slots = device_slots()[:1]  # Ray shows an actor its own GPU alone; this imports torch
        self._warm = True
        lock = DeviceLock(self._slot)
        if lock.wait(self._stopping):
            self._serve(home, open_home, slots, lock)
            lock.give_back()
        home.close()

    def _serve(
        self, home: Home, open_home: Callable[[], Home], slots: list[str], lock: DeviceLock
    ) -> None:
        """Work until told to stop; first let go of the jobs that the twin had when it died."""
        from omnifex.worker.supervisor import Supervisor

        supervisor = Supervisor(home, open_home, slots, **self._options)
        supervisor.start()
        self._supervisor = supervisor
        for worker in lock.before():
            home.queue.gone(worker)
        home.queue.rescue()
        lock.sign(supervisor.workers)
        self._stopping.wait()
        supervisor.stop()
