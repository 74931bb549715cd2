"""The worker on both engines: at once, side by side, one partition after another, and never a busy loop."""

import asyncio
from datetime import datetime

import pytest
from typing_extensions import override

from billing.commands import Ignore
from billing.plans import PlanCatalog
from handlers.context import Context, Event
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.bot.working import Plant, ignore, running, until_true


@pytest.fixture
def plant(database: Database, clock: VirtualClock, plans: PlanCatalog) -> Plant:
    return Plant(database=database, clock=clock, plans=plans)


class CountingClock(VirtualClock):
    """Counts who goes to sleep by it."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start, frozen=True)
        self.sleeps = 0

    @override
    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)


async def test_a_delivery_is_handled_as_soon_as_it_is_told_of(plant: Plant, clock: VirtualClock) -> None:
    plant.handlers.by_action["go"] = ignore
    worker, started = plant.worker(), clock.now()
    async with running(worker):
        await until_true(lambda: clock.sleeping >= 2)
        delivery = await plant.deliver("go")
        worker.wake()
        assert await plant.ended(delivery) == ["ignored"]
    assert clock.now() == started


async def test_a_delivery_that_nobody_tells_of_is_found_within_a_second(plant: Plant, clock: VirtualClock) -> None:
    plant.handlers.by_action["go"] = ignore
    async with running(plant.worker()):
        await until_true(lambda: clock.sleeping >= 2)
        delivery = await plant.deliver("go")
        clock.advance(seconds=1)
        assert await plant.ended(delivery) == ["ignored"]


async def test_what_waited_before_the_start_is_handled(plant: Plant) -> None:
    plant.handlers.by_action["go"] = ignore
    deliveries = [await plant.deliver("go", partition=f"github:{index % 7}") for index in range(100)]
    async with running(plant.worker()):
        assert set(await plant.ended(*deliveries)) == {"ignored"}
    assert len(plant.handlers.calls) == 100


async def test_an_idle_worker_sleeps(database: Database, plans: PlanCatalog, clock: VirtualClock) -> None:
    counting = CountingClock(clock.now())
    plant = Plant(database=database, clock=counting, plans=plans)
    async with running(plant.worker()):
        await until_true(lambda: counting.sleeping == 2)
        before = counting.sleeps
        for _ in range(200):
            await asyncio.sleep(0.001)
        assert counting.sleeps == before
        for _ in range(10):
            counting.advance(seconds=1)
            await until_true(lambda: counting.sleeping == 2)
        # One look a second, and the renewal of leases, of which there are none.
        assert counting.sleeps - before <= 12


async def test_partitions_are_handled_side_by_side(plant: Plant) -> None:
    barrier = asyncio.Barrier(8)

    async def meet(event: Event, ctx: Context) -> None:
        await barrier.wait()
        await ignore(event, ctx)

    plant.handlers.by_action["meet"] = meet
    deliveries = [await plant.deliver("meet", partition=f"github:{index}") for index in range(8)]
    async with running(plant.worker()):
        assert set(await plant.ended(*deliveries)) == {"ignored"}


class Crowd:
    """A handler that counts how many of it run at the same time."""

    def __init__(self) -> None:
        self.present = 0
        self.most = 0

    async def handle(self, event: Event, ctx: Context) -> None:
        self.present += 1
        self.most = max(self.most, self.present)
        for _ in range(20):
            await asyncio.sleep(0)
        self.present -= 1
        await ctx.billing.handle(Ignore(reason="handled", cause=event.cause))


async def test_deliveries_of_one_partition_exclude_each_other(plant: Plant) -> None:
    crowd = Crowd()
    plant.handlers.by_action["go"] = crowd.handle
    deliveries = [await plant.deliver("go") for _ in range(12)]
    async with running(plant.worker(), plant.worker()):
        assert set(await plant.ended(*deliveries)) == {"ignored"}
    assert crowd.most == 1
    assert len(plant.handlers.calls) == 12


async def test_no_more_run_at_once_than_allowed(plant: Plant) -> None:
    crowd = Crowd()
    plant.handlers.by_action["go"] = crowd.handle
    deliveries = [await plant.deliver("go", partition=f"github:{index}") for index in range(30)]
    async with running(plant.worker(partitions=3)):
        assert set(await plant.ended(*deliveries)) == {"ignored"}
    assert crowd.most == 3


async def test_a_waiting_handler_keeps_nobody_else(plant: Plant) -> None:
    go = asyncio.Event()

    async def wait(event: Event, ctx: Context) -> None:
        await go.wait()
        await ignore(event, ctx)

    plant.handlers.by_action |= {"wait": wait, "go": ignore}
    waiting = await plant.deliver("wait", partition="github:1")
    worker = plant.worker()
    async with running(worker):
        await until_true(lambda: plant.handlers.calls == ["wait"])
        other = await plant.deliver("go", partition="github:2")
        worker.wake()
        assert await plant.ended(other) == ["ignored"]
        assert await plant.state(waiting) == "received"
        go.set()
        assert await plant.ended(waiting) == ["ignored"]


async def test_what_nobody_handles_is_ignored_with_the_reason(plant: Plant) -> None:
    delivery = await plant.deliver("unheard of")
    async with running(plant.worker()):
        assert await plant.ended(delivery) == ["ignored"]
    assert (await plant.row(delivery)).error == "nothing handles test unheard of"


async def test_a_large_body_is_handled_whole(plant: Plant) -> None:
    seen: list[int] = []

    async def measure(event: Event, ctx: Context) -> None:
        seen.append(len(event.body))
        await ignore(event, ctx)

    plant.handlers.by_action["measure"] = measure
    padding = bytes(index * 7919 % 251 for index in range(2_000_000))
    delivery = await plant.deliver("measure", padding=padding)
    async with running(plant.worker()):
        assert await plant.ended(delivery) == ["ignored"]
    assert seen[0] > 4_000_000


async def test_stopping_finishes_what_is_under_way_and_begins_nothing(plant: Plant) -> None:
    go = asyncio.Event()

    async def wait(event: Event, ctx: Context) -> None:
        await go.wait()
        await ignore(event, ctx)

    plant.handlers.by_action["wait"] = wait
    first, second = await plant.deliver("wait"), await plant.deliver("wait")
    worker = plant.worker()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await until_true(lambda: len(plant.handlers.calls) == 1)
        stopping = group.create_task(worker.stop())
        await asyncio.wait({stopping}, timeout=0.05)
        assert not stopping.done()
        go.set()
    assert [await plant.state(first), await plant.state(second)] == ["ignored", "received"]
    # Its partition was given back: the next worker needn't wait for a lease to run out.
    async with running(plant.worker()):
        assert await plant.ended(second) == ["ignored"]


async def test_a_worker_that_never_ran_stops_at_once(plant: Plant) -> None:
    await plant.worker().stop()
