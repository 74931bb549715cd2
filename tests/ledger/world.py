"""The program under simulation: a real database, services over it, and a clock that obeys."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

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
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    from_milliseconds,
)
from storage.database import Database
from storage.flags import Flag
from tests.storage.raw import execute

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
        """Have the App installed on a new account, whose partition somebody works on from now on."""
        await execute(
            self.url,
            "INSERT INTO partitions (key, due_at, lease_number) "
            f"VALUES ('{_partition(github_id)}', 253402300799000, 1) ON CONFLICT DO NOTHING",
        )
        account = _account(github_id)
        truth = InstallationTruth(
            installation_id=InstallationId(github_id), account=account, suspended=False, repository_selection="all"
        )
        installed = FollowInstallation(
            account=account,
            installation_id=InstallationId(github_id),
            truth=truth,
            installer_id=None,
            cause=self._cause(github_id),
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
        cause = self._cause(github_id)
        return await self.services[0].handle(FollowMarketplace(account=account, truth=truth, hint=hint, cause=cause))

    def _cause(self, github_id: int) -> Cause:
        """A delivery about this account, its partition under a lease."""
        self.deliveries += 1
        return Cause(
            delivery_id=DeliveryId(self.deliveries),
            received_at=self.clock.now(),
            asked_at=self.clock.now(),
            observation=self.deliveries,
            repeats=0,
            lease=Lease(partition=_partition(github_id), number=1),
        )


def _partition(github_id: int) -> str:
    return f"github:{github_id}"


def _account(github_id: int) -> GitHubAccount:
    return GitHubAccount(id=GitHubAccountId(github_id), login=f"user-{github_id}", type="User")
