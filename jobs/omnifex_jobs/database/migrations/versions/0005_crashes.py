"""How much of a job's work was kept when its worker died."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    column = sa.Column("crash_kept", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("job", column)
