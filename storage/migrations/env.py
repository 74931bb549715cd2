"""How Alembic runs a revision: on the connection that `storage.migrating` hands over, all of it in one transaction."""

from alembic import context

import storage.tables  # noqa: F401 - it fills the metadata
from storage.columns import metadata
from storage.migrations.engine_filter import is_of_this_engine

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=is_of_this_engine(connection.dialect.name),
    compare_server_default=True,
    # SQLite can do this too, once the driver leaves transactions alone.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
