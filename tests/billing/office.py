"""A billing service over a store in memory, and commands for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

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
    SpendCredits,
)
from billing.ledger.verify import verify_account
from billing.service import BillingService
from billing.values import CustomerId, DeliveryId, GitHubAccountId, InstallationId
from sandbox.clock import VirtualClock
from tests.billing.builders import ACCOUNT, PLANS, PRO, day, spend
from tests.fakes import MemoryStore


class Office:
    """A billing service over a store in memory, and commands for it."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = VirtualClock(day(12, 1, 9), frozen=True)
        self.store = MemoryStore() if store is None else store
        self.service = BillingService(self.store, self.clock, PLANS)
        self._deliveries = 0
        self._leases: dict[str, Lease] = {}

    def cause(self, github_id: int) -> Cause:
        """A delivery about this account, under a lease that holds."""
        self._deliveries += 1
        partition = f"github:{github_id}"
        if partition not in self._leases:
            self._leases[partition] = self.store.claim(partition)
        return Cause(
            delivery_id=DeliveryId(self._deliveries),
            received_at=self.clock.now(),
            asked_at=self.clock.now(),
            observation=self._deliveries,
            repeats=0,
            lease=self._leases[partition],
        )

    def installed(self, github_id: int, *, installer: int | None = None, kind: str = "User") -> FollowInstallation:
        """An installation on this account."""
        account = GitHubAccount(id=GitHubAccountId(github_id), login=f"user-{github_id}", type=kind)
        return FollowInstallation(
            account=account,
            installation_id=InstallationId(github_id),
            truth=InstallationTruth(
                installation_id=InstallationId(github_id),
                account=account,
                suspended=False,
                repository_selection="all",
            ),
            installer_id=None if installer is None else GitHubAccountId(installer),
            cause=self.cause(github_id),
        )

    def shown(self, github_id: int, shown: MarketplaceTruth | None, action: str = "purchased") -> FollowMarketplace:
        """A Marketplace delivery about this account, and what GitHub answered."""
        account = replace(ACCOUNT, id=GitHubAccountId(github_id))
        return FollowMarketplace(
            account=account,
            truth=None if shown is None else replace(shown, account=account),
            hint=MarketplaceHint(action=action, marketplace_plan_id=PRO, effective_at=None),
            cause=self.cause(github_id),
        )

    async def together(self, commands: Sequence[Command]) -> list[object]:
        """Hand in all commands at once; what failed comes back as its error."""
        return list(await asyncio.gather(*(self.service.handle(each) for each in commands), return_exceptions=True))

    async def customers(self, count: int) -> list[CustomerId]:
        """So many customers with their five credits each."""
        outcomes = [await self.service.handle(self.installed(number)) for number in range(1, count + 1)]
        return [outcome.customer_id for outcome in outcomes if isinstance(outcome, Applied)]

    def verify(self) -> None:
        """Hold every account's ledger against its journal."""
        for state in self.store.tables.states.values():
            account = state.account
            store = self.store
            offence = verify_account(
                account,
                store.grants(account.id),
                store.entries(account.id),
                store.notes(account.id),
                store.holds(account.id),
                store.charges(account.id),
            )
            assert offence is None, offence


def spending(customer_id: CustomerId, count: int, key: str) -> SpendCredits:
    """A spend by this customer."""
    return replace(spend(count, key=key), customer_id=customer_id)
