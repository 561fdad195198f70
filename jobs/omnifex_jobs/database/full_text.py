"""Searching what jobs ask for: FTS5 on SQLite, a GIN index on PostgreSQL.

On SQLite each job has a number that grows with its age and is its row in the index: FTS5 then hands
out the newest matches first, without having looked at the others. Triggers keep the index, so that
whoever writes or prunes jobs need not know of it.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    DDL,
    BindParameter,
    ColumnElement,
    MetaData,
    Select,
    bindparam,
    column,
    event,
    func,
    literal_column,
    select,
    table,
)

SQLITE = (
    "CREATE TABLE job_number"
    " (number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE job_text USING fts5(words, tokenize='unicode61 remove_diacritics 2')",
    """CREATE TRIGGER job_text_insert AFTER INSERT ON job BEGIN
    INSERT INTO job_number (job_id) VALUES (new.id);
    INSERT INTO job_text (rowid, words)
        SELECT job_number.number, recipe.words FROM job_number, recipe
        WHERE job_number.job_id = new.id AND recipe.hash = new.recipe_hash;
END""",
    """CREATE TRIGGER job_text_delete AFTER DELETE ON job BEGIN
    DELETE FROM job_text WHERE rowid = (SELECT number FROM job_number WHERE job_id = old.id);
    DELETE FROM job_number WHERE job_id = old.id;
END""",
)
POSTGRESQL = ("CREATE INDEX ix_recipe_words ON recipe USING gin (to_tsvector('simple', words))",)

numbers = table("job_number", column("number"), column("job_id"))
_text = table("job_text", column("rowid"))
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')


def listen(metadata: MetaData) -> None:
    """Lets `metadata.create_all` make what it has no words for."""
    for dialect, statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for statement in statements:
            made = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(metadata, "after_create", made.execute_if(dialect=dialect))


def terms(query: str) -> list[tuple[str, bool]]:
    """The words and "quoted phrases" of a query, each with whether it is but a beginning*."""
    found = [(phrase or word, bool(word)) for phrase, word in _TERM.findall(query)]
    return [
        (term.removesuffix("*"), bare and term.endswith("*"))
        for term, bare in found
        if any(character.isalnum() for character in term)
    ]


def newest_matches(query: str, before: str | None) -> Select[Any]:
    """For SQLite: the ids of jobs that match, to be joined with `job`; the newest come first."""
    ids = select(numbers.c.job_id).select_from(_text).join(numbers, numbers.c.number == _rowid())
    ids = ids.where(literal_column("job_text").op("MATCH")(_fts5(query)))
    if before is not None:
        last = select(numbers.c.number).where(numbers.c.job_id == before).scalar_subquery()
        ids = ids.where(_rowid() < last)
    return ids.order_by(_rowid().desc())


def vector_matches(query: str) -> ColumnElement[bool]:
    """For PostgreSQL: whether the recipe's words match."""
    wanted = [_tsquery(term, prefix) for term, prefix in terms(query)]
    both = wanted[0]
    for other in wanted[1:]:
        both = both.op("&&")(other)
    # In the words of its index: a parameter would hide it from the planner.
    return literal_column("to_tsvector('simple', recipe.words)").bool_op("@@")(both)


def _rowid() -> ColumnElement[int]:
    return literal_column("job_text.rowid")


def _fts5(query: str) -> BindParameter[str]:
    words = [f'"{term}"' + ("*" if prefix else "") for term, prefix in terms(query)]
    return bindparam("words", " AND ".join(words))


def _tsquery(term: str, prefix: bool) -> ColumnElement[Any]:
    simple: ColumnElement[str] = literal_column("'simple'")
    if not prefix:
        return func.phraseto_tsquery(simple, term)
    quoted = term.replace("\\", "\\\\").replace("'", "''")
    return func.to_tsquery(simple, f"'{quoted}':*")
