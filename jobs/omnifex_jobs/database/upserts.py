"""INSERT that meets what is there already; the two databases spell it apart."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Table


def insert_into(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, for the dialect of this name."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


@cache
def insert_new(dialect: str, table: Table) -> Any:
    """INSERT that leaves an existing row as it is."""
    return insert_into(dialect, table).on_conflict_do_nothing()


@cache
def insert_over(dialect: str, table: Table) -> Any:
    """INSERT that replaces an existing row of the same key."""
    statement = insert_into(dialect, table)
    replaced = [column.name for column in table.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in replaced},
    )
