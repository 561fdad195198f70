"""The actor of a Ray cluster: a supervisor of one device, whose process dies with it.

Ray imports this in each process that it starts, and waits for that: nothing heavy is imported here.
"""

from __future__ import annotations

import os
import pickle
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnifex.home import Home
    from omnifex.worker.supervisor import Supervisor


class RayWorker:
    """Answers at once, and takes jobs when its home is open and torch is imported.

    `opening` is a pickled function that opens the home: to unpickle it is to import the platform.
    """

    def __init__(self, opening: bytes, options: dict[str, Any]) -> None:
        self._opening, self._options = opening, options
        self._home: Home | None = None
        self._supervisor: Supervisor | None = None
        self._starting = threading.Thread(target=self._start, name="omnifex-start", daemon=True)
        self._starting.start()

    def pid(self) -> int:
        """Which process it is now: another one after each restart."""
        return os.getpid()

    def ready(self) -> bool:
        """Whether it takes jobs."""
        return bool(self._supervisor and all(one.engines for one in self._supervisor.processes))

    def stop(self) -> None:
        self._starting.join()
        if self._supervisor:
            self._supervisor.stop()
        if self._home:
            self._home.close()

    def _start(self) -> None:
        from omnifex.worker.supervisor import Supervisor, device_slots

        open_home = pickle.loads(self._opening)
        self._home = home = open_home()
        slots = device_slots()[:1]  # Ray shows each actor its own GPU alone
        supervisor = Supervisor(home, open_home, slots, **self._options)
        supervisor.start()
        self._supervisor = supervisor
