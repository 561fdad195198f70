"""The tables of what is known and wished beside the jobs: costs, queues, owners, schedules."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    Table,
    Text,
    text,
)

from omnifex_jobs.database.schema import metadata

_JSON = JSON(none_as_null=True)

# What a kind of call costs on a kind of device, so that a restart knows it.
call_cost = Table(
    "call_cost",
    metadata,
    Column("device", Text, primary_key=True),
    Column("component", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("shape", Text, primary_key=True),
    Column("rows", Integer, primary_key=True, autoincrement=False),
    Column("seconds", Float, nullable=False),
    Column("peak_bytes", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

component_cost = Table(
    "component_cost",
    metadata,
    Column("device", Text, primary_key=True),
    Column("component", Text, primary_key=True),
    Column("load_seconds", Float, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# What jobs of one shape took, so that the next one's place and size are known.
expectation = Table(
    "expectation",
    metadata,
    Column("shape", Text, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("peak_bytes", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

queue = Table(
    "queue",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused_at", BigInteger),
    Column("max_running", Integer),
)

owner = Table(
    "owner",
    metadata,
    Column("name", Text, primary_key=True),
    Column("weight", Float, nullable=False, server_default="1"),
    Column("max_running", Integer),
    Column("max_waiting", Integer),
)

# How long jobs are kept once they have ended; what has no row is kept for ever.
retention = Table(
    "retention",
    metadata,
    Column("state", Text, primary_key=True),
    Column("keep_ms", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # when some worker looks again
)

schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("cron", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("order", _JSON, nullable=False),  # what is submitted, in the words of who submits it
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
)

schedule_fire = Table(
    "schedule_fire",
    metadata,
    Column("schedule", Text, ForeignKey("schedule.name"), primary_key=True),
    Column("fire_at", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", Text, ForeignKey("job.id")),
)
