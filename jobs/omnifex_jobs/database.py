"""Opening the database with the settings that keep it whole; docs/jobs.md gives the reasons."""

from __future__ import annotations

import importlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs.errors import (
    DatabaseBusy,
    DatabaseUnusable,
    DiskFull,
    JobsError,
    UnsupportedDatabase,
)

PATIENCE_S = 30.0  # how long a writer waits for its turn before `database_busy`


class now_ms(FunctionElement[int]):  # noqa: N801 - it reads as the SQL function it is
    """The database's clock in epoch milliseconds: one clock for all processes."""

    type = BigInteger()
    inherit_cache = True
    name = "now_ms"


@compiles(now_ms, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"


def open_database(url: str, *, driver: ModuleType | None = None) -> Engine:
    """An engine whose every transaction writes (BEGIN IMMEDIATE) unless opened by `reading`.

    `url` is `sqlite:///PATH`; missing folders are made. `driver` replaces the choice of SQLite.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise UnsupportedDatabase(url)
    _make_folder(Path(parsed.database).parent)
    engine = create_engine(parsed, module=driver or _safest_driver(), max_overflow=-1)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _translate)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one moment of the database and never waits for a writer's turn."""
    with engine.connect().execution_options(read_only=True) as db, db.begin():
        yield db


def sqlite_advice(engine: Engine) -> str | None:
    """What `omnifex doctor` says about this process's SQLite; None when there is nothing to say."""
    driver = engine.dialect.loaded_dbapi
    if not vulnerable(driver.sqlite_version_info):
        return None
    return (
        f"SQLite {driver.sqlite_version} has the WAL-reset bug, so the safe but slower rollback "
        "journal is used; `pip install 'omnifex[sqlite]'` brings a fixed SQLite."
    )


def vulnerable(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the WAL-reset race (sqlite.org/wal.html#walresetbug)."""
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    return (3, 7, 0) <= version < (3, 51, 3)


def _safest_driver() -> ModuleType:
    """Python's own sqlite3, unless it has the race and an installed pysqlite3 has not."""
    if vulnerable(sqlite3.sqlite_version_info):
        try:
            other = importlib.import_module("pysqlite3.dbapi2")
        except ImportError:
            return sqlite3
        if not vulnerable(other.sqlite_version_info):
            return other
    return sqlite3


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(str(folder), error.strerror or str(error)) from error


def _configure(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    try:
        _choose_journal(cursor, connection)
        cursor.execute("PRAGMA synchronous=FULL")  # NORMAL loses acknowledged jobs at a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.execute(f"PRAGMA busy_timeout={PATIENCE_S * 1000:.0f}")
    except Exception as error:
        path = cursor.execute("PRAGMA database_list").fetchone()[2]
        raise _plain_error(error, path) or error from error
    finally:
        cursor.close()


def _choose_journal(cursor: Any, connection: Any) -> None:
    """WAL where SQLite is sound; else the rollback journal, which has no log to be reset."""
    version = cursor.execute("SELECT sqlite_version()").fetchone()[0]
    cursor.execute("PRAGMA busy_timeout=0")  # changing the mode ignores it; we retry ourselves
    if not vulnerable(tuple(map(int, version.split(".")))):
        _patiently(lambda: cursor.execute("PRAGMA journal_mode=WAL"))
        return
    # A process with a sound SQLite may hold this file in WAL, now or later. The race needs a
    # checkpoint by the faulty code, so this process never makes one.
    cursor.execute("PRAGMA wal_autocheckpoint=0")
    try:
        cursor.execute("PRAGMA journal_mode=TRUNCATE")
    except Exception as error:
        if not _busy(error):
            raise


def _begin(connection: Connection) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    if connection.get_execution_options().get("read_only"):
        raw.execute("BEGIN")
        return
    try:
        _begin_writing(raw)
    except Exception as error:
        raise _plain_error(error, str(connection.engine.url.database)) or error from error


def _begin_writing(raw: Any) -> None:
    """Takes the one write lock; SQLite's own waiting is unfair, so the timeout is set aside."""
    raw.execute("PRAGMA busy_timeout=0")
    try:
        _patiently(lambda: raw.execute("BEGIN IMMEDIATE"))
    finally:
        raw.execute(f"PRAGMA busy_timeout={PATIENCE_S * 1000:.0f}")


def _patiently(action: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            action()
            return
        except Exception as error:
            if not _busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.0005, 0.003))


def _busy(error: BaseException) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _translate(context: ExceptionContext) -> JobsError | None:
    path = context.engine.url.database if context.engine else None
    return _plain_error(context.original_exception, str(path))


def _plain_error(error: BaseException, database: str) -> JobsError | None:
    """The user's sentence for a failure of the disk or the file; None for anything else."""
    name = _name(error)
    if _busy(error):
        return DatabaseBusy(database)
    if name == "SQLITE_FULL":
        return DiskFull(database)
    if name.startswith(
        ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR")
    ):
        return DatabaseUnusable(database, str(error))
    return None
