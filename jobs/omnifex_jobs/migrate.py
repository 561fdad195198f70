"""Bringing a database to this version's tables, by alembic, from the package's own files."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from omnifex_jobs.database import reading
from omnifex_jobs.errors import DatabaseNewer

VERSION_TABLE = "omnifex_jobs_version"


def migrate(engine: Engine) -> None:
    """Creates or upgrades the tables; any number of processes may call it at once.

    The whole upgrade is one writing transaction: one process does it, the others find it done.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with reading(engine) as db:
        if _revision(db, scripts) == scripts.get_current_head():
            return
    with engine.begin() as db:
        _revision(db, scripts)
        config.attributes["connection"] = db
        command.upgrade(config, "head")


def _revision(db: Connection, scripts: ScriptDirectory) -> str | None:
    """The database's revision; refuses one that this version does not know."""
    context = MigrationContext.configure(db, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    if revision and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseNewer(str(db.engine.url.database), revision)
    return revision
