"""What the engine measures: costs of calls and loads, traces of jobs, what a worker is at."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

JSON = sa.JSON(none_as_null=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("job", sa.Column("deadline_at", sa.BigInteger()))
    op.add_column("worker", sa.Column("status", JSON))
    _create_trace()
    _create_costs()


def _create_trace() -> None:
    op.create_table(
        "job_trace",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("calls", JSON, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_trace_job_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_job_trace"),
    )
    op.create_index("ix_job_trace_job", "job_trace", ["job_id", "seq"])


def _create_costs() -> None:
    op.create_table(
        "call_cost",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "device", "component", "method", "shape", "rows", name="pk_call_cost"
        ),
    )
    op.create_table(
        "component_cost",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("load_seconds", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "component", name="pk_component_cost"),
    )
