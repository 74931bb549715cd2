"""How much a delivery costs the database in a busy batch: counts, which no noise changes."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import structlog

from bot.settings import ServerSettings
from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from tests.system.burst import Burst
from tests.system.our_side import OurSide
from tests.system.power import Power
from tests.system.product import Product, settings_for

ACCOUNTS: Final = 256
"""Each installs and buys: two deliveries."""

MOST_STATEMENTS: Final = 8.0
"""For each delivery, accepted and applied; many rows in one `executemany` count as one, a `BEGIN` counts too."""

MOST_SYNCS_TO_ACCEPT: Final = {16: 0.25, 64: 0.10}
MOST_SYNCS_TO_APPLY: Final = {16: 0.50, 64: 0.25}
"""For each delivery, by the number of connections: each commit syncs the disk once. To apply is to accept, too."""


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn(rate_limit=1_000_000) as stand_in:
        yield stand_in


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nothing of the program's log: it would take longer to print than what it tells of."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("connections", MOST_SYNCS_TO_ACCEPT)
async def test_deliveries_that_come_together_are_accepted_together(
    github: GitHubStandIn, database_url: str, connections: int
) -> None:
    power, burst = await measured(github, database_url, connections=connections, has_worker=False)
    assert power.commits / len(burst.webhooks) <= MOST_SYNCS_TO_ACCEPT[connections]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("connections", MOST_SYNCS_TO_APPLY)
async def test_deliveries_that_come_together_are_applied_together(
    github: GitHubStandIn, database_url: str, connections: int
) -> None:
    power, burst = await measured(github, database_url, connections=connections, has_worker=True)
    assert power.statements / len(burst.webhooks) <= MOST_STATEMENTS
    assert power.commits / len(burst.webhooks) <= MOST_SYNCS_TO_APPLY[connections]


async def measured(
    github: GitHubStandIn, database_url: str, *, connections: int, has_worker: bool
) -> tuple[Power, Burst]:
    """Bring a burst, and have it applied if there is a worker; what the database was asked for meanwhile."""
    power = Power()
    burst = Burst.at(github, accounts=ACCOUNTS)
    settings = ServerSettings.model_validate(settings_for(github, database_url))
    product = Product(settings=settings, clock=VirtualClock(), power=power, has_worker=has_worker)
    async with OurSide.opened(database_url) as ours:
        await product.start()
        with power.watched():
            await burst.bring(product, burst.webhooks, connections=connections)
            if has_worker:
                await ours.all_ended()
        await product.close()
        if has_worker:
            assert burst.complaints(await ours.customers(), await ours.deliveries()) == []
        assert len(await ours.deliveries()) == len(burst.webhooks)
    return power, burst
