"""Who is measured: the product as it is, and the product without shared commits."""

import asyncio
from typing import Protocol

from typing_extensions import override

from benchmarks.ledger_places import plans, spend
from billing.commands import Applied
from billing.service import BillingService
from billing.values import CustomerId
from bot.clock import SystemClock
from storage.database import Database


class Contender(Protocol):
    """Somebody who books spends, each answered once it is durable."""

    async def open(self) -> None:
        """Connect to the database."""
        ...

    async def spend(self, customer: int, key: str) -> None:
        """Book one credit spent by this customer, under this idempotency key."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class Product:
    """The product: whatever waits shares a commit."""

    def __init__(self, url: str) -> None:
        clock = SystemClock()
        self.database = Database.connect(url, clock=clock)
        self._service = BillingService(self.database.store, clock, plans())

    async def open(self) -> None:
        """Connect to the database."""
        await self.database.open()

    async def spend(self, customer: int, key: str) -> None:
        """Book one credit spent by this customer, under this idempotency key."""
        outcome = await self._service.handle(spend(CustomerId(customer), key))
        assert isinstance(outcome, Applied), outcome

    async def close(self) -> None:
        """Let go of the database."""
        await self._service.close()
        await self.database.close()


class Unbatched(Product):
    """The product with one spend a transaction: callers wait for their turn, one is let in at a time."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._turn = asyncio.Lock()

    @override
    async def spend(self, customer: int, key: str) -> None:
        """Book one credit spent by this customer, under this idempotency key."""
        async with self._turn:
            await super().spend(customer, key)
