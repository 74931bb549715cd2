"""A worker on a real database, with handlers of the test's own."""

import asyncio
import itertools
import json
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from gidgethub.routing import Router

from billing.commands import Ignore
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.service import BillingService
from bot.retries import RetryPolicy
from bot.worker import Worker
from handlers.context import Context, Event
from storage.database import Database
from storage.deliveries import DeliveryRow, NewDelivery
from tests.handlers.surroundings import AnsweringGitHub

FEW = RetryPolicy(attempts=4, first_seconds=10, longest_seconds=25, jitter=0)
"""Four attempts, 10, 20 and 25 seconds apart."""

PATIENCE_SECONDS = 15.0

Handle = Callable[[Event, Context], Awaitable[None]]


class Runner(Protocol):
    """A worker, or whatever runs like one."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


async def ignore(event: Event, ctx: Context) -> None:
    """The least that a handler may do."""
    await ctx.billing.handle(Ignore(reason="handled", cause=event.cause))


@dataclass
class Handlers:
    """Handlers by action of the event `test`, and what they were called with."""

    by_action: dict[str, Handle] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def router(self) -> Router:
        """All of them as gidgethub has them."""
        router = Router()
        for action in self.by_action:
            router.add(self._call, "test", action=action)
        return router

    async def _call(self, event: Event, ctx: Context) -> None:
        action = event.data["action"]
        self.calls.append(action)
        await self.by_action[action](event, ctx)


@dataclass
class Plant:
    """A database, and workers on it."""

    database: Database
    clock: Clock
    plans: PlanCatalog
    handlers: Handlers = field(default_factory=Handlers)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def worker(self, *, partitions: int = 64, lease_seconds: float = 60, policy: RetryPolicy = FEW) -> Worker:
        """A worker that isn't running yet, with the handlers that there are by now."""
        billing = BillingService(self.database.store, self.clock, self.plans)
        return Worker(
            inbox=self.database.inbox,
            context=Context(github=AnsweringGitHub(), billing=billing, slash_words=frozenset({"credits"})),
            router=self.handlers.router(),
            clock=self.clock,
            chance=random.Random(0),
            policy=policy,
            partitions=partitions,
            lease_seconds=lease_seconds,
        )

    async def deliver(self, action: str, *, partition: str = "github:1", padding: bytes = b"") -> int:
        """Record a delivery of the event `test`; its inbox id."""
        body = json.dumps({"action": action, "padding": padding.hex()}).encode()
        delivery = NewDelivery(
            route="github",
            delivery_id=f"delivery-{next(self.numbers)}",
            event="test",
            action=action,
            partition=partition,
            body=zlib.compress(body, 1),
            received_at=self.clock.now(),
        )
        await self.database.inbox.record(delivery)
        return (await self.database.inbox.list(limit=1))[0].id

    async def row(self, delivery_id: int) -> DeliveryRow:
        """A delivery as it stands."""
        row = await self.database.inbox.show(delivery_id)
        assert row is not None
        return row

    async def state(self, delivery_id: int) -> str:
        """Where a delivery stands."""
        return (await self.row(delivery_id)).state.value

    async def ended(self, *delivery_ids: int) -> list[str]:
        """Wait until all these have ended; how."""

        async def have_ended() -> bool:
            return all([await self.state(each) != "received" for each in delivery_ids])

        await until(have_ended)
        return [await self.state(each) for each in delivery_ids]

    async def open_alarms(self) -> list[tuple[str, str, int]]:
        """Kind, subject and count of the alarms that aren't over."""
        return [(alarm.kind, alarm.subject, alarm.count) for alarm in await self.database.alarms.list()]


@asynccontextmanager
async def running(*runners: Runner) -> AsyncIterator[None]:
    """Let these run, and stop them in the end."""
    async with asyncio.TaskGroup() as group:
        for runner in runners:
            group.create_task(runner.run())
        try:
            yield
        finally:
            for runner in runners:
                await runner.stop()


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    """Wait until the condition holds, for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- what is waited for rings no bell
            await asyncio.sleep(0.002)


async def until_true(condition: Callable[[], object]) -> None:
    """Wait until a plain condition holds, for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.002)
