"""The database as commands use it: beside a running server, in short transactions, on the newest tables only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from billing.errors import UnknownCustomerError
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.service import BillingService
from billing.state import CustomerState
from bot.cli.reaching import database_url, reaching_the_database
from bot.clock import SystemClock
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from bot.settings import CommandSettings, read_settings, secret_values
from storage import migrating
from storage.database import Database

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a command works with."""

    settings: CommandSettings
    database: Database
    clock: Clock

    @cached_property
    def plans(self) -> PlanCatalog:
        """The plan catalogue.

        Raises:
            CommandError: there is no such file.
            InvalidPlanCatalogError: it has a fault.
        """
        return read_plans(self.settings.plans_file)

    async def customer(self, reference: str) -> CustomerState:
        """Return whom a reference means, with all state.

        Raises:
            UnknownCustomerError: nobody.
            AmbiguousReferenceError: a login that several accounts had.
        """
        customer_id = await self.database.reads.resolve(reference)
        state = None if customer_id is None else await self.database.reads.customer(customer_id)
        if state is None:
            raise UnknownCustomerError(reference)
        return state

    async def whole_customer(self, reference: str) -> CustomerState:
        """Return whom a reference means, with all grants and holds that there ever were, as they stand together.

        Raises:
            UnknownCustomerError: nobody.
            AmbiguousReferenceError: a login that several accounts had.
        """
        state = await self.customer(reference)
        book = await self.database.reads.book(state.account.id)
        if book is None:
            raise UnknownCustomerError(reference)
        return replace(state, account=book.account, grants=book.grants, holds=book.holds)

    @asynccontextmanager
    async def billing(self) -> AsyncIterator[BillingService]:
        """Billing beside a running server: each command is one transaction."""
        service = BillingService(
            self.database.store, self.clock, self.plans, billing_enabled=self.settings.billing_enabled
        )
        try:
            yield service
        finally:
            await service.close()


def with_database(work: Callable[[Session], Awaitable[T]]) -> T:
    """Read the settings, open the database, run the work, and close everything.

    Raises:
        CommandError: the database can't be reached.
        SchemaOutdatedError: its tables aren't those of this version.
        SettingsError: a setting is wrong.
    """
    settings = read_settings(CommandSettings)
    set_up_logs(level="error", form="console", secrets=secret_values(settings))
    url = database_url(settings)
    with reaching_the_database():
        # Asked first, because opening would make a file that isn't there.
        migrating.status(url).require_current()
        return asyncio.run(_run(settings, url, work))


async def _run(settings: CommandSettings, url: str, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run the work on an open database."""
    clock = SystemClock()
    database = Database.connect(url, clock=clock)
    await database.open()
    try:
        return await work(Session(settings=settings, database=database, clock=clock))
    finally:
        await database.close()
