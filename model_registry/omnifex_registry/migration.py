"""Bringing a database to this version's tables, by alembic, from the package's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from omnifex_registry.errors import DatabaseNewer

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

VERSION_TABLE = "omnifex_registry_version"
_LOCK_KEY = 0x6F6D6E69  # any number, as long as it stays the same


def migrate(engine: Engine) -> None:
    """Creates or upgrades the tables; any number of processes may call it at once.

    The whole upgrade is one transaction behind one lock: one process does it, the others find it
    done. DatabaseNewer where a later version was here before.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with engine.connect().execution_options(read_only=True) as db:
        if _revision(db, scripts) == scripts.get_current_head():
            return
    with engine.begin() as db:
        _lock(db)
        _revision(db, scripts)
        config.attributes["connection"] = db
        command.upgrade(config, "head")


def _revision(db: Connection, scripts: ScriptDirectory) -> str | None:
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    if revision and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseNewer(revision, scripts.get_current_head() or "")
    return revision


def _lock(db: Connection) -> None:
    """Makes the other processes wait until this transaction ends."""
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    elif db.dialect.name == "sqlite" and not db.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        # Python's sqlite3 begins no transaction for DDL; an engine of omnifex_jobs has begun one.
        db.exec_driver_sql("BEGIN IMMEDIATE")
