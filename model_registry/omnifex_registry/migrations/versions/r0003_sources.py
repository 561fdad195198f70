"""Where a model came from, which of its weight files are meant, and other names for it."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    op.add_column("model", sa.Column("source", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("model", sa.Column("variant", sa.String(40)))
    op.create_table(
        "model_alias",
        sa.Column("alias", sa.String(100), primary_key=True),
        sa.Column("model", sa.String(100), nullable=False, index=True),
    )
