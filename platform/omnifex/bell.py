"""How threads of one process tell each other that something may have changed."""

from __future__ import annotations

import threading


class Bell:
    """Wakes waiting threads at once; what other processes change is found by waiting no longer."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How often it rang; take it before looking, so that no ring is missed."""
        return self._count

    def ring(self) -> None:
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, heard: int, timeout: float) -> None:
        """Return when it has rung since `count` was `heard`, or after `timeout` seconds."""
        with self._rung:
            self._rung.wait_for(lambda: self._count != heard, timeout)
