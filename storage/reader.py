"""Reading beside the writer: each piece of work sees one state of the database and changes nothing."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.errors import TemporaryFailureError
from storage.engines import reader
from storage.failures import as_temporary, is_away

T = TypeVar("T")


class Reader:
    """Runs reading functions on connections of an asynchronous engine."""

    def __init__(self, url: URL) -> None:
        self.engine = reader(url)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction of its own that is then given up.

        Raises:
            TemporaryFailureError: The database is away.
        """
        try:
            return await self._run(work)
        except TemporaryFailureError:
            # The connection may have been lost while nobody used it; the next one is new.
            return await self._run(work)

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()

    async def _run(self, work: Callable[[Connection], T]) -> T:
        with _away_is_temporary():
            async with self.engine.connect() as connection, connection.begin() as transaction:
                result = await connection.run_sync(work)
                await transaction.rollback()
                return result


class SqliteWatch:
    """Sees whether a SQLite file has changed, on a connection that is kept for that: the number is one connection's."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def version(self) -> int:
        """A number that is another one after each commit of any other connection.

        Raises:
            TemporaryFailureError: The database is away.
        """
        async with self._turn:
            with _away_is_temporary():
                if self._connection is None:
                    self._connection = await self._engine.connect()
                async with self._connection.begin():
                    version: int = (await self._connection.exec_driver_sql("PRAGMA data_version")).scalar_one()
                    return version

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._connection.close()


@contextmanager
def _away_is_temporary() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise as_temporary(error) from error
        raise
