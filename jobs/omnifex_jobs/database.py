"""Opening the database, the two kinds of transaction, and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs import sqlite
from omnifex_jobs.errors import DatabaseUnusable, JobsError, UnsupportedDatabase


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
    parsed = _sqlite_url(url)
    _make_folder(Path(str(parsed.database)).parent)
    engine = create_engine(parsed, module=driver or sqlite.safest_driver(), max_overflow=-1)
    event.listen(engine, "connect", lambda raw, record: _plainly(parsed, sqlite.configure, raw))
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _translate)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one moment of the database and never waits for a writer's turn."""
    with engine.connect().execution_options(read_only=True) as db, db.begin():
        yield db


def sqlite_advice(engine: Engine) -> str | None:
    """What `omnifex doctor` says about this database; None when there is nothing to say."""
    place = Path(str(engine.url.database))
    if kind := sqlite.network_file_system(place):
        return (
            f"Database {place} is on a network file system ({kind}), where SQLite's locks do not "
            "hold; move the home to a local disk."
        )
    driver = engine.dialect.loaded_dbapi
    if not sqlite.vulnerable(driver.sqlite_version_info):
        return None
    return (
        f"SQLite {driver.sqlite_version} has the WAL-reset bug, so the safe but slower rollback "
        "journal is used; `pip install 'omnifex[sqlite]'` brings a fixed SQLite."
    )


def _sqlite_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UnsupportedDatabase(url) from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise UnsupportedDatabase(url)
    return parsed


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(str(folder), error.strerror or str(error)) from error


def _begin(connection: Connection) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    if connection.get_execution_options().get("read_only"):
        raw.execute("BEGIN")
    else:
        _plainly(connection.engine.url, sqlite.begin_writing, raw)


def _plainly(url: URL, action: Any, raw: Any) -> None:
    try:
        action(raw)
    except Exception as error:
        plain = sqlite.plain_error(error, str(url.database))
        if plain is None:
            raise
        raise plain from error


def _translate(context: ExceptionContext) -> JobsError | None:
    place = context.engine.url.database if context.engine else "here"
    return sqlite.plain_error(context.original_exception, str(place))
