"""How Alembic runs a revision: on the connection that `storage.migrating` hands over, all of it in one transaction."""

from alembic import context

import storage.tables  # noqa: F401 - it fills the metadata
from storage.columns import metadata
from storage.migrations.comparison import comparison

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite can do this too, once the driver leaves transactions alone.
    transactional_ddl=True,
    **comparison(connection.dialect.name),
)
with context.begin_transaction():
    context.run_migrations()
