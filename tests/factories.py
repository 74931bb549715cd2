"""Customers in each state, made end to end: people act at the stand-in, its webhooks reach the real server.

A `Deployment` is the product beside its stand-in; `Customers` makes one customer a method, named after the state.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from billing.state import CustomerState
from sandbox.clock import VirtualClock
from sandbox.github.model import Account, Plan
from sandbox.github.server import GitHubStandIn
from storage.database import Database
from storage.deliveries import DeliveryRow
from tests.bot.serving import serving
from tests.contract import GitHubContract

TRIAL: Final = 1111
PRO: Final = 1313
"""Plans of the stand-in's listing and of the shipped catalogue: a free one, and one of 60 credits a month."""

UNKNOWN: Final = 4242
"""A plan of the listing that the shipped catalogue doesn't know."""

BILLING_DAY: Final = 15
"""When GitHub charges the accounts that are made here."""

PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The product beside the stand-in for GitHub, on one clock."""

    github: GitHubStandIn
    database: Database
    clock: VirtualClock
    contract: GitHubContract

    async def settle(self) -> None:
        """Return once every webhook that is due was answered, and every delivery that is due was handled."""
        await self.github.settle()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self._has_work():  # noqa: ASYNC110 -- an end of work rings no bell
                await asyncio.sleep(0.005)

    async def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Let time pass, and everything happen that is due then."""
        self.clock.advance(days=days, hours=hours, seconds=seconds)
        await self.settle()

    async def customer(self, account: Account) -> CustomerState | None:
        """The account's customer; None if there is none."""
        customer_id = await self.database.reads.resolve(f"github:{account.id}")
        return None if customer_id is None else await self.database.reads.customer(customer_id)

    async def deliveries(self) -> list[DeliveryRow]:
        """All that was recorded, the oldest first."""
        return list(reversed(await self.database.inbox.list(limit=100_000)))

    async def _has_work(self) -> bool:
        now = self.clock.now()
        return any(row.run_at <= now for row in await self.database.inbox.list(state="received", limit=1000))


@asynccontextmanager
async def deployed(
    database_url: str, clock: VirtualClock, *, marketplace: str = "on", forward_url: str = ""
) -> AsyncIterator[Deployment]:
    """Run the product and the stand-in, each at the other's address. What crosses the wire keeps GitHub's contract.

    Args:
        database_url: A migrated database.
        clock: Of both.
        marketplace: `GITHUB_MARKETPLACE`.
        forward_url: `GITHUB_FORWARD_URL`; not set if empty.
    """
    contract = GitHubContract()
    async with (
        GitHubStandIn(clock, observers=[contract.see_exchange], event_observers=[contract.see_event]) as github,
        serving(
            database_url,
            clock=clock,
            has_worker=True,
            GITHUB_API_URL=github.api_url,
            GITHUB_CLIENT_ID=github.client_id,
            GITHUB_PRIVATE_KEY=github.private_key_pem,
            GITHUB_WEBHOOK_SECRET=github.webhook_secret,
            GITHUB_MARKETPLACE_WEBHOOK_SECRET=github.marketplace_webhook_secret,
            GITHUB_MARKETPLACE=marketplace,
            GITHUB_FORWARD_URL=forward_url,
        ) as served,
    ):
        github.add_plan(
            Plan(
                id=UNKNOWN,
                number=3,
                name="Unheard of",
                description="Nobody mapped it",
                price_model="FLAT_RATE",
                monthly_price_in_cents=900,
                yearly_price_in_cents=9000,
            )
        )
        github.connect(f"http://127.0.0.1:{served.port}")
        yield Deployment(github=github, database=served.database, clock=clock, contract=contract)
    contract.assert_kept()


@dataclass(kw_only=True)
class Customers:
    """Makes customers. Each method returns the account once everything that it caused was handled."""

    at: Deployment
    made: int = field(default=0)

    def account(self, *, is_organization: bool = True) -> Account:
        """An account that has nothing to do with us yet."""
        self.made += 1
        if is_organization:
            return self.at.github.add_organization(f"org-{self.made}", billing_day=BILLING_DAY)
        return self.at.github.add_user(f"user-{self.made}", billing_day=BILLING_DAY)

    async def purchase_only(self, plan: int = PRO) -> Account:
        """Bought, and not installed."""
        account = self.account()
        self.at.github.buy(account, plan)
        await self.at.settle()
        return account

    async def installed_only(self, *, is_organization: bool = True) -> Account:
        """Installed, and bought nothing."""
        account = self.account(is_organization=is_organization)
        self.at.github.install(account)
        await self.at.settle()
        return account

    async def both(self, plan: int = PRO) -> Account:
        """Bought, then installed, as GitHub's own page has it."""
        account = await self.purchase_only(plan)
        self.at.github.install(account)
        await self.at.settle()
        return account

    async def upgraded(self) -> Account:
        """Had the free plan, and bought the paid one."""
        account = await self.both(TRIAL)
        self.at.github.change(account, PRO)
        await self.at.settle()
        return account

    async def downgrade_pending(self) -> Account:
        """Will have the free plan from the next billing date on."""
        account = await self.both()
        self.at.github.change(account, TRIAL)
        await self.at.settle()
        return account

    async def cancel_pending(self) -> Account:
        """Will have no plan from the next billing date on."""
        account = await self.both()
        self.at.github.cancel(account)
        await self.at.settle()
        return account

    async def cancelled(self) -> Account:
        """Had a paid plan until its cycle's end."""
        account = await self.cancel_pending()
        await self.at.advance(days=31)
        return account

    async def neither_left(self) -> Account:
        """Had both, and has neither any more."""
        account = await self.cancelled()
        self.at.github.uninstall(account)
        await self.at.settle()
        return account

    async def unconfirmed(self) -> Account:
        """Has a paid plan that GitHub doesn't show just now, as after a failed payment."""
        account = await self.both()
        self.at.github.fail_payment(account, hours=12)
        self.at.github.change(account, TRIAL)
        await self.at.settle()
        return account

    async def unknown_plan(self) -> Account:
        """Bought a plan that the catalogue doesn't know."""
        return await self.both(UNKNOWN)

    async def suspended(self) -> Account:
        """Has a suspended installation."""
        account = await self.both()
        self.at.github.suspend(account)
        await self.at.settle()
        return account

    async def uninstalled(self) -> Account:
        """Has a plan, and removed the App."""
        account = await self.both()
        self.at.github.uninstall(account)
        await self.at.settle()
        return account

    async def reinstalled(self) -> Account:
        """Removed the App, and installed it again."""
        account = await self.uninstalled()
        self.at.github.install(account)
        await self.at.settle()
        return account

    async def renamed(self) -> Account:
        """Has another login than at first."""
        account = await self.both()
        self.at.github.rename(account, f"{account.login}-renamed")
        await self.at.settle()
        return account
