"""Named presets of a model, which requests choose."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    op.add_column("model", sa.Column("styles", sa.JSON, nullable=False, server_default="{}"))
