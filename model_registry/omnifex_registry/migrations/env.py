"""Alembic's entry: `omnifex_registry.migrate` hands over the open connection."""

from alembic import context

from omnifex_registry.migration import VERSION_TABLE
from omnifex_registry.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
