"""How a transaction is run on each engine. Both are driven by the writer's thread, and by no other."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engines import postgres_writer, sqlite_writer
from storage.failures import is_away
from storage.transactions import Transaction

T = TypeVar("T")


class Transactor(Protocol):
    """Runs transactions on one connection, which it opens when it is first needed and again when it was lost.

    Attributes:
        mixes: whether different kinds of work may share a transaction. On SQLite they do: it has one writer at a time.
            On PostgreSQL each kind takes its locks in the order of their keys; two kinds in one transaction would take
            them out of order, and two processes would wait for each other.
        backend_pid: the id of the server's process at the other end; 0 while there is none.
    """

    mixes: bool
    backend_pid: int

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and commit."""
        ...

    def sees_foreign_commits(self) -> bool:
        """Whether another process has committed since the last call, where the engine can tell by looking."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class SqliteTransactor:
    """Transactions on a SQLite file; each begins as a writer."""

    mixes = True

    def __init__(self, url: URL) -> None:
        self.backend_pid = 0
        self._engine: Engine = sqlite_writer(url)
        self._connection: Connection | None = None
        self._version = 0

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and commit."""
        connection = self._connected()
        is_clean = False
        try:
            begun = connection.begin()
            transaction = Transaction(connection)
            try:
                result = work(transaction)
            except Exception as error:
                begun.rollback()
                is_clean = not is_away(error)
                raise
            begun.commit()
            is_clean = True
        finally:
            # After a failure to begin, to commit or to roll back nobody knows what the connection is in.
            if not is_clean:
                self._disconnect()
        transaction.committed()
        return result

    def sees_foreign_commits(self) -> bool:
        """Whether another connection than this one has changed the file since the last call."""
        # The number is the connection's own: it stands still for what this one commits.
        driver = self._connected().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        before, self._version = self._version, driver.execute("PRAGMA data_version").fetchone()[0]
        return before not in {0, self._version}

    def close(self) -> None:
        """Give the connection back."""
        self._disconnect()
        self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._version = 0
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresTransactor:
    """Transactions on a PostgreSQL server, in an event loop of this thread's own."""

    mixes = False

    def __init__(self, url: URL) -> None:
        self.backend_pid = 0
        self._engine: AsyncEngine = postgres_writer(url)
        self._connection: AsyncConnection | None = None
        self._runner = asyncio.Runner()
        self._is_committing = False

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and commit."""
        return self._runner.run(self._run(work))

    def sees_foreign_commits(self) -> bool:
        """Nothing to look at: the server tells by itself (`storage.foreign_work`)."""
        return False

    def close(self) -> None:
        """Give the connection back."""
        self._runner.run(self._close())
        self._runner.close()

    async def _run(self, work: Callable[[Transaction], T]) -> T:
        was_connected = self._connection is not None
        self._is_committing = False
        try:
            transaction, result = await self._run_once(work)
        except Exception as error:
            # The server may have gone away while nobody looked, and be back. Not after a commit was asked for: that one
            # may have happened.
            if not was_connected or self._is_committing or not is_away(error):
                raise
            transaction, result = await self._run_once(work)
        transaction.committed()
        return result

    async def _run_once(self, work: Callable[[Transaction], T]) -> tuple[Transaction, T]:
        connection = await self._connected()
        is_clean = False
        try:
            begun = await connection.begin()
            try:
                done = await connection.run_sync(self._in_transaction, work)
            except Exception as error:
                await begun.rollback()
                is_clean = not is_away(error)
                raise
            self._is_committing = True
            await begun.commit()
            is_clean = True
            return done
        finally:
            # After a failure to begin, to commit or to roll back nobody knows what the connection is in.
            if not is_clean:
                await self._disconnect()

    @staticmethod
    def _in_transaction(connection: Connection, work: Callable[[Transaction], T]) -> tuple[Transaction, T]:
        transaction = Transaction(connection)
        return transaction, work(transaction)

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
            driver = (await self._connection.get_raw_connection()).driver_connection
            assert driver is not None
            self.backend_pid = driver.get_server_pid()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _close(self) -> None:
        await self._disconnect()
        await self._engine.dispose()
