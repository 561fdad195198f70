"""How a model is to be run: settings that whoever runs it understands."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    op.add_column("model", sa.Column("settings", sa.JSON, nullable=False, server_default="{}"))
