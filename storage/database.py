"""The database of one process: the writer, the readers, and everything that is built on them."""

from collections.abc import Callable
from typing import Self

from sqlalchemy.engine import URL

from billing.ports import Clock
from billing.values import to_milliseconds
from storage.alarms import Alarms
from storage.audits import Audits
from storage.checkpoints import Checkpoints
from storage.engines import is_sqlite, parse_url, sqlite_path
from storage.file_lock import FileLock
from storage.flags import Flags
from storage.foreign_work import PostgresListener
from storage.inbox import Inbox
from storage.migrating import SchemaStatus, schema_status
from storage.outbox import Outbox
from storage.paces import Paces
from storage.reader import Reader, SqliteWatch
from storage.reads import PING, Reads
from storage.taking_over import take_over
from storage.transactors import PostgresTransactor, SqliteTransactor, Transactor
from storage.unit import SqlStore
from storage.writer import Writer


class Database:
    """One per process. Nothing is connected before it is needed, so a server starts while its database is away.

    Attributes:
        is_sqlite: whether it is a SQLite file, which one process serves; commands may write beside it.
        store: for billing.
        inbox, outbox, alarms: for the edge and the workers.
        paces: for whoever writes to others and must not do so too fast.
        flags: for whoever sets them, and looks at them.
        reads: for people and pages.
        checkpoints, audits: for proving that the ledger is whole.
    """

    def __init__(self, url: URL, *, clock: Clock, exclusive: bool) -> None:
        self.is_sqlite = is_sqlite(url)
        self._url = url
        self._clock = clock
        self._lock = FileLock(sqlite_path(url)) if self.is_sqlite and exclusive else None
        self._transactor: Transactor = SqliteTransactor(url) if self.is_sqlite else PostgresTransactor(url)
        self._writer = Writer(self._transactor, on_foreign_work=self._tell_of_foreign_work)
        self._reader = Reader(url)
        self._watch = SqliteWatch(self._reader.engine) if self.is_sqlite else None
        self._listener: PostgresListener | None = None
        self._on_foreign_work: Callable[[], None] | None = None
        self.store = SqlStore(self._writer)
        self.inbox = Inbox(self._writer, self._reader, clock)
        self.outbox = Outbox(self._writer, self._reader, clock)
        self.alarms = Alarms(self._writer, self._reader, clock)
        self.paces = Paces(self._writer, clock)
        self.flags = Flags(self._writer, self._reader, clock)
        self.reads = Reads(self._reader, self._watch, clock)
        self.checkpoints = Checkpoints(self._writer, self._reader)
        self.audits = Audits(self._reader)

    @classmethod
    def connect(cls, url: str, *, clock: Clock, exclusive: bool = False) -> Self:
        """The database at this address, not opened yet. `exclusive` is for serving a SQLite file: one process does.

        Raises:
            UnsupportedDatabaseError: There is no such kind of database.
        """
        return cls(parse_url(url), clock=clock, exclusive=exclusive)

    def on_foreign_work(self, callback: Callable[[], None]) -> None:
        """Have this called, in the event loop, when another process may have written work. Before `open`."""
        self._on_foreign_work = callback

    async def open(self) -> None:
        """Get ready to write.

        Raises:
            DatabaseInUseError: Another process serves this SQLite file.
        """
        if self._lock is not None:
            self._lock.acquire()
        self._writer.open()
        if not self.is_sqlite and self._on_foreign_work is not None:
            self._listener = PostgresListener(
                self._url,
                on_work=self._tell_of_foreign_work,
                is_own=lambda backend_pid: backend_pid == self._transactor.backend_pid,
            )
            await self._listener.open()

    async def take_over(self) -> int:
        """Free at once what a killed process had under lease; how much that was.

        Only whoever serves a SQLite file knows that the process before is gone. On PostgreSQL leases run out.

        Raises:
            TemporaryFailureError: It is away.
        """
        if self._lock is None:
            return 0
        now = to_milliseconds(self._clock.now())
        return await self._writer.run(lambda transaction: take_over(transaction, now))

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        if self._listener is not None:
            await self._listener.close()
        await self._writer.close()
        if self._watch is not None:
            await self._watch.close()
        await self._reader.close()
        if self._lock is not None:
            self._lock.release()

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            TemporaryFailureError: It is away.
        """
        await self._reader.run(lambda connection: connection.execute(PING).scalar_one())

    async def schema(self) -> SchemaStatus:
        """Which tables it has, and which this version needs.

        Raises:
            TemporaryFailureError: It is away.
        """
        return await self._reader.run(schema_status)

    def _tell_of_foreign_work(self) -> None:
        if self._on_foreign_work is not None:
            self._on_foreign_work()
