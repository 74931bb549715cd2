"""Bringing a database to the tables that this version needs, and back. Synchronous: for commands and tests.

Not to be called where an event loop runs: on PostgreSQL it runs one of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.engine import URL

from storage.engines import is_sqlite, parse_url, postgres_writer, sqlite_path, sqlite_writer
from storage.errors import SchemaOutdatedError
from storage.file_lock import FileLock

T = TypeVar("T")

MIGRATION_LOCK: Final = 7_355_608
"""The number of the advisory lock on PostgreSQL. Any would do that nobody else in the database uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Which revision the database has (None: no tables yet), and which this version of the program needs.

    `is_newer` tells that the database's revision isn't known to this version.
    """

    current: str | None
    head: str
    is_newer: bool = False

    @property
    def is_current(self) -> bool:
        """Whether the program can run on it."""
        return self.current == self.head

    def require_current(self) -> None:
        """Refuse to run on other tables.

        Raises:
            SchemaOutdatedError: The database has to be migrated first; the text tells how.
        """
        if not self.is_current:
            raise SchemaOutdatedError(current=self.current, head=self.head, is_newer=self.is_newer)


def upgrade(address: str, revision: str = "head") -> SchemaStatus:
    """Bring the database to a revision; what it holds is kept. A SQLite file is made if it isn't there.

    Raises:
        DatabaseInUseError: A server runs on this SQLite file.
    """
    return _migrate(address, lambda config: command.upgrade(config, revision))


def downgrade(address: str, revision: str) -> SchemaStatus:
    """Bring the database back to an earlier revision; `base` drops everything.

    Raises:
        DatabaseInUseError: A server runs on this SQLite file.
    """
    return _migrate(address, lambda config: command.downgrade(config, revision))


def status(address: str) -> SchemaStatus:
    """Which revision the database has, and which is needed. Asking makes no file."""
    url = parse_url(address)
    if is_sqlite(url) and not sqlite_path(url).exists():
        return _status(None)
    return _run(url, schema_status)


def schema_status(connection: Connection) -> SchemaStatus:
    """Which revision the database at the other end of this connection has."""
    return _status(MigrationContext.configure(connection).get_current_revision())


def _status(current: str | None) -> SchemaStatus:
    head, known = _revisions()
    return SchemaStatus(current=current, head=head, is_newer=current is not None and current not in known)


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """The newest revision, and all that this version knows; read once, since platforms ask every few seconds."""
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    assert head is not None
    return head, frozenset(script.revision for script in scripts.walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(address: str, migrate: Callable[[Config], None]) -> SchemaStatus:
    url = parse_url(address)
    lock = None
    if is_sqlite(url):
        path = sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire()

    def work(connection: Connection) -> SchemaStatus:
        if connection.dialect.name == "postgresql":
            # Two releases at once would both find the old tables.
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config = _config()
        config.attributes["connection"] = connection
        migrate(config)
        return schema_status(connection)

    try:
        return _run(url, work)
    finally:
        if lock is not None:
            lock.release()


def _run(url: URL, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction of a connection of its own."""
    if is_sqlite(url):
        engine = sqlite_writer(url)
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()
    return asyncio.run(_run_on_postgres(url, work))


async def _run_on_postgres(url: URL, work: Callable[[Connection], T]) -> T:
    engine = postgres_writer(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
