"""The program under simulation: a real database, services over it, a clock that obeys, and what is stored of it all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, text

from billing.commands import (
    Applied,
    Cause,
    Command,
    FollowInstallation,
    FollowMarketplace,
    GitHubAccount,
    InstallationTruth,
    Lease,
    MarketplaceHint,
    MarketplaceTruth,
    Outcome,
)
from billing.plans import PlanCatalog, parse_plans
from billing.service import BillingService
from billing.values import (
    AccountId,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    from_milliseconds,
)
from storage.database import Database
from storage.engines import parse_url
from storage.flags import Flag
from storage.low_balances import unpack_low_balance
from storage.reader import Reader
from tests.ledger.model import Move
from tests.storage.raw import execute

T = TypeVar("T")

ROLLING: Final = 1616
"""How GitHub Marketplace numbers the plan that rolls over."""

PLANS: Final[PlanCatalog] = parse_plans("""
currency = "usd"
default_plan = "trial"
metered_plan = "payg"

[plans.trial]
name = "Trial"
rank = 0
included_credits = 0
signup_credits = 5
price_cents = 0
low_balance = [12, 3, 0]

[plans.payg]
name = "Pay as you go"
rank = 10
included_credits = 0
price_cents = 0
overage_cents = 2900
invoice = "each"

[plans.rolling]
name = "Rolling"
rank = 20
included_credits = 30
price_cents = 59900
rollover_max = 7
first_period = "full"
low_balance = [20, 0]
marketplace_plan_ids = [1616]
""")

ACCOUNT = text("SELECT * FROM credit_accounts WHERE id = :account_id")
GRANTS = text("SELECT * FROM credit_grants WHERE account_id = :account_id ORDER BY number")
HOLDS = text("SELECT * FROM credit_holds WHERE account_id = :account_id ORDER BY id")
SHARES = text(
    "SELECT hold_shares.* FROM hold_shares JOIN credit_holds ON credit_holds.id = hold_shares.hold_id "
    "WHERE account_id = :account_id ORDER BY hold_id, line"
)
CHARGES = text("SELECT * FROM charges WHERE account_id = :account_id ORDER BY seq, hold_id, number")
ENTRIES = text("SELECT * FROM credit_transactions WHERE account_id = :account_id AND seq > :seen ORDER BY seq")
MOVES = text("SELECT * FROM credit_moves WHERE account_id = :account_id AND seq > :seen ORDER BY seq, line")
ALERTS = text("SELECT payload FROM effects WHERE topic = 'low_balance' AND key = :key ORDER BY id")
ACCOUNT_OF = text("SELECT id FROM credit_accounts WHERE customer_id = :customer_id")


class Clock:
    """A clock that goes where it is told to, backwards too, as a machine's may. In milliseconds since 1970."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def now(self) -> datetime:
        """The time."""
        return from_milliseconds(self.milliseconds)

    async def sleep(self, seconds: float) -> None:
        """Let it be later."""
        self.milliseconds += round(seconds * 1000)
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class Stored:
    """What the database holds of one account. Entries come with their moves, only those not seen before."""

    account: dict[str, Any]
    grants: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    shares: dict[int, list[tuple[int, int]]]
    charges: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    moves: dict[int, list[Move]]
    alerts: list[tuple[int, int, int]]


