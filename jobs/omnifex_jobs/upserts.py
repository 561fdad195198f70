"""INSERT that meets what is there already; the two databases spell it apart."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table


def dialect_of(db: Connection) -> Any:
    """The module whose `insert` knows ON CONFLICT."""
    return import_module(f"sqlalchemy.dialects.{db.dialect.name}")


def insert_new(db: Connection, table: Table) -> Any:
    """INSERT that leaves an existing row as it is."""
    return dialect_of(db).insert(table).on_conflict_do_nothing()


def insert_over(db: Connection, table: Table) -> Any:
    """INSERT that replaces an existing row of the same key."""
    statement = dialect_of(db).insert(table)
    replaced = [column.name for column in table.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in replaced},
    )
