"""Opening the database, the two kinds of transaction, and its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnifex_jobs.database import postgresql, sqlite
from omnifex_jobs.errors import DatabaseUnusable, JobsError, UnsupportedDatabase

Found = TypeVar("Found")
Done = TypeVar("Done")


class now_ms(FunctionElement[int]):  # noqa: N801 - it reads as the SQL function it is
    """The database's clock in epoch milliseconds: one clock for all processes."""

    type = BigInteger()
    inherit_cache = True
    name = "now_ms"


@compiles(now_ms, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"


def open_database(url: str, *, driver: ModuleType | None = None) -> Engine:
    """An engine whose every transaction writes unless it is opened by `reading`.

    `url` is `sqlite:///PATH`, where missing folders are made, or `postgresql+psycopg://…`. `driver`
    replaces the choice of SQLite.
    """
    parsed = _supported(url)
    if is_postgresql(parsed):
        engine = postgresql.create(parsed)
    else:
        engine = _open_sqlite(parsed, driver or sqlite.safest_driver())
    event.listen(engine, "handle_error", _translate)
    return engine


@contextmanager
def reading(engine: Engine, *, one_moment: bool = True) -> Iterator[Connection]:
    """A transaction that sees one moment of the database and never waits for a writer's turn.

    Without `one_moment`, PostgreSQL shows each statement what is there when it begins.
    """
    options: dict[str, Any] = {"read_only": True}
    if is_postgresql(engine.url):
        level = "REPEATABLE READ" if one_moment else "READ COMMITTED"
        options |= {"isolation_level": level, "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as db, db.begin():
        yield db


def look_then_write(
    engine: Engine,
    look: Callable[[Connection], Found],
    write: Callable[[Connection, Found], Done],
    *,
    likely: bool = False,
) -> Done | None:
    """Writes where `look` finds something to do; one who finds nothing waits for no writer's turn.

    Both are one transaction on PostgreSQL, where no look keeps others waiting, and on SQLite where
    it is `likely` that something is found.
    """
    with engine.connect() as db:
        if likely or is_postgresql(engine.url):
            with db.begin():
                found = look(db)
                return write(db, found) if found else None
        with db.execution_options(read_only=True).begin():
            found = look(db)
        if not found:
            return None
        with db.execution_options(read_only=False).begin():
            return write(db, found)


def is_postgresql(url: URL) -> bool:
    return url.get_backend_name() == "postgresql"


def place_of(url: URL) -> str:
    """The database as messages name it."""
    return postgresql.place(url) if is_postgresql(url) else str(url.database)


def sqlite_advice(engine: Engine) -> str | None:
    """What `omnifex doctor` says about this database; None when there is nothing to say."""
    if is_postgresql(engine.url):
        return None
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


def _supported(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UnsupportedDatabase(url) from error
    if parsed.drivername in ("postgresql", "postgresql+psycopg") and parsed.database:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise UnsupportedDatabase(parsed.render_as_string() if parsed.password else url)
    return parsed


def _open_sqlite(url: URL, driver: ModuleType) -> Engine:
    _make_folder(Path(str(url.database)).parent)
    engine = create_engine(
        url, module=driver, max_overflow=-1, connect_args={"cached_statements": sqlite.PREPARED}
    )
    event.listen(engine, "connect", lambda raw, record: _plainly(url, sqlite.configure, raw))
    event.listen(engine, "begin", _begin)
    return engine


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
    if context.is_pre_ping:
        return None  # the pool makes a new connection
    url = context.engine.url if context.engine else None
    place = place_of(url) if url is not None else "here"
    if context.dialect.name == "postgresql":
        return postgresql.plain_error(context.original_exception, place)
    return sqlite.plain_error(context.original_exception, place)
