"""The lock of a device that two actors share: who has it works, the other waits for it.

It is a lock on a file of the machine, which the kernel drops the moment its holder dies.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout  # Ray brings it

LOOK_S = 0.05


class DeviceLock:
    """`slot` names the device among all of this machine; beside the lock lies who works there."""

    def __init__(self, slot: str) -> None:
        place = Path(tempfile.gettempdir()) / f"omnifex-{slot}"
        self._lock = FileLock(f"{place}.lock", thread_local=False)
        self._workers = Path(f"{place}.workers")

    def wait(self, given_up: Event) -> bool:
        """Until it is ours; False where it was given up before."""
        while not given_up.wait(LOOK_S):
            try:
                self._lock.acquire(timeout=0)
                return True
            except Timeout:
                pass
        return False

    def before(self) -> list[str]:
        """The workers of whoever had it last and did not give it back: it has died."""
        return self._workers.read_text().split() if self._workers.exists() else []

    def sign(self, workers: Iterable[str]) -> None:
        """Write down who works with the device now."""
        self._workers.write_text(" ".join(workers))

    def give_back(self) -> None:
        if self._lock.is_locked:
            self._workers.unlink(missing_ok=True)
            self._lock.release()
