"""How much a delivery costs the database in a busy batch: counts, which no noise changes."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import structlog

from bot.settings import ServerSettings
from sandbox.clock import VirtualClock
from sandbox.github.model import Event
from sandbox.github.server import GitHubStandIn
from tests.system.burst import Burst
from tests.system.github_side import Webhook
from tests.system.our_side import OurSide
from tests.system.power import Power
from tests.system.product import Product, settings_for

ACCOUNTS: Final = 256
"""Each installs and buys: two deliveries."""

MOST_STATEMENTS: Final = 8.0
"""For each delivery, accepted and applied; many rows in one `executemany` count as one, a `BEGIN` counts too."""

MOST_SYNCS_TO_ACCEPT: Final = {1: 1.05, 16: 0.15, 64: 0.05}
MOST_SYNCS_TO_APPLY: Final = {16: 0.50, 64: 0.25}
"""For each delivery, by the number of connections: each commit syncs the disk once. To apply is to accept, too."""

MOST_STATEMENTS_TO_ACCEPT: Final = {1: 3.1, 16: 0.3, 64: 0.1}
"""For each delivery, by the number of connections: the deliveries, their partitions, and a beginning or, on PostgreSQL,
a word to the workers. Once a minute the last delivery of the route is noted, too."""

MOST_STATEMENTS_TO_ANSWER: Final = 20.0
MOST_SYNCS_TO_ANSWER: Final = 3.0
"""For each comment from its webhook to the answer: recorded, decided, two places in the pace, the balance read, ended.

The effects end one by one, as GitHub answers, so that they share their commits by chance only.
"""


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn(rate_limit=1_000_000) as stand_in:
        yield stand_in


@pytest.fixture
def quiet() -> None:
    """Nothing of the program's log: it would take longer to print than what it tells of."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("connections", MOST_SYNCS_TO_ACCEPT)
async def test_deliveries_that_come_together_are_accepted_together(
    github: GitHubStandIn, database_url: str, connections: int
) -> None:
    power, burst = await measured(github, database_url, connections=connections, has_worker=False)
    assert power.commits / len(burst.webhooks) <= MOST_SYNCS_TO_ACCEPT[connections]
    # What isn't seen can't be too much: each commit has a beginning and an insertion at least.
    assert power.statements >= 2 * power.commits
    assert power.statements / len(burst.webhooks) <= MOST_STATEMENTS_TO_ACCEPT[connections]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("connections", MOST_SYNCS_TO_APPLY)
async def test_deliveries_that_come_together_are_applied_together(
    github: GitHubStandIn, database_url: str, connections: int
) -> None:
    power, burst = await measured(github, database_url, connections=connections, has_worker=True)
    assert power.statements / len(burst.webhooks) <= MOST_STATEMENTS
    assert power.commits / len(burst.webhooks) <= MOST_SYNCS_TO_APPLY[connections]


@pytest.mark.usefixtures("quiet")
async def test_comments_that_come_together_are_answered_together(github: GitHubStandIn, database_url: str) -> None:
    """Each in a repository of another account, so that no pace holds one up."""
    power, burst = Power(), Burst()
    burst.webhooks += questions(github)
    settings = ServerSettings.model_validate(settings_for(github, database_url))
    product = Product(settings=settings, clock=VirtualClock(), power=power, has_worker=True)
    async with OurSide.opened(database_url) as ours:
        await product.start()
        with power.watched():
            await burst.bring(product, burst.webhooks, connections=64)
            await ours.all_ended()
            await ours.all_sent()
        await product.close()
        ended = await ours.rows("SELECT topic, state, attempts FROM effects")

    assert burst.refused == []
    assert ended == [{"topic": "reply", "state": "done", "attempts": 1}] * ACCOUNTS
    for repository in github.state.repositories.values():
        (thread,) = repository.threads.values()
        assert [comment.author is github.app_bot for comment in thread.comments] == [False, True]
    assert power.statements / ACCOUNTS <= MOST_STATEMENTS_TO_ANSWER
    assert power.commits / ACCOUNTS <= MOST_SYNCS_TO_ANSWER


def questions(github: GitHubStandIn) -> list[Webhook]:
    """The webhooks of a comment that asks, one for each account; the App is installed, and nothing else was told."""
    asked: list[Webhook] = []

    def keep(event: Event, headers: dict[str, str]) -> None:
        if event.name == "issue_comment":
            asked.append(Webhook(event=event, headers=headers))

    github.courier.observers.append(keep)
    for number in range(ACCOUNTS):
        account = github.add_user(f"user-{number}")
        thread = github.open_issue(github.add_repository(account, "code"), account, "Something")
        github.install(account)
        github.comment(thread, account, "/credits")
    github.courier.observers.remove(keep)
    return asked


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
