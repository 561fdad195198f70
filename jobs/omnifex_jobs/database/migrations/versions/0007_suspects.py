"""Which jobs were there when a process died, for every worker to know."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    no = sa.text("false")
    op.add_column("job", sa.Column("suspect", sa.Boolean(), nullable=False, server_default=no))
