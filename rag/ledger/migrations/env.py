"""Runs the migrations over the connection that `rag.ledger.database` hands in."""

from alembic import context

from rag.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
