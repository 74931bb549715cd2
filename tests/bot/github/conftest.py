"""The stand-in for GitHub, and the App's client of it, on one clock that stands still."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.github.client import GitHubClient
from bot.github.readbacks import GitHubReadBacks
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.keys import process_private_key
from sandbox.github.server import GitHubStandIn
from tests.bot.github.connecting import connected, readbacks_of
from tests.bot.github.impostor import Impostor
from tests.contract import GitHubContract

START = datetime(2026, 3, 10, 12, 0, 0, 500_000, tzinfo=UTC)

PLANS = frozenset({1111, 1313})


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START, frozen=True)


@pytest.fixture
def contract() -> GitHubContract:
    """Judges every request by GitHub's own description."""
    return GitHubContract()


@pytest.fixture
def exchanges(contract: GitHubContract) -> list[Exchange]:
    """Every request that the stand-in got, in order, with its answer."""
    return contract.exchanges


@pytest.fixture
async def github(clock: VirtualClock, contract: GitHubContract) -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn(clock, observers=[contract.see_exchange]) as stand_in:
        yield stand_in
    contract.assert_kept()


@pytest.fixture
async def client(github: GitHubStandIn, clock: VirtualClock) -> AsyncIterator[GitHubClient]:
    async with connected(github, clock) as opened:
        yield opened


@pytest.fixture
def readbacks(client: GitHubClient, clock: VirtualClock) -> GitHubReadBacks:
    return readbacks_of(client, clock, marketplace_plan_ids=PLANS)


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    made = Impostor()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made


@pytest.fixture
async def impostor_client(impostor: Impostor) -> AsyncIterator[GitHubClient]:
    async with GitHubClient.open(
        api_url=impostor.url, client_id="Iv23liSandboxApp0001", private_key=process_private_key(), clock=VirtualClock()
    ) as opened:
        yield opened
