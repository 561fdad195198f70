"""Queues, owners, fair order, uniqueness, batches, limits of time, crashes, schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    _add_columns()
    _place_waiting_jobs()
    _create_indexes()
    _create_rules()
    _create_schedules()


def _add_columns() -> None:
    for column in (
        sa.Column("owner", sa.Text(), nullable=False, server_default=""),
        sa.Column("queue", sa.Text(), nullable=False, server_default="default"),
        sa.Column("lane", sa.Text(), nullable=False, server_default=""),
        sa.Column("rank", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("fair_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("shape", sa.Text()),
        sa.Column("expected_ms", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("need_bytes", sa.BigInteger()),
        sa.Column("unique_key", sa.Text()),
        sa.Column("batch", sa.Text()),
        sa.Column("crash_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("crash_progress", sa.Float(), nullable=False, server_default="-1"),
        sa.Column("timeout_ms", sa.BigInteger()),
        sa.Column("stall_ms", sa.BigInteger()),
        sa.Column("lease_ms", sa.BigInteger()),
        sa.Column("progress_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
    ):
        op.add_column("job", column)


def _place_waiting_jobs() -> None:
    """As they would have been placed, an hour for each step of priority."""
    op.execute(
        "UPDATE job SET lane = 'default/' || modality, fair_at = created_at, "
        "rank = created_at - CAST(priority AS BIGINT) * 3600000"
    )


def _create_indexes() -> None:
    op.drop_index("ix_job_claim", "job")
    _partial_index("ix_job_claim", ["lane", "rank", "id"], "state = 'queued'")
    _partial_index("ix_job_share", ["owner", "priority", "fair_at"], "state = 'queued'")
    _partial_index(
        "ux_job_unique",
        ["unique_key"],
        "unique_key IS NOT NULL AND completed_at IS NULL",
        unique=True,
    )
    _partial_index(
        "ix_job_expires", ["expires_at"], "expires_at IS NOT NULL AND completed_at IS NULL"
    )
    _partial_index("ix_job_batch", ["batch", "state"], "batch IS NOT NULL")


def _partial_index(name: str, columns: list[str], where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, "job", columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def _create_rules() -> None:
    op.create_table(
        "expectation",
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shape", name="pk_expectation"),
    )
    op.create_table(
        "queue",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("max_running", sa.Integer()),
        sa.PrimaryKeyConstraint("name", name="pk_queue"),
    )
    op.create_table(
        "owner",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False, server_default="1"),
        sa.Column("max_running", sa.Integer()),
        sa.Column("max_waiting", sa.Integer()),
        sa.PrimaryKeyConstraint("name", name="pk_owner"),
    )


def _create_schedules() -> None:
    op.create_table(
        "schedule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("order", JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_schedule"),
    )
    op.create_table(
        "schedule_fire",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("fire_at", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Text()),
        sa.ForeignKeyConstraint(["schedule"], ["schedule.name"], name="fk_schedule_fire_schedule"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_schedule_fire_job_id"),
        sa.PrimaryKeyConstraint("schedule", "fire_at", name="pk_schedule_fire"),
    )
