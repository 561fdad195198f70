"""Alembic's entry: `omnifex_jobs.database.migrate` hands over the open connection."""

from alembic import context

from omnifex_jobs.database import schema_knowledge
from omnifex_jobs.database.migrate import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema_knowledge.expectation.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
