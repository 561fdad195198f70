"""SQLite's settings: which library, which journal, how writers wait; docs/jobs.md says why."""

from __future__ import annotations

import importlib
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from omnifex_jobs.errors import DatabaseBusy, DatabaseUnusable, DiskFull, JobsError

PATIENCE_S = 30.0  # how long a writer waits for its turn before `database_busy`
SWITCH_S = 0.2
LONG_S = 0.05  # after so much waiting a writer is as impatient as it gets
LOG_PAGES = 4000  # 16 MB of log before it is written back: what is written often is so only once
PREPARED = 512  # statements kept by a connection; where it has no room, pysqlite3 drops the newest
PATIENCE = f"PRAGMA busy_timeout={PATIENCE_S * 1000:.0f}"
NO_PATIENCE = "PRAGMA busy_timeout=0"
NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "lustre", "ceph", "fuse.sshfs", "beegfs", "gpfs")
UNUSABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR")


def vulnerable(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the WAL-reset race (sqlite.org/wal.html#walresetbug)."""
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    return (3, 7, 0) <= version < (3, 51, 3)


def safest_driver() -> ModuleType:
    """Python's own sqlite3, unless it has the race and an installed pysqlite3 has not."""
    if vulnerable(sqlite3.sqlite_version_info):
        try:
            other = importlib.import_module("pysqlite3.dbapi2")
        except ImportError:
            return sqlite3
        if not vulnerable(other.sqlite_version_info):
            return other
    return sqlite3


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that holds `path`; None on a local disk or where unknown."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return None  # only Linux tells
    return network_kind(path.resolve(), mounts)


def network_kind(path: Path, mounts: Sequence[Sequence[str]]) -> str | None:
    """As above, from lines of (device, folder, kind, …)."""
    holding = [mount for mount in mounts if path.is_relative_to(mount[1])]
    kind = max(holding, key=lambda mount: len(mount[1]))[2] if holding else ""
    return kind if kind.startswith(NETWORK) else None


def configure(connection: Any) -> None:
    """Sets up a new connection; every one of these settings is needed."""
    connection.isolation_level = None  # the driver must not begin transactions by itself
    connection.execute(PATIENCE)
    _choose_journal(connection)
    connection.execute("PRAGMA synchronous=FULL")  # NORMAL loses acknowledged jobs at a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")


def begin_writing(connection: Any) -> None:
    """Takes the one write lock; SQLite's own waiting is unfair, so it is set aside for ours."""
    connection.execute(NO_PATIENCE)
    try:
        _patiently(lambda: connection.execute("BEGIN IMMEDIATE"), PATIENCE_S)
    finally:
        connection.execute(PATIENCE)


def plain_error(error: BaseException, database: str) -> JobsError | None:
    """The user's sentence for a failure of the disk or the file; None for anything else."""
    name = _name(error)
    if _busy(error):
        return DatabaseBusy(database)
    if name == "SQLITE_FULL":
        return DiskFull(database)
    if name.startswith(UNUSABLE):
        return DatabaseUnusable(database, str(error))
    return None


def _choose_journal(connection: Any) -> None:
    """WAL where SQLite is sound; else the rollback journal, which has no log to be reset."""
    version = connection.execute("SELECT sqlite_version()").fetchone()[0]
    faulty = vulnerable(tuple(map(int, version.split("."))))
    if faulty:
        # A process with a sound SQLite may hold this file in WAL, now or later. The race needs a
        # checkpoint by the faulty code, so this process never makes one.
        connection.execute("PRAGMA wal_autocheckpoint=0")
    else:
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
    used = connection.execute("PRAGMA journal_mode").fetchone()[0]
    wanted = "truncate" if faulty else "wal"
    if used != wanted:
        _switch_journal(connection, wanted, in_wal=used == "wal")


def _switch_journal(connection: Any, wanted: str, in_wal: bool) -> None:
    """Into or out of WAL only while nobody else is at work; else goes on in the mode it finds."""
    change = f"PRAGMA journal_mode={wanted}"
    if wanted != "wal" and not in_wal:
        connection.execute(change)
        return
    connection.execute(NO_PATIENCE)
    try:
        _patiently(lambda: connection.execute(change), SWITCH_S)
    except Exception as error:
        if not _busy(error):
            raise
    finally:
        connection.execute(PATIENCE)


def _patiently(action: Callable[[], object], seconds: float) -> None:
    """Tries again and again; who has waited long tries more often, and so comes sooner."""
    began = time.monotonic()
    while True:
        try:
            action()
            return
        except Exception as error:
            waited = time.monotonic() - began
            if not _busy(error) or waited > seconds:
                raise
        time.sleep(random.uniform(0.0005, 0.003) * max(0.1, 1 - waited / LONG_S))


def _busy(error: BaseException) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
