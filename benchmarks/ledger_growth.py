"""What a ledger's size costs: the same spends over journals of ten thousand, a million and ten million entries.

The entries that are there already are made up and written in bulk by the bare driver, their triggers aside: of each
only the place in its account's sequence, the balance, the key and the size are like a real one's. They spread over all
10,000 accounts, so that every spend meets the journal at another place.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from benchmarks.callers import Load, ask
from benchmarks.ledger_ceiling import ENTRY_COLUMNS, LAST_ENTRY, LAST_MOVE, MOVE_COLUMNS, Insertion, Row
from benchmarks.ledger_contenders import Product
from benchmarks.ledger_places import ACCOUNTS, FIRST_CUSTOMER, Place
from benchmarks.pairs import Spread
from benchmarks.progress import tell
from billing.values import CustomerId
from storage.engines import is_sqlite, parse_url, sqlite_path

GROWN_TO: Final = (10_000, 1_000_000, 10_000_000)
"""Entries. The first is what the filled database has."""

READS: Final = 200
"""How many balances are read in a round."""

ONE_CALLER: Final = "one caller: median"
BUSY: Final = "64 callers: spends a second"
BALANCE: Final = "balance read: median"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What a figure at this size is of the same figure at the smallest one, in pairs."""

    engine: str
    entries: int
    figures: dict[str, float]
    ratios: dict[str, Spread]


@dataclass(slots=True)
class _Size:
    """One size under measurement: milliseconds, or spends a second, round by round."""

    entries: int
    product: Product
    figures: dict[str, list[float]] = field(default_factory=lambda: {ONE_CALLER: [], BUSY: [], BALANCE: []})


def measure_growth(place: Place, sizes: Sequence[int], *, pairs: int, seconds: float) -> list[Grown]:
    """Fill a database for each size, then measure them in turns."""
    addresses = [place.copy() for _ in sizes]
    for url, entries in zip(addresses, sizes, strict=True):
        tell(f"{place.engine}: filling a journal of {entries:,} entries")
        _grow(url, entries)
    return asyncio.run(_measure(place.engine, dict(zip(addresses, sizes, strict=True)), pairs=pairs, seconds=seconds))


async def _measure(engine: str, databases: dict[str, int], *, pairs: int, seconds: float) -> list[Grown]:
    sizes = [_Size(entries, Product(url)) for url, entries in databases.items()]
    draw = random.Random(5)
    for size in sizes:
        await size.product.open()
        await _spend(size, draw, callers=64, seconds=seconds)
    for number in range(1, pairs + 1):
        tell(f"{engine}: round {number} of {pairs}")
        for size in sizes:
            one = await _spend(size, draw, callers=1, seconds=seconds)
            busy = await _spend(size, draw, callers=64, seconds=seconds)
            size.figures[ONE_CALLER].append(one.latency_milliseconds(0.5))
            size.figures[BUSY].append(busy.rate)
            size.figures[BALANCE].append(await _read(size, draw))
    for size in sizes:
        await size.product.close()
    return [
        Grown(
            engine=engine,
            entries=size.entries,
            figures={name: Spread.of(figures).median for name, figures in size.figures.items()},
            ratios={name: Spread.of_ratios(size.figures[name], first) for name, first in sizes[0].figures.items()},
        )
        for size in sizes
    ]


async def _spend(size: _Size, draw: random.Random, *, callers: int, seconds: float) -> Load:
    async def question() -> None:
        customer = draw.randint(FIRST_CUSTOMER, FIRST_CUSTOMER + ACCOUNTS - 1)
        await size.product.spend(customer, f"{draw.getrandbits(128):032x}")

    return await ask(question, callers=callers, seconds=seconds)


async def _read(size: _Size, draw: random.Random) -> float:
    """The median time in which a balance is read, in milliseconds."""
    times = []
    for _ in range(READS):
        customer_id = CustomerId(draw.randint(FIRST_CUSTOMER, FIRST_CUSTOMER + ACCOUNTS - 1))
        began = time.perf_counter()
        assert await size.product.database.reads.customer(customer_id) is not None
        times.append(time.perf_counter() - began)
    return Spread.of(times).median * 1000


