"""Models, and the components they share."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "model",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("family", sa.String(100)),
        sa.Column("class_name", sa.String(200), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("stamp", sa.String(64), nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "component",
        sa.Column("id", sa.String(71), primary_key=True),
        sa.Column("library", sa.String(200), nullable=False),
        sa.Column("class_name", sa.String(200), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("parameters", sa.BigInteger, nullable=False),
        sa.Column("dtypes", sa.JSON, nullable=False),
        sa.Column("weightless", sa.Boolean, nullable=False),
    )
    op.create_table(
        "model_component",
        sa.Column("model", sa.String(100), sa.ForeignKey("model.name"), primary_key=True),
        sa.Column("role", sa.String(100), primary_key=True),
        sa.Column(
            "component",
            sa.String(71),
            sa.ForeignKey("component.id"),
            nullable=False,
            index=True,
        ),
    )
