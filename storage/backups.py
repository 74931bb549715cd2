"""Filling a database with what another one holds: a backup from PostgreSQL, a restored one, and the move to PostgreSQL.

Synchronous: for commands and tests. Not to be called where an event loop runs: PostgreSQL is spoken to in one of their
own.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from billing.errors import BillingError
from storage import migrating
from storage.backup_files import fold, opened
from storage.copying import Content, Progress, copy_tables, filled_tables, lock_tables
from storage.engines import is_sqlite, parse_url, postgres_writer, reader, sqlite_path, sqlite_writer
from storage.file_lock import FileLock
from storage.migrating import schema_status


class TargetNotEmptyError(BillingError):
    """What is there would be mixed with what comes."""

    def __init__(self, tables: Sequence[str]) -> None:
        super().__init__(
            f"the target holds data already, in {', '.join(tables)}; name an empty database. "
            "One on PostgreSQL is made by CREATE DATABASE; what is in the other stays untouched"
        )
        self.tables = tuple(tables)


def address_of(file: Path) -> str:
    """The address of a SQLite file."""
    return URL.create("sqlite", database=str(file.absolute())).render_as_string()


@contextmanager
def held(address: str) -> Iterator[Connection]:
    """A SQLite database that nobody serves and nobody writes to meanwhile, whatever command runs beside.

    Raises:
        DatabaseInUseError: A server runs on it.
    """
    url = parse_url(address)
    lock = FileLock(sqlite_path(url))
    lock.acquire()
    engine = sqlite_writer(url)
    try:
        # It begins as a writer, and so keeps the others out.
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
        lock.release()


def holds_data(address: str) -> Sequence[str]:
    """The tables that have rows in a database, of whatever revision. Asking makes no file."""
    url = parse_url(address)
    if not is_sqlite(url):
        return asyncio.run(_look_on_postgres(url))
    file = sqlite_path(url)
    if not file.exists():
        return []
    with opened(file) as connection:
        return filled_tables(connection)


def fill_from_postgres(address: str, draft: Path, on_progress: Progress) -> Mapping[str, Content]:
    """Make a SQLite file of what a PostgreSQL database holds at one moment; servers go on beside it.

    Raises:
        ContentDiffersError: The copy isn't like its original.
        SchemaOutdatedError: The tables aren't those of this version.
    """
    migrating.upgrade(address_of(draft))
    engine = sqlite_writer(parse_url(address_of(draft)))
    try:
        with engine.begin() as target:
            copied = asyncio.run(_copy_from_postgres(parse_url(address), target, on_progress))
    finally:
        engine.dispose()
    fold(draft)
    return copied


def fill_postgres(source: Connection, address: str, on_progress: Progress) -> Mapping[str, Content]:
    """Copy everything into an empty PostgreSQL database, all or nothing; one without tables gets them first.

    Raises:
        ContentDiffersError: The copy isn't like its original.
        RowsNotCopiedError: PostgreSQL refuses a row.
        SchemaOutdatedError: The tables there are of another revision.
        TargetNotEmptyError: There are rows.
    """
    if migrating.status(address).current is None:
        migrating.upgrade(address)
    return asyncio.run(_copy_to_postgres(source, parse_url(address), on_progress))


async def _look_on_postgres(url: URL) -> Sequence[str]:
    engine = reader(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(filled_tables)
    finally:
        await engine.dispose()


async def _copy_from_postgres(url: URL, target: Connection, on_progress: Progress) -> Mapping[str, Content]:
    def copy(source: Connection) -> Mapping[str, Content]:
        schema_status(source).require_current()
        return copy_tables(source, target, on_progress)

    # Each of a reader's transactions sees one moment.
    engine = reader(url)
    try:
        async with engine.connect() as connection, connection.begin():
            return await connection.run_sync(copy)
    finally:
        await engine.dispose()


async def _copy_to_postgres(source: Connection, url: URL, on_progress: Progress) -> Mapping[str, Content]:
    def copy(target: Connection) -> Mapping[str, Content]:
        schema_status(target).require_current()
        lock_tables(target)
        filled = filled_tables(target)
        if filled:
            raise TargetNotEmptyError(filled)
        return copy_tables(source, target, on_progress)

    engine = postgres_writer(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(copy)
    finally:
        await engine.dispose()
