"""Ten thousand forged or mutated deliveries on each webhook: none gets in, and none breaks anything."""

import pytest

from tests.bot.forging import forgeries
from tests.bot.hostile import TARGETS, Target, good
from tests.bot.serving import serving
from tests.bot.wire import Wire, request_of

SEED = 20261122
COUNT = 10_000


@pytest.mark.usefixtures("clean_log")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.hook))
async def test_no_forged_delivery_gets_in(target: Target, sqlite_url: str) -> None:
    wrong = []
    async with serving(sqlite_url) as served, Wire.connect(served.port) as wire:
        for name, request, statuses in forgeries(target, seed=SEED, count=COUNT):
            answer = await wire.ask(request)
            if answer.status not in statuses:
                wrong.append(f"{name}: {answer.status}")

        assert wrong == []
        assert await served.deliveries() == []
        assert await served.database.inbox.pings() == {}
        assert sum(served.counted(target.hook).values()) == COUNT

        # The same connection still takes what is right.
        body, headers = good(target)
        assert (await wire.ask(request_of(target.path, body, headers.items()))).status == 202
        assert len(await served.deliveries()) == 1
