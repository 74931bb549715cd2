"""Our side of a history: what the database says, in plain SQL, so that nothing of the product is asked about itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, Final, Self

import asyncpg

from billing.values import NEVER, to_milliseconds
from storage.engines import BUSY_SECONDS, is_sqlite, parse_url, sqlite_path

Row = Mapping[str, Any]

ENDS: Final = frozenset({"done", "ignored", "refused", "dead"})

PATIENCE_SECONDS: Final = 120.0
"""How long everything may take to come to its end: longer than any lease of a worker that died."""

LOOK_SECONDS: Final = 0.02

_NEVER: Final = to_milliseconds(NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer with everything that hangs on it. Times are milliseconds since 1970.

    Attributes:
        subscription: the row of the Marketplace; None if there is none.
        installations: the states by GitHub's id.
        entries: the journal in its order.
        grants: all that were ever made.
    """

    row: Row
    subscription: Row | None
    installations: Mapping[int, str]
    entries: Sequence[Row]
    grants: Sequence[Row]


class OurSide:
    """Looks on while the product works, by the bare drivers: whoever waits for it looks thousands of times."""

    def __init__(self, database: sqlite3.Connection | asyncpg.Connection) -> None:
        self._database = database
        # One connection answers one question at a time.
        self._turn = asyncio.Lock()
        self._dead_leases: set[tuple[str, int]] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, address: str) -> AsyncIterator[Self]:
        """Look at this database."""
        url = parse_url(address)
        if is_sqlite(url):
            file = sqlite3.connect(sqlite_path(url), timeout=BUSY_SECONDS, isolation_level=None)
            file.row_factory = sqlite3.Row
            with closing(file):
                yield cls(file)
            return
        server = await asyncpg.connect(url.set(drivername="postgresql").render_as_string())
        try:
            yield cls(server)
        finally:
            await server.close()

    async def rows(self, statement: str) -> Sequence[Row]:
        """What a statement selects."""
        if isinstance(self._database, sqlite3.Connection):
            return [dict(row) for row in self._database.execute(statement)]
        async with self._turn:
            return [dict(row) for row in await self._database.fetch(statement)]

    # Whether the product is at work ----------------------------------------------------------------------------------

    async def note_death(self, now: int) -> None:
        """Nobody works under the leases of now any more."""
        rows = await self._partitions()
        self._dead_leases |= {(row["key"], row["lease_number"]) for row in rows if row["lease_until"] > now}

    async def is_at_rest(self, now: int) -> bool:
        """Whether the product has nothing to do: nothing is due, and nobody works on anything."""
        for row in await self._partitions():
            is_leased = row["lease_until"] > now and (row["key"], row["lease_number"]) not in self._dead_leases
            if is_leased or row["due_at"] <= now:
                return False
        return True

    async def next_due(self) -> int | None:
        """When there is something to do again."""
        return min((row["due_at"] for row in await self._partitions() if row["due_at"] < _NEVER), default=None)

    async def told(self) -> str:
        """What is under way, for a failure's text."""
        events = "SELECT id, event, partition, attempts, run_at, error FROM billing_events WHERE state = 'received'"
        return f"{await self._partitions()} {await self.rows(events)}"

    async def _partitions(self) -> Sequence[Row]:
        return await self.rows("SELECT key, due_at, lease_number, lease_until FROM partitions")

    async def all_ended(self) -> None:
        """Wait until every delivery has come to its end."""
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            if not await self.rows("SELECT id FROM billing_events WHERE state = 'received' LIMIT 1"):
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"not everything came to its end: {await self.told()}")

    async def all_sent(self) -> None:
        """Wait until every effect has come to its end."""
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            if not await self.rows("SELECT id FROM effects WHERE state = 'pending' LIMIT 1"):
                return
            await asyncio.sleep(LOOK_SECONDS)
        pending = "SELECT id, topic, key, attempts, run_at, error FROM effects WHERE state = 'pending'"
        raise AssertionError(f"not everything was sent: {await self.rows(pending)}")

    # What it came to -------------------------------------------------------------------------------------------------

    async def deliveries(self) -> Mapping[str, Row]:
        """The inbox by GitHub's delivery id."""
        rows = await self.rows("SELECT delivery_id, event, action, state, received_at, error FROM billing_events")
        return {row["delivery_id"]: row for row in rows}

    async def alarms(self) -> Sequence[Row]:
        """Everything that was ever alarming."""
        return await self.rows("SELECT kind, subject, detail FROM alarms")

    async def customers(self) -> Mapping[int, Customer]:
        """All customers by GitHub's account id."""
        subscriptions = {row["customer_id"]: row for row in await self.rows("SELECT * FROM subscriptions")}
        installations = await self.rows("SELECT id, customer_id, state FROM installations")
        entries = await self.rows(
            "SELECT credit_accounts.customer_id, seq, kind, amount, balance_after, idempotency_key, recorded_at"
            " FROM credit_transactions JOIN credit_accounts ON credit_accounts.id = account_id ORDER BY seq"
        )
        grants = await self.rows(
            "SELECT credit_accounts.customer_id, number, origin, amount, remaining, expires_at, period_starts_at"
            " FROM credit_grants JOIN credit_accounts ON credit_accounts.id = account_id ORDER BY number"
        )
        return {
            row["github_account_id"]: Customer(
                row=row,
                subscription=subscriptions.get(row["id"]),
                installations={each["id"]: each["state"] for each in installations if each["customer_id"] == row["id"]},
                entries=[each for each in entries if each["customer_id"] == row["id"]],
                grants=[each for each in grants if each["customer_id"] == row["id"]],
            )
            for row in await self.rows("SELECT * FROM customers")
        }
