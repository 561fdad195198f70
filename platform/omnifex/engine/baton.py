"""The baton: between component calls, exactly one job's Python runs at a time per engine.

Pipelines, tokenizers and some modules share mutable state; without the baton one job in fifty came
out wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Baton:
    """Held by the job whose Python runs; given away only while that job waits for a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self.jobs = 0

    @property
    def alone(self) -> bool:
        """Whether nobody else has the baton, awaits it, or will want it back."""
        return self.jobs == 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run a job: counted from the moment it waits, so that the job before it makes way."""
        self._count(+1)
        try:
            with self._lock:
                yield
        finally:
            self._count(-1)

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Let other jobs run while this one waits."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _count(self, change: int) -> None:
        with self._counting:
            self.jobs += change
