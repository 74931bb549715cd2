"""An idle product works at once when something comes, and hardly at all while nothing does."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from bot.composition import opened, working
from bot.settings import ServerSettings
from bot.tasks import BackgroundTasks
from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from storage.database import Database
from tests.cli.conftest import settings_for as command_settings
from tests.cli.server_settings import server_settings
from tests.system.burst import Burst
from tests.system.our_side import OurSide
from tests.system.power import Power
from tests.system.processes import Plant
from tests.system.product import Product, catalogue, settings_for

IDLE_SECONDS: Final = 60
"""By the clock of the test, which takes no time."""

MOST_STATEMENTS_A_SECOND: Final = 10.0
"""The worker and the senders of four topics look once a second whether something is due, in a transaction each."""

WATCHED_SECONDS: Final = 3.0
"""Real ones, for a real process."""

MOST_PROCESSOR_SHARE: Final = 0.5
"""Of the watched time; a busy loop takes all of it, and an idle server a hundredth."""

STILL_SECONDS: Final = 0.5
"""Real ones, in which the clock of the test doesn't move."""

LOOK_SECONDS: Final = 0.002
PATIENCE_SECONDS: Final = 30.0


@pytest.fixture
async def github(clock: VirtualClock) -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn(clock) as stand_in:
        yield stand_in


@pytest.fixture
def power() -> Power:
    return Power()


@asynccontextmanager
async def started(
    url: str, github: GitHubStandIn, clock: VirtualClock, power: Power, *, has_worker: bool = True
) -> AsyncIterator[Product]:
    settings = ServerSettings.model_validate(settings_for(github, url))
    product = Product(settings=settings, clock=clock, power=power, has_worker=has_worker)
    await product.start()
    try:
        yield product
    finally:
        await product.close()


@asynccontextmanager
async def worker_beside(url: str, github: GitHubStandIn, clock: VirtualClock) -> AsyncIterator[None]:
    """A worker as `tallyhook work` runs it: with a database connection of its own, woken by nothing but that."""
    database = Database.connect(url, clock=clock)
    running: list[BackgroundTasks] = []

    def wake() -> None:
        for tasks in running:
            tasks.wake()

    database.on_foreign_work(wake)
    async with (
        opened(database),
        working(
            settings=ServerSettings.model_validate(settings_for(github, url)),
            clock=clock,
            database=database,
            plans=catalogue(),
            chance=random.Random(0),
        ) as tasks,
    ):
        running.append(tasks)
        yield


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
        if condition():
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("it never came to that")


async def test_a_delivery_is_applied_while_the_clock_stands_still(
    github: GitHubStandIn, database_url: str, clock: VirtualClock, power: Power
) -> None:
    """Whoever looks once a second by the clock never looks: only being woken counts."""
    async with started(database_url, github, clock, power) as product, OurSide.opened(database_url) as ours:
        for number in range(5):
            burst = Burst.at(github, accounts=1, name=f"user-{number}")
            await burst.bring(product, burst.webhooks, connections=2)
            await ours.all_ended()
            assert burst.complaints(await ours.customers(), await ours.deliveries()) == []


async def test_a_worker_beside_the_server_is_woken_by_the_database(
    github: GitHubStandIn, postgresql_url: str, clock: VirtualClock, power: Power
) -> None:
    async with (
        started(postgresql_url, github, clock, power, has_worker=False) as product,
        worker_beside(postgresql_url, github, clock),
        OurSide.opened(postgresql_url) as ours,
    ):
        for number in range(5):
            burst = Burst.at(github, accounts=1, name=f"user-{number}")
            await burst.bring(product, burst.webhooks, connections=2)
            await ours.all_ended()
            assert burst.complaints(await ours.customers(), await ours.deliveries()) == []


async def test_an_idle_product_looks_once_a_second_and_no_oftener(
    github: GitHubStandIn, database_url: str, clock: VirtualClock, power: Power
) -> None:
    with power.watched():
        async with started(database_url, github, clock, power):
            await comes_to_rest(power)
            before, sleepers = power.statements, clock.sleeping
            for _ in range(IDLE_SECONDS):
                seen = power.statements
                clock.advance(seconds=1)
                await until(lambda seen=seen: power.statements > seen)  # type: ignore[misc]
                await until(lambda: clock.sleeping == sleepers)
            assert power.statements - before <= MOST_STATEMENTS_A_SECOND * IDLE_SECONDS


async def comes_to_rest(power: Power) -> None:
    """Wait until nothing is asked of the database for a while: the clock stands still, so there is nothing to ask."""
    for _ in range(int(PATIENCE_SECONDS / STILL_SECONDS)):
        seen = power.statements
        await asyncio.sleep(STILL_SECONDS)
        if power.statements == seen:
            return
    raise AssertionError("it never rests")


async def test_an_idle_server_takes_next_to_no_processor_time(
    github: GitHubStandIn, sqlite_url: str, tmp_path: Path
) -> None:
    settings = {**command_settings(sqlite_url), **server_settings(github)}
    plant = Plant(settings=settings, directory=tmp_path, works_apart=False)
    async with plant.running():
        assert plant.server is not None
        burst = Burst.at(github, accounts=2)
        await burst.bring(plant, burst.webhooks, connections=2)
        before = plant.server.ticks()
        await asyncio.sleep(WATCHED_SECONDS)
        used = plant.server.ticks() - before
    assert used <= MOST_PROCESSOR_SHARE * WATCHED_SECONDS * os.sysconf("SC_CLK_TCK")
