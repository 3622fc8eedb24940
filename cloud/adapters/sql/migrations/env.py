"""What Alembic runs for every command. It imports nothing of ours but the tables, and works on the connection it is given.

This module acts when it is loaded, because Alembic loads it in order to act; nothing else imports it.
"""

from alembic import context

from cloud.adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most of a table in place; Alembic then copies it.
    render_as_batch=True,
    # The caller's transaction holds all of it; without this Alembic would commit between revisions on SQLite.
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
