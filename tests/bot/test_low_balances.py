"""A low balance from the spend that crosses a threshold to the vendor's address, in a running server."""

import json
from collections.abc import Sequence
from typing import Any

from bot.notices import NOBODY
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.bot.receiving import http_receiver
from tests.bot.serving import serving
from tests.bot.working import until
from tests.cli.seeding import OCTOCAT, Seeding
from tests.database import START


async def ended(database: Database) -> Sequence[tuple[str, str]]:
    """How the notices ended, and why, the oldest first."""
    rows = [row for row in await database.outbox.list() if row.topic == "low_balance"]
    return [(row.state.value, row.error) for row in reversed(rows)]


async def test_each_threshold_is_told_once(database_url: str) -> None:
    clock = VirtualClock(START)
    async with (
        http_receiver() as vendor,
        serving(database_url, clock=clock, has_worker=True, ALERT_WEBHOOK_URL=vendor.url) as served,
    ):
        seeding = Seeding(served.database, clock)
        await seeding.install(OCTOCAT)
        for amount in (3, 1, 1):
            seeding.count += 1
            await seeding.spend(OCTOCAT, amount)

        async def are_told() -> bool:
            return await ended(served.database) == [("done", "")] * 2

        await until(are_told)

    told: list[Any] = [json.loads(body) for _, body in vendor.requests]
    assert [(each["threshold"], each["balance"], each["entry"]) for each in told] == [(1, 1, 3), (0, 0, 4)]
    assert told[0]["text"] == "Tallyhook: octocat has 1 credit left."
    assert len({each["id"] for each in told}) == 2


async def test_without_an_address_it_ends_and_says_why(database_url: str) -> None:
    clock = VirtualClock(START)
    async with serving(database_url, clock=clock, has_worker=True) as served:
        seeding = Seeding(served.database, clock)
        await seeding.install(OCTOCAT)
        await seeding.spend(OCTOCAT, 5)

        async def has_ended() -> bool:
            return await ended(served.database) == [("ignored", NOBODY)]

        await until(has_ended)
        assert await served.database.alarms.list() == []
