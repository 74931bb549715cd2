"""What can go wrong with the REST API, each fault as a client meets it."""

import asyncio
from typing import Literal

import aiohttp
import pytest

from sandbox.clock import VirtualClock
from sandbox.github.rest_faults import RestFault
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client


async def test_errors_come_so_often_and_only_where_told(client: Client, github: GitHubStandIn) -> None:
    github.faults.fail(503, times=2, path="/marketplace_listing/*", method="GET")
    statuses = [(await client.get("/marketplace_listing/plans")).status for _ in range(3)]
    assert statuses == [503, 503, 200]
    github.faults.fail(500, times=None)
    assert [(await client.get("/app")).status for _ in range(3)] == [500, 500, 500]
    github.faults.clear()
    assert (await client.get("/app")).status == 200


async def test_a_lost_answer_has_taken_effect(client: Client, github: GitHubStandIn, contract: GitHubContract) -> None:
    alice = github.add_user("alice")
    installed = github.install(alice)
    github.faults.lose_answer(method="POST")
    with pytest.raises(aiohttp.ClientError):
        await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")
    assert github.state.tokens.minted == 1
    assert [(exchange.status, exchange.fault) for exchange in contract.exchanges] == [(201, "lost_answer")]


async def test_what_lands_late_is_done_after_its_client_has_given_up(
    client: Client, github: GitHubStandIn, contract: GitHubContract, clock: VirtualClock
) -> None:
    installed = github.install(github.add_user("alice"))
    github.faults.land_late(4, method="POST")
    with pytest.raises(aiohttp.ClientError):
        await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")
    async with asyncio.timeout(10):
        while not clock.sleeping:  # noqa: ASYNC110 -- the stand-in rings no bell
            await asyncio.sleep(0.002)
    clock.advance(seconds=3)
    assert (await client.get("/app")).status == 200
    assert github.state.tokens.minted == 0
    clock.advance(seconds=1)
    async with asyncio.timeout(10):
        while not github.state.tokens.minted:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.002)
    assert [(exchange.status, exchange.fault) for exchange in contract.exchanges] == [(200, None), (201, "lands_late")]


async def test_a_dropped_connection_has_taken_none(client: Client, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("alice"))
    github.faults.drop()
    with pytest.raises(aiohttp.ClientError):
        await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")
    assert github.state.tokens.minted == 0


async def test_a_slow_answer_comes_all_the_same(client: Client, github: GitHubStandIn) -> None:
    github.faults.slow(0.05, path="/app")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.get("/app")
    github.faults.slow(0.001, path="/app")
    assert (await client.get("/app")).status == 200


@pytest.mark.parametrize(("status", "retry_after"), [(403, 60), (429, 7), (403, None)])
async def test_secondary_limits(client: Client, github: GitHubStandIn, status: int, retry_after: int | None) -> None:
    github.faults.limit(429 if status == 429 else 403, retry_after_seconds=retry_after)
    answer = await client.get("/app")
    assert answer.status == status
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert "secondary rate limit" in answer.body["message"]
    assert answer.headers["X-RateLimit-Remaining"] != "0"
    assert (await client.get("/app")).status == 200


async def test_the_primary_limit_ends_at_its_reset(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    github.faults.exhaust(now=clock.now(), seconds=90)
    answer = await client.get("/app")
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert "rate limit exceeded" in answer.body["message"]
    reset = int(answer.headers["X-RateLimit-Reset"])
    assert reset >= clock.now().timestamp() + 90
    clock.advance(seconds=reset - clock.now().timestamp(), milliseconds=-1)
    assert (await client.get("/app")).status == 403
    clock.advance(milliseconds=1)
    assert (await client.get("/app")).status == 200


async def test_the_primary_limit_is_counted_for_each_credential(clock: VirtualClock) -> None:
    async with GitHubStandIn(clock, rate_limit=2) as github, aiohttp.ClientSession() as session:
        client = Client(github, session)
        first, second = client.app_token(), client.app_token(iss=str(github.app_id))
        assert [(await client.get("/app", token=first)).status for _ in range(3)] == [200, 200, 403]
        assert (await client.get("/app", token=second)).status == 200


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_lead_to_another_path(
    client: Client, github: GitHubStandIn, status: Literal[301, 302, 307, 308]
) -> None:
    alice = github.add_user("alice")
    github.faults.redirect(f"/user/{alice.id}", status=status, path="/users/*")
    answer = await client.ask("GET", "/users/alice", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (status, f"{github.api_url}/user/{alice.id}")
    assert (await client.get("/users/alice")).body["id"] == alice.id


async def test_an_answer_may_be_no_json(client: Client, github: GitHubStandIn) -> None:
    github.faults.garble()
    answer = await client.get("/app")
    assert (answer.status, answer.text[:6]) == (200, "<html>")


async def test_random_faults_are_the_same_for_the_same_seed(clock: VirtualClock) -> None:
    runs = []
    for seed in (1, 1, 2):
        async with GitHubStandIn(clock, seed=seed) as github, aiohttp.ClientSession() as session:
            client = Client(github, session)
            github.faults.randomly(
                [
                    (0.3, RestFault(kind="status", status=500)),
                    (0.3, RestFault(kind="status", status=502)),
                    (1.0, RestFault(kind="status", status=504, path="/nowhere")),
                ]
            )
            runs.append([(await client.get("/app")).status for _ in range(40)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 500, 502}


async def test_a_request_under_a_fault_is_still_judged(
    client: Client, github: GitHubStandIn, contract: GitHubContract
) -> None:
    github.faults.fail(500)
    github.faults.slow(0.001)
    await client.get("/app?page=1")
    await client.get("/app")
    assert [exchange.fault for exchange in contract.exchanges] == ["status", None]
    [bad] = contract.bad_requests
    assert "parameter 'page' is none of this operation's" in bad
