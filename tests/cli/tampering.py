"""A ledger with everything in it, and its file's owner, who isn't kept from anything."""

import asyncio
import base64
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
from pydantic import SecretStr

from billing.commands import CaptureHold, Command, ExtendHold, GrantCredits, HoldCredits, Note, PaidTerms, RecordUsage
from billing.service import BillingService
from billing.values import NEVER, Credits, HoldId
from bot.checkpoints import CheckpointMaker
from bot.signing import Signer
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.engines import is_sqlite, parse_url, sqlite_path
from tests.cli.seeding import ACME, OCTOCAT, Seeding, shipped_plans

KEY = base64.b64encode(bytes(range(32))).decode()
"""What the tests' ledgers are signed with."""

LEDGER = (
    "credit_accounts",
    "credit_grants",
    "credit_transactions",
    "credit_moves",
    "credit_notes",
    "credit_holds",
    "hold_shares",
    "charges",
    "ledger_checkpoints",
    "ledger_heads",
)
"""The tables that the money rests on."""


def signer() -> Signer:
    """What signs with the key above."""
    made = Signer.of([SecretStr(KEY)])
    assert made is not None
    return made


class Ledger:
    """Writes a ledger as the server does, and checkpoints over it."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.database = database
        self.clock = clock
        self.seeding = Seeding(database, clock)
        self._count = 0

    async def do(self, command: Command) -> None:
        """Carry a command out."""
        service = BillingService(self.database.store, self.clock, shipped_plans())
        await service.handle(command)
        await service.close()

    async def fill(self) -> None:
        """Book of everything something: grants, notes, spends, holds open, extended and captured, charges, debt."""
        await self.seeding.install(ACME)
        await self.seeding.buy(ACME)
        await self.seeding.spend(ACME, 3)
        await self.seeding.install(OCTOCAT, installation_id=78)
        await self._correct()
        await self._hold()
        await self.checkpoint()
        await self.seeding.spend(ACME, 1)
        self.clock.advance(hours=1)
        await self.checkpoint()

    async def checkpoint(self) -> None:
        """Put all of it under a digest."""
        await CheckpointMaker(self.database.checkpoints, signer(), self.clock).make()

    async def _correct(self) -> None:
        customer_id = await self.seeding.customer(ACME)
        note = Note(text="sorry for the outage", actor_name="Ada", salt=b"0123456789abcdef")
        await self.do(
            GrantCredits(
                customer_id=customer_id, amount=Credits(7), expires_at=NEVER, key="gift", actor="operator", note=note
            )
        )
        await self.do(
            RecordUsage(
                customer_id=await self.seeding.customer(OCTOCAT),
                amount=Credits(9),
                key="late",
                actor="operator",
                reference="repository:7#13",
                occurred_at=self.clock.now() - timedelta(hours=1),
            )
        )

    async def _hold(self) -> None:
        """Hold twice: one stays open, one is captured with paid units."""
        customer_id = await self.seeding.customer(ACME)
        available = (await self._available()) - 5
        for amount, paid in ((5, None), (available + 2, PaidTerms(units=2, price_cents=2900))):
            self._count += 1
            await self.do(
                HoldCredits(
                    customer_id=customer_id,
                    amount=Credits(amount),
                    lasts=timedelta(hours=1),
                    key=f"hold:{self._count}",
                    actor="operator",
                    reference=f"repository:7#{self._count}",
                    paid=paid,
                )
            )
        kept, captured = await self._holds()
        await self.do(
            ExtendHold(customer_id=customer_id, hold_id=kept, lasts=timedelta(hours=3), key="longer", actor="operator")
        )
        await self.do(
            CaptureHold(
                customer_id=customer_id, hold_id=captured, amount=Credits(available + 2), key="done", actor="operator"
            )
        )
        await self.do(
            GrantCredits(
                customer_id=customer_id, amount=Credits(4), expires_at=NEVER, key="again", actor="operator", note=None
            )
        )

    async def _available(self) -> int:
        state = await self.database.reads.customer(await self.seeding.customer(ACME))
        assert state is not None
        return state.account.posted - state.account.held

    async def _holds(self) -> Sequence[HoldId]:
        state = await self.database.reads.customer(await self.seeding.customer(ACME))
        assert state is not None
        found = await self.database.reads.holds(state.account.id)
        return sorted(hold.id for hold in found)


def fill_ledger(url: str) -> None:
    """Write a ledger with everything in it."""

    async def fill() -> None:
        clock = VirtualClock()
        database = Database.connect(url, clock=clock)
        await database.open()
        try:
            await Ledger(database, clock).fill()
        finally:
            await database.close()

    asyncio.run(fill())


Row = Mapping[str, Any]


class Owner:
    """Whoever has the database: no trigger, no condition and no foreign key stands in the way.

    Each is one connection and one transaction; to be used on either engine alike, with `?` for parameters.
    """

    def __init__(self, execute: Callable[[str, Sequence[Any]], list[Row]]) -> None:
        self._execute = execute

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Run a statement; the rows that it gives."""
        return self._execute(sql, parameters)

    def value(self, sql: str, *parameters: object) -> Any:
        """The first column of the only row."""
        (row,) = self.rows(sql, *parameters)
        return next(iter(row.values()))


def as_owner(url: str, work: Callable[[Owner], None]) -> None:
    """Let the database's owner do something, and commit."""
    if is_sqlite(parse_url(url)):
        _in_sqlite(url, work)
    else:
        asyncio.run(_in_postgres(url, work))


def _in_sqlite(url: str, work: Callable[[Owner], None]) -> None:
    connection = sqlite3.connect(sqlite_path(parse_url(url)), isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')

    def execute(sql: str, parameters: Sequence[Any]) -> list[Row]:
        found = connection.execute(sql, parameters)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found]

    try:
        work(Owner(execute))
    finally:
        connection.close()


async def _in_postgres(url: str, work: Callable[[Owner], None]) -> None:
    connection = await asyncpg.connect(
        parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await connection.execute("SET session_replication_role = replica")
    conditions = await connection.fetch(
        "SELECT conrelid::regclass AS name, conname FROM pg_constraint WHERE contype = 'c' AND connamespace ="
        " 'public'::regnamespace AND conrelid <> 0"
    )
    for condition in conditions:
        await connection.execute(f'ALTER TABLE {condition["name"]} DROP CONSTRAINT "{condition["conname"]}"')
    loop = asyncio.get_running_loop()

    def execute(sql: str, parameters: Sequence[Any]) -> list[Row]:
        for number in range(1, len(parameters) + 1):
            sql = sql.replace("?", f"${number}", 1)
        found = asyncio.run_coroutine_threadsafe(connection.fetch(sql, *parameters), loop).result()
        return [dict(row) for row in found]

    try:
        await asyncio.to_thread(work, Owner(execute))
    finally:
        await connection.close()
