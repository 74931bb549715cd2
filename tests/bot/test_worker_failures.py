"""What fails is tried again a bounded number of times, a bug is parked alone, and nothing is lost to a crash."""

import asyncio
import random
from datetime import timedelta

import pytest
import structlog

from billing.errors import LeaseLostError, TemporaryFailureError
from billing.plans import PlanCatalog
from bot.retries import ABOUT_A_DAY, NotYetError
from handlers.context import Context, Event
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.bot.working import FEW, Plant, ignore, running, until, until_true


@pytest.fixture
def plant(database: Database, clock: VirtualClock, plans: PlanCatalog) -> Plant:
    return Plant(database=database, clock=clock, plans=plans)


class Failing:
    """A handler that fails so often before it works."""

    def __init__(self, error: Exception, *, times: int = 1_000_000) -> None:
        self.error = error
        self.left = times

    async def handle(self, event: Event, ctx: Context) -> None:
        if self.left:
            self.left -= 1
            raise self.error
        await ignore(event, ctx)


async def put_off(plant: Plant, delivery: int, *, attempts: int) -> float:
    """Wait until the delivery was tried so often and put off; for how many seconds."""

    async def is_put_off() -> bool:
        row = await plant.row(delivery)
        return row.attempts == attempts and row.run_at > plant.clock.now()

    await until(is_put_off)
    return ((await plant.row(delivery)).run_at - plant.clock.now()).total_seconds()


@pytest.mark.parametrize(
    "error", [TemporaryFailureError("GitHub answered 502"), TimeoutError("slow"), ConnectionResetError("reset")]
)
async def test_what_fails_for_the_moment_is_tried_again_further_and_further_apart(
    plant: Plant, clock: VirtualClock, error: Exception
) -> None:
    plant.handlers.by_action["fail"] = Failing(error, times=3).handle
    delivery = await plant.deliver("fail")
    async with running(plant.worker()):
        for attempts, wait in ((1, 10), (2, 20), (3, 25)):
            assert await put_off(plant, delivery, attempts=attempts) == wait
            assert (await plant.row(delivery)).error == str(error)
            clock.advance(seconds=wait)
        assert await plant.ended(delivery) == ["ignored"]
    assert await plant.open_alarms() == []


async def test_a_wait_that_was_asked_for_is_kept(plant: Plant) -> None:
    plant.handlers.by_action["fail"] = Failing(TemporaryFailureError("limited", retry_after_seconds=900)).handle
    delivery = await plant.deliver("fail")
    async with running(plant.worker()):
        assert await put_off(plant, delivery, attempts=1) == 900


async def test_what_could_not_be_tried_yet_is_due_exactly_when_told_and_was_no_attempt(
    plant: Plant, clock: VirtualClock
) -> None:
    due = clock.now() + timedelta(seconds=60)
    waiting = Failing(NotYetError(due, reason="GitHub asked us to wait", retry_after_seconds=60), times=9)
    plant.handlers.by_action |= {"wait": waiting.handle, "go": ignore}
    deferred, other = await plant.deliver("wait"), await plant.deliver("go")
    async with running(plant.worker()):
        assert await plant.ended(other) == ["ignored"]
        for _ in range(9):
            assert await put_off(plant, deferred, attempts=0) == 60
            row = await plant.row(deferred)
            assert (row.run_at, row.error) == (due, "GitHub asked us to wait")
            due += timedelta(seconds=60)
            waiting.error = NotYetError(due, reason="GitHub asked us to wait")
            clock.set(row.run_at)
        assert await plant.ended(deferred) == ["ignored"]
    assert (await plant.row(deferred)).attempts == 1
    assert await plant.open_alarms() == []


async def test_the_last_attempt_ends_dead_with_an_alarm_and_a_replay_ends_both(
    plant: Plant, clock: VirtualClock
) -> None:
    failing = Failing(TemporaryFailureError("GitHub answered 502"), times=4)
    plant.handlers.by_action["fail"] = failing.handle
    delivery = await plant.deliver("fail")
    worker = plant.worker()
    async with running(worker):
        for attempts in (1, 2, 3):
            clock.advance(seconds=await put_off(plant, delivery, attempts=attempts))
        assert await plant.ended(delivery) == ["dead"]
        assert (await plant.row(delivery)).error == "GitHub answered 502"
        assert await plant.open_alarms() == [("delivery_dead", "test", 1)]

        assert await plant.database.inbox.replay([delivery]) == [delivery]
        worker.wake()
        assert await plant.ended(delivery) == ["ignored"]
    assert await plant.open_alarms() == []
    assert (await plant.row(delivery)).attempts == 1


async def test_a_bug_parks_its_delivery_alone(plant: Plant) -> None:
    plant.handlers.by_action |= {"bug": Failing(ZeroDivisionError("by nothing")).handle, "go": ignore}
    broken, good = await plant.deliver("bug"), await plant.deliver("go")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with running(plant.worker()):
            assert await plant.ended(broken, good) == ["dead", "ignored"]
    assert (await plant.row(broken)).error == "ZeroDivisionError: by nothing"
    assert (await plant.row(broken)).attempts == 1
    assert await plant.open_alarms() == [("delivery_dead", "test", 1)]
    [failure] = [line for line in lines if line["event"] == "delivery_failed"]
    assert failure["delivery_id"] == "delivery-1"
    assert failure["inbox_id"] == broken
    assert failure["log_level"] == "error"
    [handled] = [line for line in lines if line["event"] == "delivery_handled"]
    assert handled["delivery_id"] == "delivery-2"


