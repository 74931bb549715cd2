"""The ledger's ceiling: the rows that a batch of spends writes, written by the bare driver, and nothing else.

It decides nothing, looks nothing up, hashes nothing and knows the accounts by heart: made-up hashes stand in the rows,
chained as the database's triggers want them. Like the product it takes at most 64 spends of as many waiting callers
into a transaction, and answers each after the commit. The tables, their indexes and triggers are the product's.
"""

import asyncio
import random
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import asyncpg
from typing_extensions import override

from benchmarks.ledger_places import GRANTED, account_of
from storage.engines import parse_url, sqlite_path

BATCH: Final = 64

ENTRY_COLUMNS: Final = (
    "account_id",
    "seq",
    "balance_after",
    "idempotency_key",
    "key_hash",
    "request_hash",
    "occurred_at",
    "recorded_at",
    "previous_hash",
    "hash",
)
MOVE_COLUMNS: Final = ("account_id", "seq", "amount")
"""What differs from row to row. The others are as in the spend that the database was filled with."""

GRANT_UPDATE: Final = (
    "UPDATE credit_grants "
    "SET remaining = $1, held = 0, spent = $2, expired = 0, revoked = 0, taken = 0, owed = 0, reversed = 0 "
    "WHERE account_id = $3 AND number = 1"
)
ACCOUNT_UPDATE: Final = (
    "UPDATE credit_accounts "
    "SET posted = $1, version = $2, grants_made = 1, next_expiry = $3, booked_at = $4, head = $5, held = 0, debt = 0, "
    "next_timeout = $6 WHERE id = $7 AND version = $8"
)
LAST_ENTRY: Final = "SELECT * FROM credit_transactions ORDER BY id DESC LIMIT 1"
LAST_MOVE: Final = "SELECT * FROM credit_moves WHERE credit = 'used' LIMIT 1"
ACCOUNTS: Final = "SELECT id, version, posted, next_expiry, next_timeout, head FROM credit_accounts"

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Account:
    """Where an account stands, by heart."""

    version: int
    posted: int
    next_expiry: int
    next_timeout: int
    head: bytes


class _Rows(NamedTuple):
    """What a batch writes, table by table, in the order of the statements."""

    accounts: list[Row]
    grants: list[Row]
    entries: list[Row]
    moves: list[Row]


class Ceiling(ABC):
    """Gathers callers into batches; an engine's driver writes them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, str, asyncio.Future[None]]] = deque()
        self._accounts: dict[int, _Account] = {}
        self._statements: tuple[str, ...] = ()
        self._random = random.Random(7)

    async def spend(self, customer: int, key: str) -> None:
        """Book one credit spent by this customer, under this idempotency key."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((account_of(customer), key, future))
        self._wake()
        await future

    @abstractmethod
    def _wake(self) -> None:
        """See to it that what waits is written."""

    def _learn(self, entry: dict[str, Any], move: dict[str, Any], accounts: list[Row]) -> None:
        """Take over the accounts, and how a spend's rows look."""
        self._accounts = {row[0]: _Account(*row[1:]) for row in accounts}
        self._entries = Insertion.like("credit_transactions", ENTRY_COLUMNS, entry)
        self._moves = Insertion.like("credit_moves", MOVE_COLUMNS, move)
        inserts = (self._entries.statement, self._moves.statement)
        self._statements = (ACCOUNT_UPDATE, GRANT_UPDATE, *inserts)

    def _take(self) -> tuple[list[asyncio.Future[None]], _Rows]:
        """The next batch: who waits for it, and what it writes."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        now = time.time_ns() // 1_000_000  # noqa: TID251 -- the ceiling has no clock to give
        noise = self._random.randbytes
        before = {number: self._accounts[number].version for number, _, _ in batch}
        rows = _Rows([], [], [], [])
        for number, key, _ in batch:
            account = self._accounts[number]
            account.version += 1
            account.posted -= 1
            head = noise(32)
            changing = (number, account.version, account.posted, key, head[:16], head, now, now, account.head, head)
            account.head = head
            rows.entries.append(changing + self._entries.rest)
            rows.moves.append((number, account.version, 1, *self._moves.rest))
        for number, version in before.items():
            account = self._accounts[number]
            rows.grants.append((account.posted, GRANTED - account.posted, number))
            moment = (account.next_expiry, now, account.head, account.next_timeout)
            rows.accounts.append((account.posted, account.version, *moment, number, version))
        return [future for _, _, future in batch], rows


class SqliteCeiling(Ceiling):
    """The bare `sqlite3`, in the event loop's own thread: a hand-over to another one would cost it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._connection = sqlite3.connect(sqlite_path(parse_url(url)), isolation_level=None)
        self._is_woken = False

    async def open(self) -> None:
        """Connect to the database."""
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "recursive_triggers = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.row_factory = sqlite3.Row
        entry, move = (dict(self._connection.execute(sql).fetchone()) for sql in (LAST_ENTRY, LAST_MOVE))
        self._connection.row_factory = None
        self._learn(entry, move, self._connection.execute(ACCOUNTS).fetchall())
        # SQLite's own marks are numbered, too.
        self._statements = tuple(statement.replace("$", "?") for statement in self._statements)

    async def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    @override
    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._commit)

    def _commit(self) -> None:
        futures, rows = self._take()
        self._connection.execute("BEGIN IMMEDIATE")
        for statement, parameters in zip(self._statements, rows, strict=True):
            self._connection.executemany(statement, parameters)
        self._connection.execute("COMMIT")
        for future in futures:
            future.set_result(None)
        self._is_woken = False
        if self._waiting:
            self._wake()


class PostgresCeiling(Ceiling):
    """The bare asyncpg, over one connection; its `executemany` sends a table's rows in one go."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url.replace("+asyncpg", "")
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect to the database."""
        self._connection = await asyncpg.connect(self._url)
        entry, move = [dict(await self._connection.fetchrow(sql)) for sql in (LAST_ENTRY, LAST_MOVE)]
        self._learn(entry, move, [tuple(row) for row in await self._connection.fetch(ACCOUNTS)])

    async def close(self) -> None:
        """Let go of the database."""
        await self._connection.close()

    @override
    def _wake(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._commit_all())

    async def _commit_all(self) -> None:
        while self._waiting:
            futures, rows = self._take()
            async with self._connection.transaction():
                for statement, parameters in zip(self._statements, rows, strict=True):
                    await self._connection.executemany(statement, parameters)
            for future in futures:
                future.set_result(None)
            # Those who were answered ask again before the next batch is taken.
            await asyncio.sleep(0)
        self._task = None


@dataclass(frozen=True, slots=True)
class Insertion:
    """How rows like a given one are inserted: their columns, the changing ones first, and what stands in the others."""

    table: str
    columns: tuple[str, ...]
    rest: Row

    @classmethod
    def like(cls, table: str, changing: tuple[str, ...], row: dict[str, Any]) -> "Insertion":
        """Insert rows like this one; the database numbers them by itself."""
        rest = [name for name in row if name not in {*changing, "id"}]
        return cls(table=table, columns=(*changing, *rest), rest=tuple(row[name] for name in rest))

    @property
    def statement(self) -> str:
        """The statement for one row."""
        marks = ", ".join(f"${number}" for number in range(1, len(self.columns) + 1))
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 -- names of ours
