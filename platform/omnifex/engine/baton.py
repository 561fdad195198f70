"""The baton: between component calls, exactly one job's Python runs at a time per engine.

Pipelines, tokenizers and some modules share mutable state; without the baton one job in fifty came
out wrong.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any


class Baton:
    """Held by the job whose Python runs; given away only while that job waits for a call.

    It is handed on to who has waited longest for it, so that a call wakes one thread and no more.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._held = False
        self._line: deque[threading.Lock] = deque()
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
            turn = closed_lock()
            self._line_up(turn)
            turn.acquire()
            try:
                yield
            finally:
                self._hand_on()
        finally:
            self._count(-1)

    def give_away(self, until: Future[Any]) -> None:
        """Let other jobs run until the future is done and it is this one's turn again."""
        turn = closed_lock()
        self._hand_on()
        until.add_done_callback(lambda _: self._line_up(turn))
        turn.acquire()

    def _line_up(self, turn: threading.Lock) -> None:
        """Open the lock once the baton is its thread's."""
        with self._changing:
            if self._held:
                self._line.append(turn)
            else:
                self._held = True
                turn.release()

    def _hand_on(self) -> None:
        with self._changing:
            if self._line:
                self._line.popleft().release()
            else:
                self._held = False

    def _count(self, change: int) -> None:
        with self._changing:
            self.jobs += change


def closed_lock() -> threading.Lock:
    """A lock that opens once, from another thread."""
    lock = threading.Lock()
    lock.acquire()
    return lock
