"""Comments at the edge: those that may ask us something are kept, the others are nobody's business but passed on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.app import GITHUB
from bot.github.identity import DOUBTED_AFTER
from sandbox.clock import VirtualClock
from sandbox.github.model import Repository, Thread
from sandbox.github.server import GitHubStandIn
from storage.effects import EffectState
from tests.bot.serving import Served, serving
from tests.bot.working import until_true
from tests.contract import GitHubContract

FORWARD_URL = "http://127.0.0.1:9/app"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A server without a worker: what it keeps, rests."""

    served: Served
    github: GitHubStandIn
    contract: GitHubContract
    thread: Thread

    async def says(self, body: str, *, author: str = "octocat") -> bool:
        """Write a comment; whether the server has kept it."""
        before = len(await self.served.deliveries())
        self.github.comment(self.thread, author, body)
        await self.github.settle()
        return len(await self.served.deliveries()) > before

    def asked(self) -> int:
        """How often GitHub was asked for the App."""
        return len([each for each in self.contract.exchanges if each.path == "/app"])


@asynccontextmanager
async def edge(
    database_url: str,
    clock: VirtualClock,
    *,
    is_github_away: bool = False,
    forward_url: str = "",
    slash_commands: str = "credits",
) -> AsyncIterator[Edge]:
    """Run the server and the stand-in."""
    contract = GitHubContract()
    async with GitHubStandIn(clock, observers=[contract.see_exchange], event_observers=[contract.see_event]) as github:
        if is_github_away:
            github.faults.fail(503, times=None, path="/app")
        account = github.add_user("octocat")
        repository: Repository = github.add_repository(account, "hello")
        github.install(account)
        async with serving(
            database_url,
            clock=clock,
            GITHUB_API_URL=github.api_url,
            GITHUB_APP_ID=str(github.app_id),
            GITHUB_CLIENT_ID=github.client_id,
            GITHUB_PRIVATE_KEY=github.private_key_pem,
            GITHUB_WEBHOOK_SECRET=github.webhook_secret,
            GITHUB_FORWARD_URL=forward_url,
            SLASH_COMMANDS=slash_commands,
        ) as served:
            github.connect(f"http://127.0.0.1:{served.port}")
            await github.settle()
            await until_true(lambda: contract.exchanges)
            yield Edge(
                served=served,
                github=github,
                contract=contract,
                thread=github.open_issue(repository, account, "It breaks"),
            )
    contract.assert_kept()


async def test_without_a_worker_the_edge_learns_who_the_app_is(sqlite_url: str, clock: VirtualClock) -> None:
    async with edge(sqlite_url, clock) as at:
        await until_true(lambda: at.served.app[GITHUB].identity.slug)
        assert await at.says("@tallyhook-sandbox credits")
        assert await at.says("/credits")
        assert not await at.says("@somebody credits")
        assert not await at.says("Thanks, that works")
        assert not await at.says("> /credits\nis what you said")
        [row] = [row for row in await at.served.deliveries() if row.event == "issue_comment"][:1]
        assert row.partition == f"github:thread:{at.thread.repository.id}:{at.thread.number}"


async def test_until_the_app_is_known_a_mention_of_anybody_is_kept(sqlite_url: str, clock: VirtualClock) -> None:
    async with edge(sqlite_url, clock, is_github_away=True) as at:
        assert await at.says("@somebody credits")
        assert not await at.says("@somebody merge")
        at.github.faults.clear()
        clock.advance(hours=1)
        await until_true(lambda: at.served.app[GITHUB].identity.slug)
        assert not await at.says("@somebody credits")


async def test_a_mention_of_nobody_known_is_kept_and_lets_github_be_asked_again_but_only_once_a_minute(
    sqlite_url: str, clock: VirtualClock
) -> None:
    async with edge(sqlite_url, clock) as at:
        identity = at.served.app[GITHUB].identity
        await until_true(lambda: identity.slug)
        at.github.state.app.slug = "renamed"
        assert not await at.says("@renamed credits")
        assert at.asked() == 1
        clock.advance(seconds=DOUBTED_AFTER.total_seconds())
        assert not await at.says("No question at all")
        assert at.asked() == 1
        # The first mention after the App was renamed may be meant for us: the handler will know.
        assert await at.says("@renamed credits")
        await until_true(lambda: identity.slug == "renamed")
        assert await at.says("@renamed credits")
        assert not await at.says("@tallyhook-sandbox credits")
        assert at.asked() == 2


async def test_what_is_not_kept_is_passed_on_all_the_same(sqlite_url: str, clock: VirtualClock) -> None:
    async with edge(sqlite_url, clock, forward_url=FORWARD_URL) as at:
        await until_true(lambda: at.served.app[GITHUB].identity.slug)
        before = len(await at.served.database.outbox.list())
        assert not await at.says("Thanks, that works")
        assert not await at.says("/credits", author=at.github.add_bot("helpful").login)
        effects = await at.served.database.outbox.list()
        assert len(effects) == before + 2
        assert {effect.state for effect in effects} == {EffectState.PENDING}


@pytest.mark.parametrize(
    ("words", "kept"), [("credits", "/credits"), ("plan", "/plan"), ("none", "@tallyhook-sandbox plan")]
)
async def test_slash_commands_are_those_of_the_setting(
    sqlite_url: str, clock: VirtualClock, words: str, kept: str
) -> None:
    async with edge(sqlite_url, clock, slash_commands=words) as at:
        await until_true(lambda: at.served.app[GITHUB].identity.slug)
        said = {body: await at.says(body) for body in ("/credits", "/plan", "/help", "@tallyhook-sandbox plan")}
        assert said == {body: body in (kept, "@tallyhook-sandbox plan") for body in said}
