"""The tables: immutable facts named by hash (recipe, artifact), and what becomes of jobs.

Times are epoch milliseconds in BIGINT, so that arithmetic is the same on SQLite and PostgreSQL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from omnifex_jobs.database import full_text
from omnifex_jobs.states import FAIL, FINAL, State

metadata = MetaData(
    naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)

full_text.listen(metadata)

# Only INTEGER PRIMARY KEY counts up by itself in SQLite.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
_JSON = JSON(none_as_null=True)


def _words(states: Any) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


def _partial(name: str, *columns: Any, where: str, unique: bool = False) -> Index:
    return Index(
        name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where)
    )


recipe = Table(
    "recipe",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("canonical", Text, nullable=False),
    Column("words", Text, nullable=False),  # what `find(text=…)` looks through
    Column("created_at", BigInteger, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recipe_hash", Text, ForeignKey("recipe.hash"), nullable=False),
    Column("modality", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),  # "" is nobody in particular
    Column("queue", Text, nullable=False, server_default="default"),
    Column("lane", Text, nullable=False, server_default=""),  # lanes.py: what is claimed as one
    Column("rank", BigInteger, nullable=False, server_default="0"),  # ranks.py: lowest first
    Column("fair_at", BigInteger, nullable=False, server_default="0"),  # the owner's virtual time
    Column("priority", Integer, nullable=False),
    Column("shape", Text),  # jobs of one shape take about as long and as much memory
    Column("expected_ms", BigInteger, nullable=False, server_default="0"),
    Column("need_bytes", BigInteger),
    Column("metadata", _JSON, nullable=False),
    Column("idempotency_key", Text),
    Column("unique_key", Text),
    Column("batch", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("run_at", BigInteger),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("attempt", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    Column("crash_count", Integer, nullable=False, server_default="0"),  # with no progress between
    Column("crash_progress", Float, nullable=False, server_default="-1"),
    Column("crash_kept", BigInteger, nullable=False, server_default="0"),  # bytes of its journal
    Column("suspect", Boolean, nullable=False, server_default=text("false")),  # of a crash
    Column("timeout_ms", BigInteger),
    Column("stall_ms", BigInteger),
    Column("worker", Text),
    Column("claim_token", Text),
    Column("lease_until", BigInteger),
    Column("lease_ms", BigInteger),
    Column("cancel_requested_at", BigInteger),
    Column("cancel_reason", Text),
    Column("progress", Float, nullable=False, default=0.0),
    Column("progress_stage", Text, nullable=False, default=""),
    Column("progress_step", Integer, nullable=False, default=0),
    Column("progress_steps", Integer, nullable=False, default=0),
    Column("progress_eta", Float),
    Column("progress_at", BigInteger),
    Column("error", _JSON),
    Column("metrics", _JSON),
    Column("deadline_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("source", Text),  # "replay" or "fork": how it was made of job `source_id`
    Column("source_id", Text),  # no foreign key: the first job may be pruned before the second
    Column("environment", _JSON),  # what it ran on: device, dtype, versions
    CheckConstraint(f"state IN ({_words(State)})", name="ck_job_state"),
    CheckConstraint(
        f"(state IN ({_words(FINAL)})) = (completed_at IS NOT NULL)", name="ck_job_final_has_time"
    ),
    CheckConstraint("(state = 'running') = (claim_token IS NOT NULL)", name="ck_job_claim"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="ck_job_lease"),
    _partial("ix_job_claim", "lane", "rank", "id", where="state = 'queued'"),
    _partial("ix_job_share", "owner", "priority", "fair_at", where="state = 'queued'"),
    _partial("ix_job_lease", "lease_until", where="state = 'running'"),
    _partial("ix_job_due", "run_at", where="state = 'scheduled'"),
    _partial("ix_job_blocked", "id", where="state = 'blocked'"),
    _partial(
        "ux_job_idempotency", "idempotency_key", where="idempotency_key IS NOT NULL", unique=True
    ),
    _partial(
        "ux_job_unique",
        "unique_key",
        where="unique_key IS NOT NULL AND completed_at IS NULL",
        unique=True,
    ),
    _partial("ix_job_ended", "state", "id", where="completed_at IS NOT NULL"),
    _partial(
        "ix_job_expires", "expires_at", where="expires_at IS NOT NULL AND completed_at IS NULL"
    ),
    _partial("ix_job_batch", "batch", "state", where="batch IS NOT NULL"),
    _partial("ix_job_open", "state", "id", where="completed_at IS NULL"),
    _partial("ix_job_source", "source_id", where="source_id IS NOT NULL"),
    Index("ix_job_recipe", "recipe_hash"),
    # One for each filter of the job list, in the order of its pages.
    Index("ix_job_modality", "modality", "id"),
    Index("ix_job_model", "model", "id"),
    Index("ix_job_owner", "owner", "id"),
)

job_tag = Table(
    "job_tag",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("job_id", Text, ForeignKey("job.id"), primary_key=True),
    Index("ix_job_tag_job", "job_id"),
)

# One row a claim, so that "who ran it, how often and what came of it" outlives the job's retries.
job_attempt = Table(
    "job_attempt",
    metadata,
    Column("token", Text, primary_key=True),
    Column("job_id", Text, ForeignKey("job.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),  # the verb that ended it: succeed, fail, canceled, release, rescue
    Column("error", _JSON),
    Index("ix_job_attempt_job", "job_id", "started_at"),
)

job_dependency = Table(
    "job_dependency",
    metadata,
    Column("job_id", Text, ForeignKey("job.id"), primary_key=True),
    Column("parent_id", Text, ForeignKey("job.id"), primary_key=True),
    Column("on_failure", Text, nullable=False, server_default=FAIL),
    Index("ix_job_dependency_parent", "parent_id"),
)

event = Table(
    "event",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("job_id", Text, ForeignKey("job.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", _JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_event_job", "job_id", "seq"),
    sqlite_autoincrement=True,  # a number is never given twice, even after rows are pruned
)

artifact = Table(
    "artifact",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

job_artifact = Table(
    "job_artifact",
    metadata,
    Column("job_id", Text, ForeignKey("job.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", Text, ForeignKey("artifact.sha256"), nullable=False),
    Column("media_type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("meta", _JSON, nullable=False),
    Index("ix_job_artifact_sha256", "sha256"),
)

worker = Table(
    "worker",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("devices", _JSON, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("gone_at", BigInteger),
    Column("status", _JSON),  # what it does just now, for `omnifex top`
)

# The component calls of a job, in parts as they were written: about one a job, more for a long one.
job_trace = Table(
    "job_trace",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("job_id", Text, ForeignKey("job.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("calls", _JSON, nullable=False),
    Index("ix_job_trace_job", "job_id", "seq"),
)