async def test_a_delivery_that_waits_keeps_no_other_of_its_partition(plant: Plant) -> None:
    plant.handlers.by_action |= {"fail": Failing(TemporaryFailureError("later")).handle, "go": ignore}
    waiting, good = await plant.deliver("fail"), await plant.deliver("go")
    async with running(plant.worker()):
        assert await plant.ended(good) == ["ignored"]
    assert await plant.state(waiting) == "received"


async def nothing(event: Event, ctx: Context) -> None:
    """A handler that forgets its command."""


async def twice(event: Event, ctx: Context) -> None:
    """A handler that ends in two."""
    await ignore(event, ctx)
    await ignore(event, ctx)


async def test_a_handler_without_a_command_is_a_bug(plant: Plant) -> None:
    plant.handlers.by_action["nothing"] = nothing
    delivery = await plant.deliver("nothing")
    async with running(plant.worker()):
        assert await plant.ended(delivery) == ["dead"]
    assert "made no command" in (await plant.row(delivery)).error


async def test_a_handler_with_two_commands_has_its_first(plant: Plant) -> None:
    plant.handlers.by_action["twice"] = twice
    delivery = await plant.deliver("twice")
    with structlog.testing.capture_logs() as lines:
        async with running(plant.worker()):
            assert await plant.ended(delivery) == ["ignored"]
            await until_true(lambda: any(line["event"] == "delivery_failed" for line in lines))


# Crashes and leases ----------------------------------------------------------------------------------------------


async def test_what_a_killed_worker_left_is_taken_over_when_its_lease_runs_out(
    plant: Plant, clock: VirtualClock
) -> None:
    async def hang(_event: Event, _ctx: Context) -> None:
        await asyncio.Event().wait()

    plant.handlers.by_action["go"] = hang
    delivery = await plant.deliver("go")
    async with asyncio.TaskGroup() as group:
        killed = group.create_task(plant.worker().run())
        await until_true(lambda: plant.handlers.calls == ["go"])
        killed.cancel()
    plant.handlers.by_action["go"] = ignore
    async with running(plant.worker()):
        await until_true(lambda: clock.sleeping == 2)
        assert await plant.state(delivery) == "received"
        clock.advance(seconds=61)
        assert await plant.ended(delivery) == ["ignored"]
    assert (await plant.row(delivery)).attempts == 2


async def test_a_delivery_that_kills_every_worker_ends_dead_untried(plant: Plant, clock: VirtualClock) -> None:
    plant.handlers.by_action["go"] = ignore
    delivery = await plant.deliver("go")
    for _ in range(FEW.attempts):
        assert len(await plant.database.inbox.claim(partitions=1, deliveries=1, lease_seconds=1)) == 1
        clock.advance(seconds=2)
    async with running(plant.worker()):
        assert await plant.ended(delivery) == ["dead"]
    assert plant.handlers.calls == []
    assert await plant.open_alarms() == [("delivery_dead", "test", 1)]


async def test_a_lost_lease_loses_the_race(plant: Plant, clock: VirtualClock) -> None:
    go, lost = asyncio.Event(), asyncio.Event()

    async def wait(event: Event, ctx: Context) -> None:
        await go.wait()
        try:
            await ignore(event, ctx)
        except LeaseLostError:
            lost.set()
            raise

    plant.handlers.by_action["go"] = wait
    slow = plant.worker(lease_seconds=1e9)
    delivery = await plant.deliver("go")
    async with running(slow):
        await until_true(lambda: plant.handlers.calls == ["go"])
        [row] = await plant.database.inbox.list()
        clock.advance(days=40_000)
        plant.handlers.by_action["go"] = ignore
        async with running(plant.worker()):
            assert await plant.ended(delivery) == ["ignored"]
        go.set()
        await asyncio.wait_for(lost.wait(), timeout=30)
    assert row.id == delivery
    assert (await plant.row(delivery)).attempts == 2


async def test_a_lease_is_renewed_while_the_work_takes_long(plant: Plant, clock: VirtualClock) -> None:
    go = asyncio.Event()

    async def wait(event: Event, ctx: Context) -> None:
        await go.wait()
        await ignore(event, ctx)

    plant.handlers.by_action["go"] = wait
    delivery = await plant.deliver("go")
    async with running(plant.worker(), plant.worker()):
        await until_true(lambda: len(plant.handlers.calls) == 1)
        for _ in range(20):
            # Two workers, each with a look and a renewal to wait for.
            await until_true(lambda: clock.sleeping == 4)
            clock.advance(seconds=15)
        go.set()
        assert await plant.ended(delivery) == ["ignored"]
    assert plant.handlers.calls == ["go"]


def test_the_policy_outlives_a_day_nearly() -> None:
    chance = random.Random(1)
    waits = [ABOUT_A_DAY.delay_seconds(attempts, asked_seconds=None, chance=chance) for attempts in range(1, 35)]
    assert waits[-1] is None
    plain = [wait for wait in waits if wait is not None]
    assert 22 * 3600 < sum(plain) < 30 * 3600
    assert 2 <= plain[0] <= 2.4
    assert max(plain) <= 3600 * 1.2
    assert 5000 <= (ABOUT_A_DAY.delay_seconds(1, asked_seconds=5000, chance=chance) or 0) <= 6000
