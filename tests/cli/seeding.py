"""A database with a few customers, made the way the server makes them: deliveries in, commands through billing."""

import json
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.commands import (
    Applied,
    Cause,
    Command,
    FollowInstallation,
    FollowMarketplace,
    GitHubAccount,
    InstallationTruth,
    MarketplaceHint,
    MarketplaceTruth,
    PendingChange,
    SpendCredits,
)
from billing.plans import PlanCatalog, parse_plans
from billing.service import BillingService
from billing.values import Credits, CustomerId, GitHubAccountId, InstallationId
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import NewDelivery
from tests.arch.tree import ROOT

PRO = 1313
ACME = GitHubAccount(id=GitHubAccountId(6811672), login="acme", type="Organization")
OCTOCAT = GitHubAccount(id=GitHubAccountId(583231), login="octocat", type="User")


def shipped_plans() -> PlanCatalog:
    """The catalogue that ships."""
    return parse_plans((ROOT / "plans.toml").read_text())


@dataclass(slots=True)
class Seeding:
    """Writes history into a database."""

    database: Database
    clock: VirtualClock
    plans: PlanCatalog = field(default_factory=shipped_plans)
    count: int = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def install(self, account: GitHubAccount, installation_id: int = 77) -> None:
        """The App is installed on the account."""
        truth = InstallationTruth(
            installation_id=InstallationId(installation_id),
            account=account,
            suspended=False,
            repository_selection="all",
        )
        command = FollowInstallation(
            account=account,
            installation_id=truth.installation_id,
            truth=truth,
            installer_id=OCTOCAT.id,
            cause=await self.delivery("github", "installation", "created", account),
        )
        await self.carry_out(command)

    async def buy(self, account: GitHubAccount, plan_id: int = PRO, *, pending: PendingChange | None = None) -> None:
        """The account has bought a plan whose billing date is ten days ahead; a change of it may be pending."""
        await self.carry_out(await self.purchase(account, plan_id, pending))

    async def purchase(
        self, account: GitHubAccount, plan_id: int = PRO, pending: PendingChange | None = None
    ) -> FollowMarketplace:
        """What a purchase becomes when it is taken up."""
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        truth = MarketplaceTruth(
            account=account,
            marketplace_plan_id=plan_id,
            plan_name="Pro",
            per_unit=False,
            monthly_price_cents=59900,
            yearly_price_cents=599000,
            billing_cycle="monthly",
            unit_count=1,
            on_free_trial=False,
            free_trial_ends_on=None,
            next_billing_date=midnight + timedelta(days=10),
            pending=pending,
        )
        return FollowMarketplace(
            account=account,
            truth=truth,
            hint=MarketplaceHint(action="purchased", marketplace_plan_id=plan_id, effective_at=midnight),
            cause=await self.delivery("github_marketplace", "marketplace_purchase", "purchased", account),
        )

    async def spend(self, account: GitHubAccount, amount: int) -> None:
        """The account uses credits."""
        customer_id = await self.customer(account)
        await self.carry_out(
            SpendCredits(
                customer_id=customer_id,
                amount=Credits(amount),
                key=f"spend:{self.count}",
                actor="operator",
                reference="repository:7#12",
                occurred_at=self.now,
            )
        )

    async def customer(self, account: GitHubAccount) -> CustomerId:
        """The account's customer id."""
        customer_id = await self.database.reads.resolve(f"github:{account.id}")
        assert customer_id is not None
        return customer_id

    async def carry_out(self, command: Command) -> None:
        """Let billing carry the command out."""
        service = BillingService(self.database.store, self.clock, self.plans)
        outcome = await service.handle(command)
        await service.close()
        assert isinstance(outcome, Applied), outcome
        if isinstance(command, FollowInstallation | FollowMarketplace):
            await self.database.inbox.release([command.cause.lease])

    async def receive(self, route: str, event: str, action: str, account: GitHubAccount) -> None:
        """A delivery comes in."""
        self.count += 1
        body = {"action": action, "account": {"id": account.id}}
        await self.database.inbox.record(
            NewDelivery(
                route=route,
                delivery_id=f"delivery-{self.count}",
                event=event,
                action=action,
                partition=f"github:{account.id}",
                body=zlib.compress(json.dumps(body).encode(), level=1),
                received_at=self.now,
            )
        )

    async def delivery(self, route: str, event: str, action: str, account: GitHubAccount) -> Cause:
        """A delivery comes in and is taken up."""
        await self.receive(route, event, action, account)
        (claimed,) = await self.database.inbox.claim(partitions=1, deliveries=1, lease_seconds=30)
        return Cause(
            delivery_id=claimed.id,
            received_at=claimed.received_at,
            asked_at=claimed.received_at,
            observation=claimed.observation,
            repeats=claimed.repeats,
            lease=claimed.lease,
        )


async def seed(url: str) -> None:
    """Acme has bought Pro, installed and used some; octocat has installed only."""
    clock = VirtualClock()
    database = Database.connect(url, clock=clock)
    await database.open()
    seeding = Seeding(database, clock)
    await seeding.install(ACME)
    await seeding.buy(ACME)
    await seeding.spend(ACME, 3)
    await seeding.install(OCTOCAT, installation_id=78)
    await database.close()


def user(account_id: int, login: str) -> GitHubAccount:
    """A user at GitHub."""
    return GitHubAccount(id=GitHubAccountId(account_id), login=login, type="User")
