"""The first tables of the job database."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

JSON = sa.JSON(none_as_null=True)
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_facts()
    _create_job()
    _create_job_indexes()
    _create_history()
    _create_edges()
    _create_worker()


def _create_facts() -> None:
    op.create_table(
        "recipe",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_recipe"),
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_artifact"),
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("recipe_hash", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger()),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("completed_at", sa.BigInteger()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("claim_token", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("cancel_requested_at", sa.BigInteger()),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("progress_stage", sa.Text(), nullable=False),
        sa.Column("progress_step", sa.Integer(), nullable=False),
        sa.Column("progress_steps", sa.Integer(), nullable=False),
        sa.Column("progress_eta", sa.Float()),
        sa.Column("error", JSON),
        sa.Column("metrics", JSON),
        sa.CheckConstraint(
            "state IN ('blocked', 'canceled', 'failed', 'queued', 'running', 'scheduled', "
            "'succeeded')",
            name="ck_job_state",
        ),
        sa.CheckConstraint(
            "(state IN ('canceled', 'failed', 'succeeded')) = (completed_at IS NOT NULL)",
            name="ck_job_final_has_time",
        ),
        sa.CheckConstraint("(state = 'running') = (claim_token IS NOT NULL)", name="ck_job_claim"),
        sa.CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="ck_job_lease"),
        sa.ForeignKeyConstraint(["recipe_hash"], ["recipe.hash"], name="fk_job_recipe_hash"),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )


def _create_job_indexes() -> None:
    _partial_index("ix_job_claim", [sa.text("priority DESC"), "id"], "state = 'queued'")
    _partial_index("ix_job_lease", ["lease_until"], "state = 'running'")
    _partial_index("ix_job_due", ["run_at"], "state = 'scheduled'")
    _partial_index("ix_job_blocked", ["id"], "state = 'blocked'")
    _partial_index(
        "ux_job_idempotency", ["idempotency_key"], "idempotency_key IS NOT NULL", unique=True
    )
    _partial_index("ix_job_ended", ["state", "id"], "completed_at IS NOT NULL")
    op.create_index("ix_job_recipe", "job", ["recipe_hash"])


def _partial_index(
    name: str, columns: list[str | sa.TextClause], where: str, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name, "job", columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def _create_history() -> None:
    op.create_table(
        "job_attempt",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("outcome", sa.Text()),
        sa.Column("error", JSON),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_attempt_job_id"),
        sa.PrimaryKeyConstraint("token", name="pk_job_attempt"),
    )
    op.create_index("ix_job_attempt_job", "job_attempt", ["job_id", "started_at"])
    op.create_table(
        "event",
        sa.Column("seq", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_event_job_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_job", "event", ["job_id", "seq"])


def _create_edges() -> None:
    op.create_table(
        "job_dependency",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_dependency_job_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["job.id"], name="fk_job_dependency_parent_id"),
        sa.PrimaryKeyConstraint("job_id", "parent_id", name="pk_job_dependency"),
    )
    op.create_index("ix_job_dependency_parent", "job_dependency", ["parent_id"])
    op.create_table(
        "job_artifact",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("meta", JSON, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_artifact_job_id"),
        sa.ForeignKeyConstraint(["sha256"], ["artifact.sha256"], name="fk_job_artifact_sha256"),
        sa.PrimaryKeyConstraint("job_id", "role", "position", name="pk_job_artifact"),
    )
    op.create_index("ix_job_artifact_sha256", "job_artifact", ["sha256"])


def _create_worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("devices", JSON, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