@dataclass(kw_only=True)
class World:
    """The program, twice over the same database when commands are to race."""

    url: str
    clock: Clock
    offices: int = 1
    databases: list[Database] = field(default_factory=list)
    services: list[BillingService] = field(default_factory=list)
    deliveries: int = 0

    async def open(self) -> None:
        """Start the program."""
        self.databases = [Database.connect(self.url, clock=self.clock) for _ in range(self.offices)]
        for database in self.databases:
            await database.open()
        self.services = [BillingService(database.store, self.clock, PLANS) for database in self.databases]

    async def close(self) -> None:
        """End the program, everything that was asked of it being answered."""
        for service in self.services:
            await service.close()
        for database in self.databases:
            await database.close()

    async def together(self, commands: Sequence[Command]) -> list[Outcome | BaseException]:
        """Hand in all at once, in turns to each of the program's processes."""
        turns = [self.services[index % len(self.services)].handle(each) for index, each in enumerate(commands)]
        return list(await asyncio.gather(*turns, return_exceptions=True))

    async def switch_billing(self, *, on: bool) -> None:
        """Set the kill switch of the database."""
        await self.databases[0].flags.set(Flag.BILLING_ENABLED, on=on, by="operator")

    async def install(self, github_id: int) -> CustomerId:
        """Have the App installed on a new account."""
        account = _account(github_id)
        truth = InstallationTruth(
            installation_id=InstallationId(github_id), account=account, suspended=False, repository_selection="all"
        )
        installed = FollowInstallation(
            account=account,
            installation_id=InstallationId(github_id),
            truth=truth,
            installer_id=None,
            cause=await self._cause(github_id),
        )
        outcome = await self.services[0].handle(installed)
        assert isinstance(outcome, Applied), outcome
        return outcome.customer_id

    async def show_plan(self, github_id: int, billed_at: int) -> Outcome:
        """Have GitHub show the plan that rolls over, next billed at this moment."""
        account = _account(github_id)
        truth = MarketplaceTruth(
            account=account,
            marketplace_plan_id=ROLLING,
            plan_name="Rolling",
            per_unit=False,
            monthly_price_cents=59900,
            yearly_price_cents=599_000,
            billing_cycle="monthly",
            unit_count=None,
            on_free_trial=False,
            free_trial_ends_on=None,
            next_billing_date=from_milliseconds(billed_at),
            pending=None,
        )
        hint = MarketplaceHint(action="changed", marketplace_plan_id=None, effective_at=None)
        cause = await self._cause(github_id)
        return await self.services[0].handle(FollowMarketplace(account=account, truth=truth, hint=hint, cause=cause))

    async def _cause(self, github_id: int) -> Cause:
        """A delivery about this account, its partition under a lease."""
        self.deliveries += 1
        partition = f"github:{github_id}"
        await execute(
            self.url,
            "INSERT INTO partitions (key, due_at, lease_number) "
            f"VALUES ('{partition}', 253402300799000, 1) ON CONFLICT DO NOTHING",
        )
        return Cause(
            delivery_id=DeliveryId(self.deliveries),
            received_at=self.clock.now(),
            asked_at=self.clock.now(),
            observation=self.deliveries,
            repeats=0,
            lease=Lease(partition=partition, number=1),
        )


class Witness:
    """Looks at what is stored, with plain SQL and without the program's own reading."""

    def __init__(self, url: str) -> None:
        # A file is read in passing; handing each look to another thread and back would take most of a simulation.
        self._engine = create_engine(url) if url.startswith("sqlite") else None
        self._reader = Reader(parse_url(url))

    async def close(self) -> None:
        """Let go of the database."""
        await self._reader.close()
        if self._engine is not None:
            self._engine.dispose()

    async def account_of(self, customer_id: CustomerId) -> AccountId:
        """The customer's credit account."""
        return await self._run(
            lambda connection: AccountId(connection.execute(ACCOUNT_OF, {"customer_id": customer_id}).scalar_one())
        )

    async def look(self, account_id: AccountId, seen: int) -> Stored:
        """Everything of an account at one moment; of its journal what comes after `seen`."""
        return await self._run(lambda connection: _look(connection, account_id, seen))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        if self._engine is None:
            return await self._reader.run(work)
        with self._engine.connect() as connection:
            # One transaction sees one state; the driver by itself would begin none for reading.
            connection.exec_driver_sql("BEGIN")
            return work(connection)


def _look(connection: Connection, account_id: AccountId, seen: int) -> Stored:
    names = {"account_id": account_id}

    def rows(statement: Any, **more: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(statement, names | more).mappings()]

    shares: dict[int, list[tuple[int, int]]] = {}
    for share in rows(SHARES):
        shares.setdefault(share["hold_id"], []).append((share["grant_number"], share["amount"]))
    moves: dict[int, list[Move]] = {}
    for move in rows(MOVES, seen=seen):
        moved = (move["debit"], move["credit"], move["grant_number"], move["amount"])
        moves.setdefault(move["seq"], []).append(moved)
    payloads = connection.execute(ALERTS, {"key": f"account:{account_id}"}).scalars()
    told = [unpack_low_balance(payload) for payload in payloads]
    return Stored(
        account=rows(ACCOUNT)[0],
        grants=rows(GRANTS),
        holds=rows(HOLDS),
        shares=shares,
        charges=rows(CHARGES),
        entries=rows(ENTRIES, seen=seen),
        moves=moves,
        alerts=[(each.threshold, each.balance, each.seq) for each in told],
    )


def _account(github_id: int) -> GitHubAccount:
    return GitHubAccount(id=GitHubAccountId(github_id), login=f"user-{github_id}", type="User")
