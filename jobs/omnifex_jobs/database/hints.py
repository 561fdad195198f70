"""A hint between processes on PostgreSQL that there is something new: nothing depends on it.

NOTIFY takes a lock of the whole server when it commits. So it is a transaction of its own, after
the one that matters, and at most a few a second; who misses one finds the news by looking.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from omnifex_jobs.database.opening import is_postgresql
from omnifex_jobs.errors import JobsError

CHANNEL = "omnifex_jobs"
EVERY_S = 0.05  # at most one hint in this time from each process
LISTEN_S = 1.0
AGAIN_S = 5.0  # after the connection was lost

log = logging.getLogger(__name__)


class Hints:
    """Sends hints, and rings a bell for those that come."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sent_at = float("-inf")
        self._stopped = threading.Event()

    def send(self) -> None:
        """Say that there is something new; never fails."""
        now = time.monotonic()
        if not is_postgresql(self._engine.url) or now - self._sent_at < EVERY_S:
            return
        self._sent_at = now
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                db.exec_driver_sql(f"NOTIFY {CHANNEL}")
        except (JobsError, SQLAlchemyError) as error:
            log.debug("no hint was sent: %s", error)

    def listen(self, ring: Callable[[], None]) -> None:
        """Ring at every hint, from a thread, until `close`; on SQLite there are none."""
        if is_postgresql(self._engine.url):
            name = "omnifex-hints"
            threading.Thread(
                target=self._keep_listening, args=[ring], name=name, daemon=True
            ).start()

    def close(self) -> None:
        self._stopped.set()

    def _keep_listening(self, ring: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                self._listen(ring)
            except Exception as error:  # whatever it is, looking every moment goes on
                log.debug("no hints: %s", error)
                self._stopped.wait(AGAIN_S)

    def _listen(self, ring: Callable[[], None]) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql(f"LISTEN {CHANNEL}")
            raw: Any = db.connection.dbapi_connection
            try:
                while not self._stopped.is_set():
                    for _ in raw.notifies(timeout=LISTEN_S, stop_after=1):
                        ring()
            finally:
                db.invalidate()  # it must not go back to the pool with its ears open
