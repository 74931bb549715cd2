"""A server with a key makes checkpoints by itself: when it starts, and each hour in which something was booked."""

import base64

from sandbox.clock import VirtualClock
from tests.bot.serving import Served, serving
from tests.bot.working import until, until_true
from tests.storage.builders import provision, spend

KEY = base64.b64encode(bytes(range(32))).decode()


async def numbers(served: Served) -> list[int]:
    """The checkpoints there are."""
    return [checkpoint.number for checkpoint in await served.database.checkpoints.latest(limit=10)]


async def test_checkpoints_are_made_at_the_start_and_each_hour(database_url: str, clock: VirtualClock) -> None:
    async with serving(database_url, clock=clock, has_worker=False) as served:
        state = await provision(served.database, clock, 7, credits_=9)

    async with serving(database_url, clock=clock, has_worker=True, LEDGER_SIGNING_KEY=KEY) as served:

        async def has_first() -> bool:
            return await numbers(served) == [1]

        async def has_second_within_an_hour() -> bool:
            clock.advance(hours=1)
            return await numbers(served) == [2, 1]

        await until(has_first)
        await spend(served.database, clock, state.customer.id, 1, "one")
        await until(has_second_within_an_hour)
        vouching = await served.database.checkpoints.of_account(state.account.id, up_to=2)

    assert vouching is not None
    assert (vouching.checkpoint.number, vouching.seq) == (2, 2)


async def test_without_a_key_none_are_made(sqlite_url: str, clock: VirtualClock) -> None:
    async with serving(sqlite_url, clock=clock, has_worker=True) as served:
        await provision(served.database, clock, 7, credits_=9)
        await until_true(lambda: clock.sleeping)
        clock.advance(hours=1)
        await until_true(lambda: clock.sleeping)

        assert await numbers(served) == []
