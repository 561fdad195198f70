"""Seeing that a worker is silent without trusting any clock but one's own steady one.

On SQLite every process writes lease times by the wall clock of its machine, which a person or a
program may set. So a lease counts as run out only when it was *seen* unchanged for as long as it
lasts (as Kubernetes' leases do). A machine that sleeps stops the steady clock of all its processes.
On PostgreSQL all leases are by the server's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

SignT = TypeVar("SignT", bound=Hashable)


class LeaseWatch:
    """Remembers when each lease was first seen as it is now."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._seen: dict[str, tuple[int, float]] = {}
        self._signs: dict[Any, tuple[int, float]] = {}

    def run_out(self, leases: Iterable[Any]) -> list[str]:
        """Tokens of those claims, among all that there are, whose lease was not renewed in time."""
        now = self._steady()
        before, self._seen = self._seen, {}
        silent = []
        for lease in leases:
            last, since = before.get(lease.claim_token, (None, now))
            if last != lease.lease_until:
                since = now
            self._seen[lease.claim_token] = (lease.lease_until, since)
            if lease.lease_until == 0 or (now - since) * 1000 >= (lease.lease_ms or 0):
                silent.append(lease.claim_token)
        return silent

    def lasted(self, signs: Mapping[SignT, int]) -> dict[SignT, float]:
        """Milliseconds for which each sign was seen as it is; what is not given is forgotten."""
        now, before = self._steady(), self._signs
        self._signs = {
            sign: before[sign] if before.get(sign, (None,))[0] == value else (value, now)
            for sign, value in signs.items()
        }
        return {sign: (now - since) * 1000 for sign, (_, since) in self._signs.items()}
