"""Databases for the ledger's benchmark: filled once by the product itself, and copied for each who is measured."""

import asyncio
import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from billing.commands import Applied, GrantCredits, Note, Outcome, SpendCredits
from billing.plans import PlanCatalog
from billing.ports import Changes, Unit
from billing.service import BillingService
from billing.values import Credits, CustomerId
from bot.clock import SystemClock
from bot.plans_file import read_plans
from storage import migrating
from storage.database import Database
from tests.postgres import Postgres
from tests.storage.builders import new_customer

ACCOUNTS: Final = 10_000
"""How many customers there are. The first one is the busy one, where one account is measured."""

GRANTED: Final = 10**9
"""More credits than anybody spends here."""

FIRST_CUSTOMER: Final = 1
FIRST_ACCOUNT: Final = 1_000_001
"""A customer's id, and its account's, count up together from these."""


def account_of(customer: int) -> int:
    """The credit account of a customer of these databases."""
    return customer - FIRST_CUSTOMER + FIRST_ACCOUNT


def plans() -> PlanCatalog:
    """The catalogue that the project ships."""
    return read_plans(Path(__file__).parents[1] / "plans.toml")


class Place(Protocol):
    """Where databases of one engine are made.

    Attributes:
        engine: the engine's name, for people.
    """

    engine: str

    def copy(self) -> str:
        """The address of a fresh copy of the filled database."""
        ...


class SqlitePlace:
    """Files in one directory, on the disk that the directory is on."""

    engine = "SQLite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._copies = 0
        self._template = directory / "template.db"
        migrating.upgrade(f"sqlite:///{self._template}")
        asyncio.run(fill(f"sqlite:///{self._template}"))

    def copy(self) -> str:
        """The address of a fresh copy of the filled database."""
        self._copies += 1
        path = self._directory / f"{self._copies}.db"
        shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"


class PostgresPlace:
    """Databases of one server that flushes to the disk."""

    engine = "PostgreSQL"

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._template = server.create_database()
        migrating.upgrade(server.url(self._template))
        asyncio.run(fill(server.url(self._template)))

    def copy(self) -> str:
        """The address of a fresh copy of the filled database."""
        return self._server.url(self._server.create_database(template=self._template))


async def fill(url: str) -> None:
    """Make the customers, give each a grant, and let the last one spend, by the product's own commands."""
    database = Database.connect(url, clock=SystemClock())
    await database.open()
    service = BillingService(database.store, SystemClock(), plans())
    try:
        for first in range(0, ACCOUNTS, 1000):
            customers = range(FIRST_CUSTOMER + first, FIRST_CUSTOMER + first + 1000)
            await database.store.transact(partial(_make, customers))
            outcomes = await asyncio.gather(*(_grant(service, CustomerId(customer)) for customer in customers))
            others = [outcome for outcome in outcomes if not isinstance(outcome, Applied)]
            assert not others, others[0]
        await service.handle(spend(CustomerId(FIRST_CUSTOMER + ACCOUNTS - 1), "first spend"))
        await service.close()
    finally:
        await database.close()


def _make(customers: range, unit: Unit) -> None:
    now = SystemClock().now()
    states = [new_customer(customer, account_of(customer), customer, now) for customer in customers]
    unit.save(Changes(states=[(None, state) for state in states]), now)


async def _grant(service: BillingService, customer_id: CustomerId) -> Outcome:
    return await service.handle(
        GrantCredits(
            customer_id=customer_id,
            amount=Credits(GRANTED),
            expires_at=SystemClock().now() + timedelta(days=365),
            key="first grant",
            actor="benchmark",
            note=Note(text="benchmark", actor_name="benchmark", salt=bytes(16)),
        )
    )


def spend(customer_id: CustomerId, key: str) -> SpendCredits:
    """What everybody here asks for: one credit, spent now."""
    return SpendCredits(
        customer_id=customer_id,
        amount=Credits(1),
        key=key,
        actor="app",
        reference="repository:7#12",
        occurred_at=SystemClock().now(),
    )
