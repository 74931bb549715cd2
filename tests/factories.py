"""Customers in each state, made end to end: people act at the stand-in, its webhooks reach the real server.

A `Deployment` is the product beside its stand-in; `Customers` makes customers by the scenarios of `sandbox.scenarios`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from billing.state import CustomerState
from sandbox import scenarios
from sandbox.clock import VirtualClock
from sandbox.github.model import Account
from sandbox.github.server import GitHubStandIn
from storage.database import Database
from storage.deliveries import DeliveryRow
from tests.bot.serving import serving
from tests.contract import GitHubContract

TRIAL: Final = scenarios.TRIAL
PRO: Final = scenarios.PRO
UNKNOWN: Final = scenarios.UNKNOWN

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
            GITHUB_APP_ID=str(github.app_id),
            GITHUB_CLIENT_ID=github.client_id,
            GITHUB_PRIVATE_KEY=github.private_key_pem,
            GITHUB_WEBHOOK_SECRET=github.webhook_secret,
            GITHUB_MARKETPLACE_WEBHOOK_SECRET=github.marketplace_webhook_secret,
            GITHUB_MARKETPLACE=marketplace,
            GITHUB_FORWARD_URL=forward_url,
        ) as served,
    ):
        github.connect(f"http://127.0.0.1:{served.port}")
        yield Deployment(github=github, database=served.database, clock=clock, contract=contract)
    contract.assert_kept()


@dataclass(kw_only=True)
class Customers:
    """Makes customers by the sandbox's scenarios. Each method returns the account once all it caused was handled."""

    at: Deployment

    def account(self, *, is_organization: bool = True) -> Account:
        """An account that has nothing to do with us yet."""
        name = "org" if is_organization else "user"
        return scenarios.new_account(self.at.github, name, is_organization=is_organization)

    async def purchase_only(self, plan: int = PRO) -> Account:
        """Bought, and not installed."""
        return await scenarios.purchase_only(self.at.github, self.at.settle, plan=plan)

    async def installed_only(self, *, is_organization: bool = True) -> Account:
        """Installed, and bought nothing."""
        return await scenarios.installed_only(self.at.github, self.at.settle, is_organization=is_organization)

    async def both(self, plan: int = PRO) -> Account:
        """Bought, then installed, as GitHub's own page has it."""
        return await scenarios.both(self.at.github, self.at.settle, plan=plan)

    async def made(self, state: str) -> Account:
        """A customer in the state of this name, one of `SCENARIOS`."""
        return await scenarios.SCENARIOS[state].run(self.at.github, self.at.settle)
