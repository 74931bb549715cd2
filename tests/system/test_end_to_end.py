"""One purchase from GitHub's button to what a command prints, all by real processes, with restarts in between."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.github.server import GitHubStandIn
from tests.cli.conftest import settings_for
from tests.cli.running import run
from tests.cli.server_settings import server_settings
from tests.system.burst import prorated_share
from tests.system.our_side import OurSide
from tests.system.processes import Plant

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


async def test_a_purchase_is_shown_after_restarts_and_stays_after_uninstalling(
    github: GitHubStandIn, database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database_url)
    plant = Plant(
        settings={**settings, **server_settings(github)},
        directory=tmp_path,
        works_apart=database_url.startswith("postgresql"),
    )
    account = github.add_user("ada", billing_day=1)

    async def shown() -> dict[str, Any]:
        """What `customers show` prints once all that came is applied."""
        await github.settle()
        await ours.all_ended()
        ended = await run("customers", "show", "github:@ada", "--json", directory=tmp_path, settings=settings)
        assert ended.code == 0, ended.stderr
        record: dict[str, Any] = json.loads(ended.stdout)
        return record

    async def restart() -> None:
        assert await plant.stop() == [0] * len(plant.processes)
        await plant.start()
        github.connect(plant.address)

    async with plant.running(), OurSide.opened(database_url) as ours:
        github.connect(plant.address)
        github.install(account)
        await github.settle()
        await restart()
        bought = github.buy(account, "Pro")
        await github.settle()
        await restart()
        record = await shown()

        share = prorated_share(bought.created_at.date())
        assert (record["github_account_id"], record["plan"]) == (account.id, "pro")
        assert record["credits"]["available"] == 5 + share
        assert sorted((each["origin"], each["remaining"]) for each in record["credits"]["grants"]) == [
            ("plan", share),
            ("signup", 5),
        ]
        assert [(each["plan"], each["state"]) for each in record["subscriptions"]] == [("pro", "active")]
        assert [each["state"] for each in record["installations"]] == ["active"]

        github.cancel(account)
        github.uninstall(account)
        after = await shown()
        assert after["credits"] == record["credits"]
        assert after["subscriptions"][0]["cancel_at_period_end"]
        assert [each["state"] for each in after["installations"]] == ["deleted"]
        verified = await run("verify", directory=tmp_path, settings=settings)
        assert (verified.code, github_told(github)) == (0, {202})


def github_told(github: GitHubStandIn) -> set[int]:
    """What GitHub's delivery log says the webhooks were answered, pings aside."""
    return {
        delivery.status_code
        for deliveries in github.state.deliveries.values()
        for delivery in deliveries
        if delivery.event.name != "ping"
    }
