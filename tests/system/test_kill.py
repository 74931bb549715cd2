"""Real processes, killed or stopped while a few hundred webhooks come in: nothing is lost, and nothing done twice."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from sandbox.github.server import GitHubStandIn
from storage import migrating
from tests.cli.conftest import settings_for
from tests.cli.running import PATIENCE_SECONDS, invoke
from tests.cli.server_settings import server_settings
from tests.postgres import Postgres
from tests.system.burst import Burst
from tests.system.our_side import OurSide
from tests.system.processes import Plant, Process

ACCOUNTS: Final = 160
CONNECTIONS: Final = 16
DEATHS: Final = 4
FIRST_DEATH: Final = 20
"""When so many of the webhooks are accepted."""

LONGEST_DELAY_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.02

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest) -> str:
    """A database that keeps what it has acknowledged, also when its machine loses power; once on each engine."""
    if request.param == "sqlite":
        sqlite_url: str = request.getfixturevalue("sqlite_url")
        return sqlite_url
    postgres: Postgres = request.getfixturevalue("durable_postgres")
    url = postgres.url(postgres.create_database())
    migrating.upgrade(url)
    return url


@asynccontextmanager
async def planted(url: str, github: GitHubStandIn, directory: Path) -> AsyncIterator[tuple[Plant, OurSide]]:
    """The product as processes: on PostgreSQL the worker is one of its own."""
    settings = {**settings_for(url), **server_settings(github)}
    plant = Plant(settings=settings, directory=directory, works_apart=url.startswith("postgresql"))
    async with plant.running(), OurSide.opened(url) as ours:
        yield plant, ours


async def until_accepted(burst: Burst, count: int) -> None:
    """Wait until so many webhooks were accepted."""
    await until(lambda: len(burst.accepted) >= count)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
        if condition():
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("it never came to that")


async def assert_applied_once(burst: Burst, ours: OurSide, url: str) -> None:
    """Hold what there is against what was brought."""
    assert burst.complaints(await ours.customers(), await ours.deliveries()) == []
    assert await ours.alarms() == []
    verified = await asyncio.to_thread(invoke, "verify", settings=settings_for(url))
    assert verified.code == 0, verified.stdout


async def test_what_was_answered_is_applied_once_however_often_the_processes_are_killed(
    github: GitHubStandIn, durable_url: str, tmp_path: Path
) -> None:
    chance = random.Random(20261122)
    burst = Burst.at(github, accounts=ACCOUNTS)
    async with planted(durable_url, github, tmp_path) as (plant, ours), asyncio.TaskGroup() as group:
        group.create_task(burst.bring(plant, burst.webhooks, connections=CONNECTIONS))
        # All of them first, while most is still to come: a worker that dies alone leaves the server to accept the rest
        # while another one starts, and then whatever dies later dies idle.
        later = sorted(chance.sample(range(FIRST_DEATH + 10, len(burst.webhooks) - 10), DEATHS - 1))
        for accepted in (FIRST_DEATH, *later):
            await until_accepted(burst, accepted)
            # Nothing is waited for here: this is where in the middle of things the processes die.
            await asyncio.sleep(chance.uniform(0, LONGEST_DELAY_SECONDS))
            await plant.kill(*(plant.processes if accepted == FIRST_DEATH else _victims(plant, chance)))
            # Taken before the look: who still lives goes on accepting during it.
            accepted_so_far = set(burst.accepted)
            assert accepted_so_far <= (await ours.deliveries()).keys()
            await plant.start()
        await until_accepted(burst, len(burst.webhooks))
        await ours.all_ended()
        assert await plant.stop() == [0] * len(plant.processes)
        await assert_applied_once(burst, ours, durable_url)
    assert burst.unanswered, "it was never killed in the middle of anything"


def _victims(plant: Plant, chance: random.Random) -> list[Process]:
    """Who dies this time: each of the processes, or all of them."""
    return chance.choice([[process] for process in plant.processes] + [list(plant.processes)])


async def test_a_stop_under_load_loses_nothing_and_leaves_nobody_without_an_answer(
    github: GitHubStandIn, durable_url: str, tmp_path: Path
) -> None:
    burst = Burst.at(github, accounts=ACCOUNTS)
    async with planted(durable_url, github, tmp_path) as (plant, ours), asyncio.TaskGroup() as group:
        group.create_task(burst.bring(plant, burst.webhooks, connections=CONNECTIONS))
        for accepted in (80, 200):
            await until_accepted(burst, accepted)
            assert await plant.stop() == [0] * len(plant.processes)
            # What was recorded was answered, and the other way round.
            assert burst.accepted.keys() == (await ours.deliveries()).keys()
            await plant.start()
        await until_accepted(burst, len(burst.webhooks))
        await ours.all_ended()
        assert await plant.stop() == [0] * len(plant.processes)
        await assert_applied_once(burst, ours, durable_url)
        # A stop gives its partitions back, so that nothing had to wait for a lease.
        assert max(burst.accepted.values()) == 1
