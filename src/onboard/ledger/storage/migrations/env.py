"""Alembic runs this: the steps that are missing, in the transaction that it was handed."""

from alembic import context

from onboard.ledger.storage.tables import metadata

# Both databases undo a changed shape with its transaction, so that a step that fails leaves nothing half done.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
