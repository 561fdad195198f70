"""The supervisor: one worker for each device, whose jobs run in a process of the device's own."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain

from omnifex.device import checked_devices, find_devices
from omnifex.home import Home
from omnifex.memory import checked_memory
from omnifex.worker.device_process import DeviceProcess
from omnifex.worker.forking import ask_elsewhere
from omnifex.worker.worker import AT_ONCE, LEASE_S, Worker

CPU = re.compile(r"cpu(:\d+)?")


class Supervisor:
    """Serves a home with several processes; touches no device itself and imports no torch.

    `open_home` is called in each device's process, and so must be a function that pickles.
    """

    def __init__(
        self,
        home: Home,
        open_home: Callable[[], Home],
        slots: Sequence[str],
        *,
        memory: str | int | None = None,
        at_once: int = AT_ONCE,
        lease_s: float = LEASE_S,
        keep_free: int | None = None,
        **patience: float,
    ) -> None:
        budget = checked_memory(memory)
        self.processes = [
            DeviceProcess(home, open_home, slot, budget, **patience) for slot in slots
        ]
        self._workers = [
            Worker(
                home,
                devices=[process.device],
                performer=process,
                at_once=at_once,
                lease_s=lease_s,
                keep_free=keep_free,
            )
            for process in self.processes
        ]

    @property
    def workers(self) -> list[str]:
        """Their ids in the database, since they were started."""
        return [worker.id for worker in self._workers]

    def start(self) -> None:
        """Begin the processes and claim for those that are ready; returns at once."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """All at the same time: give back what runs, and end."""
        stopping = [threading.Thread(target=worker.stop) for worker in self._workers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()


def device_slots(names: Sequence[str] | None = None) -> list[str]:
    """The devices that are named, or all; `cpu:1` is one more process on the same CPU."""
    found = cache(lambda: ask_elsewhere(find_devices))
    if not names:
        return found()
    checked = [[n] if CPU.fullmatch(n) else checked_devices([n], found) or [] for n in names]
    return list(dict.fromkeys(chain.from_iterable(checked)))
