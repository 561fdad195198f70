"""Noticing that the wall clock jumped, when every lease looks overdue at once."""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_S = 5.0
GRACE_S = 30.0


class JumpWatch:
    """After a laptop slept or the time was set, live workers need a moment to renew their leases.

    The steady clock stands still while a machine sleeps and is never set; the wall clock is not so.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._apart = wall() - steady()
        self._trusted_from = float("-inf")

    def trusted(self) -> bool:
        """False for GRACE_S after the wall clock jumped ahead since the last call."""
        apart = self._wall() - self._steady()
        if apart - self._apart > JUMP_S:
            self._trusted_from = self._steady() + GRACE_S
        self._apart = apart
        return self._steady() >= self._trusted_from
