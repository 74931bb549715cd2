"""A database that goes away in the middle of the work, and comes back: nothing is lost, and nobody gives up."""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
import structlog

from billing.plans import PlanCatalog
from bot.effects import EffectSender, send_nothing
from bot.forwarding import FORWARD_TOPIC, ForwardedDelivery, Forwarder
from bot.posting import Poster
from handlers.context import Context, Event
from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from storage.effects import NewEffect
from tests.bot.receiving import http_receiver
from tests.bot.working import Plant, ignore, running, until, until_true
from tests.postgres import Postgres


@pytest.fixture
async def durable_database(durable_postgres: Postgres, clock: VirtualClock) -> AsyncIterator[Database]:
    url = durable_postgres.url(durable_postgres.create_database())
    await asyncio.to_thread(migrating.upgrade, url)
    opened = Database.connect(url, clock=clock)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_delivery_under_way_is_handled_once_the_database_is_back(
    durable_database: Database, durable_postgres: Postgres, clock: VirtualClock, plans: PlanCatalog
) -> None:
    plant = Plant(database=durable_database, clock=clock, plans=plans)
    go = asyncio.Event()

    async def wait(event: Event, ctx: Context) -> None:
        await go.wait()
        await ignore(event, ctx)

    plant.handlers.by_action["wait"] = wait
    delivery = await plant.deliver("wait")
    with structlog.testing.capture_logs() as lines:
        async with running(plant.worker()):
            await until_true(lambda: plant.handlers.calls == ["wait"])
            await asyncio.to_thread(durable_postgres.kill)
            # The lease can't be renewed now.
            await until_true(lambda: clock.sleeping == 2)
            clock.advance(seconds=20)
            await until_true(lambda: any(line["event"] == "leases_not_renewed" for line in lines))
            go.set()
            await until_true(lambda: any(line["event"] == "partition_left" for line in lines))
            await until_true(lambda: any(line["event"] == "inbox_away" for line in lines))
            await asyncio.to_thread(durable_postgres.relaunch)

            async def is_handled() -> bool:
                clock.advance(seconds=1)
                return await plant.state(delivery) == "ignored"

            await until(is_handled)
    assert len(plant.handlers.calls) == 2


async def test_a_worker_stops_in_peace_while_the_database_is_away(
    durable_database: Database, durable_postgres: Postgres, clock: VirtualClock, plans: PlanCatalog
) -> None:
    plant = Plant(database=durable_database, clock=clock, plans=plans)
    go = asyncio.Event()

    async def wait(_event: Event, _ctx: Context) -> None:
        await go.wait()

    plant.handlers.by_action["wait"] = wait
    await plant.deliver("wait")
    worker = plant.worker()
    with structlog.testing.capture_logs() as lines:
        async with running(worker):
            await until_true(lambda: plant.handlers.calls == ["wait"])
            await asyncio.to_thread(durable_postgres.kill)
            go.set()
            await worker.stop()
    await asyncio.to_thread(durable_postgres.relaunch)
    # Its lease runs out by itself, and then the delivery is due again.
    assert any(line["event"] == "leases_not_given_back" for line in lines)


async def test_an_effect_under_way_is_sent_again_once_the_database_is_back(
    durable_database: Database, durable_postgres: Postgres, clock: VirtualClock
) -> None:
    async with http_receiver() as receiver, aiohttp.ClientSession() as session:
        receiver.hold_back()
        effect = NewEffect(
            topic=FORWARD_TOPIC,
            key="forward:1",
            dedupe_key="forward:1",
            payload=ForwardedDelivery.of([], zlib.compress(b"{}")).packed(),
            run_at=clock.now(),
        )
        await durable_database.outbox.enqueue(effect)
        sender = EffectSender(
            outbox=durable_database.outbox,
            topic=FORWARD_TOPIC,
            send=Forwarder(Poster(session, url=receiver.url, setting="GITHUB_FORWARD_URL")).send,
            clock=clock,
            chance=random.Random(0),
        )
        with structlog.testing.capture_logs() as lines:
            async with running(sender):
                await until_true(lambda: len(receiver.requests) == 1)
                await asyncio.to_thread(durable_postgres.kill)
                receiver.let_go()
                await until_true(lambda: any(line["event"] == "effect_left" for line in lines))
                await until_true(lambda: any(line["event"] == "outbox_away" for line in lines))
                await asyncio.to_thread(durable_postgres.relaunch)

                async def is_sent() -> bool:
                    clock.advance(seconds=10)
                    return not await durable_database.outbox.list(state="pending")

                await until(is_sent)
    [row] = await durable_database.outbox.list()
    assert (row.state, row.attempts) == ("done", 2)
    # At least once, and no oftener than it had to be.
    assert len(receiver.requests) == 2


async def test_a_sender_that_never_ran_stops_at_once(database: Database, clock: VirtualClock) -> None:
    sender = EffectSender(
        outbox=database.outbox, topic=FORWARD_TOPIC, send=send_nothing, clock=clock, chance=random.Random(0)
    )
    await sender.stop()
