"""Bringing a database to this version's tables, by alembic, from the package's own files."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from omnifex_jobs.database.opening import place_of, reading
from omnifex_jobs.errors import DatabaseNewer

HEAD = "0007"  # the newest file in migrations/versions; a test compares them
VERSION_TABLE = "omnifex_jobs_version"
LOCK = 0x6A6F6273  # any number, as long as it stays the same


def migrate(engine: Engine) -> None:
    """Creates or upgrades the tables; any number of processes may call it at once.

    The whole upgrade is one writing transaction: one process does it, the others find it done.
    """
    with reading(engine) as db:
        if _revision(db) == HEAD:
            return
    with engine.begin() as db:
        if db.dialect.name == "postgresql":  # on SQLite only one can write anyway
            db.execute(select(func.pg_advisory_xact_lock(LOCK)))
        upgrade(db)


def _revision(db: Connection) -> str | None:
    if not inspect(db).has_table(VERSION_TABLE):
        return None
    return db.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))


def upgrade(db: Connection, to: str = HEAD) -> None:
    """Brings the tables to a revision, inside the caller's transaction."""
    # Alembic takes a tenth of a second to import; only a new or an old database pays for it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    revision = _revision(db)
    if revision and revision not in {script.revision for script in scripts}:
        raise DatabaseNewer(place_of(db.engine.url), revision)
    config.attributes["connection"] = db
    command.upgrade(config, to)
