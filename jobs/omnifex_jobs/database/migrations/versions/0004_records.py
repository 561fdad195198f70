"""Tags of jobs, their origin, their rule for lost parents, and the search of their words."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

FULL_TEXT = {
    "sqlite": (
        "CREATE TABLE job_number"
        " (number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE)",
        "CREATE VIRTUAL TABLE job_text USING fts5(words, tokenize='unicode61 remove_diacritics 2')",
        "INSERT INTO job_number (job_id) SELECT id FROM job ORDER BY id",
        """INSERT INTO job_text (rowid, words)
    SELECT job_number.number, recipe.words FROM job_number
    JOIN job ON job.id = job_number.job_id JOIN recipe ON recipe.hash = job.recipe_hash""",
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
    ),
    "postgresql": (
        "CREATE INDEX ix_recipe_words ON recipe USING gin (to_tsvector('simple', words))",
    ),
}


def upgrade() -> None:
    _add_columns()
    _create_tags()
    _create_indexes()
    for statement in FULL_TEXT[op.get_bind().dialect.name]:
        op.execute(sa.text(statement))


def _add_columns() -> None:
    op.add_column("job", sa.Column("source", sa.Text()))
    op.add_column("job", sa.Column("source_id", sa.Text()))
    op.add_column("job", sa.Column("environment", sa.JSON(none_as_null=True)))
    rule = sa.Column("on_failure", sa.Text(), nullable=False, server_default="fail")
    op.add_column("job_dependency", rule)


def _create_tags() -> None:
    op.create_table(
        "job_tag",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_tag_job_id"),
        sa.PrimaryKeyConstraint("tag", "job_id", name="pk_job_tag"),
    )
    op.create_index("ix_job_tag_job", "job_tag", ["job_id"])


def _create_indexes() -> None:
    _partial_index("ix_job_open", ["state", "id"], "completed_at IS NULL")
    _partial_index("ix_job_source", ["source_id"], "source_id IS NOT NULL")
    for name in ("modality", "model", "owner"):
        op.create_index(f"ix_job_{name}", "job", [name, "id"])


def _partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "job", columns, sqlite_where=condition, postgresql_where=condition)