def _grow(url: str, entries: int) -> None:
    """Add made-up entries until there are so many."""
    each = entries // ACCOUNTS - 1
    if each <= 0:
        return
    if is_sqlite(parse_url(url)):
        _grow_sqlite(sqlite3.connect(sqlite_path(parse_url(url)), isolation_level=None), each)
    else:
        asyncio.run(_grow_postgres(url.replace("+asyncpg", ""), each))


def _grow_sqlite(connection: sqlite3.Connection, each: int) -> None:
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    made = _Made(connection.execute("SELECT id, version, posted FROM credit_accounts ORDER BY id").fetchall(), each)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.row_factory = sqlite3.Row
    entry, move = (dict(connection.execute(sql).fetchone()) for sql in (LAST_ENTRY, LAST_MOVE))
    connection.execute("BEGIN")
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for table, columns, row, rows in (
        ("credit_transactions", ENTRY_COLUMNS, entry, made.entries()),
        ("credit_moves", MOVE_COLUMNS, move, made.moves()),
    ):
        insertion = Insertion.like(table, columns, row)
        connection.executemany(insertion.statement.replace("$", "?"), (changing + insertion.rest for changing in rows))
    connection.executemany("UPDATE credit_accounts SET version = ?1, head = ?2 WHERE id = ?3", made.heads)
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.close()


async def _grow_postgres(url: str, each: int) -> None:
    connection: Any = await asyncpg.connect(url)
    accounts = [
        tuple(row) for row in await connection.fetch("SELECT id, version, posted FROM credit_accounts ORDER BY id")
    ]
    entry, move = [dict(await connection.fetchrow(sql)) for sql in (LAST_ENTRY, LAST_MOVE)]
    made = _Made(accounts, each)
    # No triggers, and no look for foreign keys, in this session alone.
    await connection.execute("SET session_replication_role = replica")
    for table, columns, row, rows in (
        ("credit_transactions", ENTRY_COLUMNS, entry, made.entries()),
        ("credit_moves", MOVE_COLUMNS, move, made.moves()),
    ):
        insertion = Insertion.like(table, columns, row)
        whole = (changing + insertion.rest for changing in rows)
        await connection.copy_records_to_table(table, records=whole, columns=insertion.columns)
    await connection.executemany("UPDATE credit_accounts SET version = $1, head = $2 WHERE id = $3", made.heads)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


class _Made:
    """Entries that continue every account's sequence by so many, and the heads that they lead to."""

    def __init__(self, accounts: Sequence[tuple[int, int, int]], each: int) -> None:
        self._accounts = accounts
        self._each = each
        self.heads: list[Row] = []

    def entries(self) -> Iterator[Row]:
        """What differs from row to row, in the order of `ENTRY_COLUMNS`.

        The balance stays what the account says, so that a spend can follow. The hashes of the keys ascend, or the index
        of them would be built at random places, which takes hours.
        """
        noise = random.Random(6).randbytes
        now = time.time_ns() // 1_000_000  # noqa: TID251 -- made-up entries have no clock to ask
        gap = 2**128 // (len(self._accounts) * self._each + 1)
        number = 0
        for account, version, posted in self._accounts:
            head = noise(32)
            for seq in range(version + 1, version + self._each + 1):
                number += 1
                previous, head = head, noise(32)
                key_hash = (number * gap).to_bytes(16, "big")
                yield (account, seq, posted, head[:16].hex(), key_hash, head, now, now, previous, head)
            self.heads.append((version + self._each, head, account))

    def moves(self) -> Iterator[Row]:
        """What differs from row to row, in the order of `MOVE_COLUMNS`."""
        for account, version, _ in self._accounts:
            for seq in range(version + 1, version + self._each + 1):
                yield (account, seq, 1)
