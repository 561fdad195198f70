"""PostgreSQL's settings: nothing waits for ever, and every failure has its sentence."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL

from omnifex_jobs.database.schema import event as event_table
from omnifex_jobs.errors import (
    DatabaseAway,
    DatabaseBusy,
    DatabaseUnusable,
    DiskFull,
    DriverMissing,
    JobsError,
)

PORT = 5432
POOL = 20  # connections that a process may use at once; most use two or three
CONNECTING: dict[str, Any] = {
    "connect_timeout": 3,  # seconds; after an answer that did not come, a call still ends in 15
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms; a cable that was pulled is seen after this
    "options": (
        "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s"
    ),
}
BUSY = ("55P03", "57014", "40001", "40P01", "53200", "53300")
AWAY = ("08", "57P", "25P03")  # connection lost, shut down or starting, cut for being idle
UNUSABLE = ("28", "3D", "42501", "25006")
SETTLING_S = 2.0  # how long a reader waits for transactions that began before it looked


def create(url: URL) -> Engine:
    """An engine that tests a connection before it is used: the server may have been restarted."""
    if find_spec("psycopg") is None:
        raise DriverMissing(place(url))
    from omnifex_jobs.database.answering import AnsweringConnection

    engine = create_engine(
        url, pool_size=POOL, max_overflow=-1, pool_pre_ping=True, connect_args=CONNECTING
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, options: Any) -> AnsweringConnection:
        return AnsweringConnection.connect(*arguments, **options)

    return engine


def place(url: URL) -> str:
    """The database as messages name it: no user, no password."""
    return f"{url.host or 'local socket'}:{url.port or PORT}/{url.database or ''}"


def plain_error(error: BaseException, database: str) -> JobsError | None:
    """The user's sentence for a failure of the server or the way to it; None for anything else."""
    state = getattr(error, "sqlstate", None) or ""
    if state == "53100":
        return DiskFull(database)
    if state.startswith(UNUSABLE):
        return DatabaseUnusable(database, _first_line(error))
    if state in BUSY:
        return DatabaseBusy(database)
    if state.startswith(AWAY) or (not state and _of_the_way_there(error)):
        if "does not exist" in str(error) or "authentication failed" in str(error):
            return DatabaseUnusable(database, _first_line(error))
        return DatabaseAway(database, _first_line(error))
    return None


def settle_events(db: Connection) -> int:
    """The number up to which all events are there to be read.

    Numbers are given out before the commit, so a smaller one may appear after a larger one. All
    transactions that were at work when we looked are waited for; they take milliseconds.
    """
    looked = select(func.max(event_table.c.seq), func.pg_snapshot_xmax(func.pg_current_snapshot()))
    newest, horizon = db.execute(looked).one()
    deadline = time.monotonic() + SETTLING_S
    oldest = select(func.pg_snapshot_xmin(func.pg_current_snapshot()))
    while int(db.scalar(oldest) or 0) < int(horizon) and time.monotonic() < deadline:
        time.sleep(0.002)
    return int(newest or 0)


def _of_the_way_there(error: BaseException) -> bool:
    """psycopg's OperationalError, a timeout too; its classes are not imported where it is not."""
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
