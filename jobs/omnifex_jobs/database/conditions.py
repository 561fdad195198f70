"""What statements ask of jobs, in words that the planners of both databases have indexes for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Table, literal_column, select

from omnifex_jobs.database.schema import job
from omnifex_jobs.states import FINAL, State

SLICE = 500  # ids in one statement: the number of parameters is limited


def rows(count: int) -> ColumnElement[int]:
    """For `limit`: where it is a parameter, SQLite prepares the statement anew each time."""
    return literal_column(str(count), Integer)


def in_state(state: State) -> ColumnElement[bool]:
    """Said in the words of the partial index: a parameter would hide it from the planner."""
    literal = job.c.state == literal_column(f"'{state}'")
    return literal & job.c.completed_at.is_not(None) if state in FINAL else literal


def has(table: Table, *where: ColumnElement[bool], by: Any = None) -> ColumnElement[bool]:
    """Whether the table has rows that name the job, as a column to be read with the job's.

    In a RETURNING of SQLite no column is written with its table's name: no such table may have
    a column `id`.
    """
    named = (by if by is not None else table.c.job_id) == job.c.id
    return select(table.c.job_id).where(named, *where).correlate(job).exists()
