"""What a worker's engines learn of costs: read when they are made, written as they go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Engine as Database

from omnifex.device import device_kind
from omnifex_jobs import keep_costs, known_costs

if TYPE_CHECKING:
    from omnifex.engine.engine import Engine

EVERY_S = 5.0


class CostBook:
    """The costs in the database; each kind of device has its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engines: list[Engine] = []
        self._kept = time.monotonic()

    def restore(self, engine: Engine) -> None:
        """Let the engine begin with what is known of its device."""
        known = known_costs(self._database, device_kind(engine.device))
        engine.dispatcher.costs.restore(*known)
        self._engines.append(engine)

    def keep(self, every: float = EVERY_S) -> None:
        """Write what was learned, unless that was done a moment ago."""
        if time.monotonic() - self._kept < every:
            return
        self._kept = time.monotonic()
        for engine in self._engines:
            learned = engine.dispatcher.costs.changes()
            keep_costs(self._database, device_kind(engine.device), *learned)
