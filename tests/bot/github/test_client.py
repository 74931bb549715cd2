"""Credentials, retries, redirects and pages of the App's client, against the stand-in."""

import asyncio
import json
from datetime import timedelta

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from billing.errors import TemporaryFailureError
from billing.values import InstallationId
from bot.github.client import API_VERSION, GitHubClient
from bot.github.errors import InstallationGoneError, InstallationSuspendedError
from bot.github.tokens import MOST_TOKENS, AppToken, GitHubTime, InstallationToken, InstallationTokens
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.model import Installation
from sandbox.github.server import GitHubStandIn
from tests.bot.github.conftest import START
from tests.bot.github.connecting import connected, while_time_passes
from tests.bot.github.impostor import Impostor, answering

REPOSITORIES = "/installation/repositories"


@pytest.fixture
def installation(github: GitHubStandIn) -> Installation:
    return github.install(github.add_user("octocat"))


def number(installation: Installation) -> InstallationId:
    return InstallationId(installation.id)


def app_token(exchange: Exchange) -> str:
    return exchange.headers["authorization"].split(" ")[1]


async def test_the_app_signs_its_own_token(client: GitHubClient, exchanges: list[Exchange]) -> None:
    answer = await client.ask_as_app("GET", "/app")
    assert answer.status == 200
    claims = jwt.decode(app_token(exchanges[0]), options={"verify_signature": False})
    now = int(START.timestamp())
    assert claims == {"iat": now - 60, "exp": now + 540, "iss": "Iv23liSandboxApp0001"}
    assert jwt.get_unverified_header(app_token(exchanges[0]))["alg"] == "RS256"


async def test_requests_say_who_asks_and_in_which_version(client: GitHubClient, exchanges: list[Exchange]) -> None:
    await client.ask_as_app("GET", "/app")
    headers = exchanges[0].headers
    assert headers["x-github-api-version"] == API_VERSION == "2022-11-28"
    assert headers["accept"] == "application/vnd.github.v3+json"
    assert headers["user-agent"] == "Tallyhook"
    assert "cookie" not in headers


async def test_the_apps_token_is_used_again_until_it_is_old(
    client: GitHubClient, clock: VirtualClock, exchanges: list[Exchange]
) -> None:
    for minutes in (0, 6, 2):
        clock.advance(minutes=minutes)
        assert (await client.ask_as_app("GET", "/app")).status == 200
    first, second, third = (app_token(each) for each in exchanges)
    assert first == second != third


@pytest.mark.parametrize(
    "skew", [timedelta(minutes=-30), timedelta(minutes=-2), timedelta(minutes=2), timedelta(hours=3)]
)
async def test_a_clock_that_is_wrong_is_found_out(
    github: GitHubStandIn, exchanges: list[Exchange], skew: timedelta
) -> None:
    clock = VirtualClock(START + skew, frozen=True)
    async with connected(github, clock) as client:
        for _ in range(2):
            assert (await client.ask_as_app("GET", "/app")).status == 200
    # One refusal teaches the time; where the clocks differ by little, not even that.
    assert [each.status for each in exchanges].count(401) <= 1
    assert [each.status for each in exchanges][-2:] == [200, 200]
    claims = jwt.decode(app_token(exchanges[-1]), options={"verify_signature": False})
    if abs(skew) > timedelta(minutes=10):
        assert abs(claims["iat"] + 60 - START.timestamp()) <= 1


async def test_a_jump_of_both_clocks_is_no_difference(
    client: GitHubClient, clock: VirtualClock, exchanges: list[Exchange]
) -> None:
    for _ in range(3):
        assert (await client.ask_as_app("GET", "/app")).status == 200
        clock.advance(days=30)
    assert [each.status for each in exchanges] == [200, 200, 200]


async def test_a_wrong_clock_that_is_put_right_is_found_out_too(
    github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    clock = VirtualClock(START - timedelta(hours=1), frozen=True)
    async with connected(github, clock) as client:
        await client.ask_as_app("GET", "/app")
        clock.set(START)
        assert (await client.ask_as_app("GET", "/app")).status == 200
    assert exchanges[-1].status == 200


async def test_somebody_elses_client_id_is_refused_after_two_tries(
    github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    async with GitHubClient.open(
        api_url=github.api_url,
        client_id="Iv23liSomebodyElse01",
        private_key=github.private_key_pem,
        clock=github.clock,
    ) as client:
        assert (await client.ask_as_app("GET", "/app")).status == 401
    assert [each.status for each in exchanges] == [401, 401]


# The installations' tokens ---------------------------------------------------------------------------------------


async def test_one_token_serves_all_who_ask_at_once(
    client: GitHubClient, github: GitHubStandIn, installation: Installation
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.ask_as_installation(number(installation), "GET", REPOSITORIES)) for _ in range(30)
        ]
    assert [task.result().status for task in tasks] == [200] * 30
    assert github.state.tokens.minted == 1


async def test_tokens_are_opaque_and_long(
    client: GitHubClient, exchanges: list[Exchange], installation: Installation
) -> None:
    await client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    minted = json.loads(exchanges[0].response_body)["token"]
    assert len(minted) > 500
    assert exchanges[1].headers["authorization"] == f"token {minted}"


async def test_a_token_is_replaced_five_minutes_before_its_end(
    client: GitHubClient, clock: VirtualClock, github: GitHubStandIn, installation: Installation
) -> None:
    for minutes, minted in ((0, 1), (54, 1), (1, 2), (54, 2)):
        clock.advance(minutes=minutes)
        assert (await client.ask_as_installation(number(installation), "GET", REPOSITORIES)).status == 200
        assert github.state.tokens.minted == minted


async def test_who_mints_may_be_cancelled_without_harm_to_the_others(
    client: GitHubClient, github: GitHubStandIn, installation: Installation
) -> None:
    github.faults.slow(0.3, path="/app/installations/*/access_tokens")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(client.ask_as_installation(number(installation), "GET", REPOSITORIES))
        others = [
            group.create_task(client.ask_as_installation(number(installation), "GET", REPOSITORIES)) for _ in range(5)
        ]
        for _ in range(1000):
            await asyncio.sleep(0.001)
            if not github.faults.rules[0].times:
                break
        first.cancel()
    assert first.cancelled()
    assert [task.result().status for task in others] == [200] * 5
    assert github.state.tokens.minted <= 2


async def test_a_failed_mint_is_told_to_all_who_wait_for_it_and_then_forgotten(
    client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange], installation: Installation
) -> None:
    github.faults.fail(502, path="/app/installations/*/access_tokens")
    asked = [client.ask_as_installation(number(installation), "GET", REPOSITORIES) for _ in range(10)]
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, TemporaryFailureError) for each in failures)
    assert len(exchanges) == 1
    assert (await client.ask_as_installation(number(installation), "GET", REPOSITORIES)).status == 200


@pytest.mark.parametrize(("refusals", "waited_seconds"), [(1, 1), (2, 3)])
async def test_a_young_token_is_given_time(
    client: GitHubClient,
    clock: VirtualClock,
    github: GitHubStandIn,
    installation: Installation,
    refusals: int,
    waited_seconds: int,
) -> None:
    github.state.tokens.refuse_young(refusals)
    asked = client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    answer = await while_time_passes(clock, asked)
    assert answer.status == 200
    assert clock.now() - START == timedelta(seconds=waited_seconds)
    assert github.state.tokens.minted == 1


async def test_an_older_token_that_is_refused_is_replaced_once(
    client: GitHubClient, clock: VirtualClock, github: GitHubStandIn, installation: Installation
) -> None:
    await client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    clock.advance(seconds=10)
    github.state.tokens.revoke_all()
    assert (await client.ask_as_installation(number(installation), "GET", REPOSITORIES)).status == 200
    assert github.state.tokens.minted == 2


async def test_a_401_that_stays_is_told_after_a_bounded_number_of_tries(
    client: GitHubClient,
    clock: VirtualClock,
    github: GitHubStandIn,
    exchanges: list[Exchange],
    installation: Installation,
) -> None:
    github.faults.fail(401, times=None, path=REPOSITORIES)
    asked = client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    assert (await while_time_passes(clock, asked)).status == 401
    assert len([each for each in exchanges if each.path == REPOSITORIES]) == 8
    assert github.state.tokens.minted == 2


async def test_a_suspended_installation_has_no_token(
    client: GitHubClient, github: GitHubStandIn, installation: Installation
) -> None:
    github.suspend(installation.account)
    with pytest.raises(InstallationSuspendedError, match=str(installation.id)):
        await client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    github.unsuspend(installation.account)
    assert (await client.ask_as_installation(number(installation), "GET", REPOSITORIES)).status == 200


async def test_an_installation_that_is_gone_has_no_token(
    client: GitHubClient, github: GitHubStandIn, installation: Installation
) -> None:
    github.uninstall(installation.account)
    with pytest.raises(InstallationGoneError, match=str(installation.id)):
        await client.ask_as_installation(number(installation), "GET", REPOSITORIES)


# Failures and redirects ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["fail", "drop", "lose_answer"])
async def test_no_answer_is_a_temporary_failure(client: GitHubClient, github: GitHubStandIn, fault: str) -> None:
    getattr(github.faults, fault)()
    with pytest.raises(TemporaryFailureError, match="GitHub") as failure:
        await client.ask_as_app("POST", "/app/installations/5/access_tokens")
    assert failure.value.retry_after_seconds is None
    assert (await client.ask_as_app("GET", "/app")).status == 200


async def test_a_slow_answer_is_a_temporary_failure(github: GitHubStandIn) -> None:
    github.faults.slow(0.5)
    async with connected(github, github.clock, timeout_seconds=0.1) as client:
        with pytest.raises(TemporaryFailureError, match="TimeoutError"):
            await client.ask_as_app("GET", "/app")


async def test_a_read_follows_a_redirect(
    client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    github.faults.redirect("/app", path="/app/hook/config")
    answer = await client.ask_as_app("GET", "/app/hook/config")
    assert answer.status == 200
    assert [each.path for each in exchanges] == ["/app/hook/config", "/app"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_write_never_follows_a_redirect(
    client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange], installation: Installation, status: int
) -> None:
    github.faults.redirect("/app", path="/app/installations/*/access_tokens", status=status)  # type: ignore[arg-type]
    with pytest.raises(TemporaryFailureError, match=str(status)):
        await client.ask_as_installation(number(installation), "GET", REPOSITORIES)
    assert [each.method for each in exchanges] == ["POST"]


async def test_redirects_are_bounded(client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange]) -> None:
    github.faults.redirect("/app", path="/app", times=None)
    with pytest.raises(TemporaryFailureError, match="without end"):
        await client.ask_as_app("GET", "/app")
    assert len(exchanges) == 4


# Where GitHub is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "/"])
async def test_the_api_may_lie_below_a_path(github: GitHubStandIn, ending: str) -> None:
    installation = github.install(github.add_user("octocat"))
    assert github.api_url.endswith("/api/v3")
    async with GitHubClient.open(
        api_url=github.api_url + ending,
        client_id=github.client_id,
        private_key=github.private_key_pem,
        clock=github.clock,
    ) as client:
        path, variables = "/app/installations/{id}", {"id": str(installation.id)}
        assert (await client.ask_as_app("GET", path, variables)).status == 200
        pages = [page async for page in client.pages_as_app("/marketplace_listing/plans{?per_page}", {"per_page": "1"})]
        assert [json.loads(page.body)[0]["id"] for page in pages] == [1111, 1313]


def test_a_key_that_is_none_is_refused_at_once(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="PEM"):
        AppToken(client_id="Iv23liSandboxApp0001", private_key="no key", time=GitHubTime(clock))


def test_a_key_of_another_kind_is_refused_at_once(clock: VirtualClock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(TypeError, match="RSA"):
        AppToken(client_id="Iv23liSandboxApp0001", private_key=pem, time=GitHubTime(clock))


# Tokens in forms that the stand-in doesn't send -------------------------------------------------------------------


@pytest.mark.parametrize("answer", [{}, {"token": None}, {"token": ""}, {"token": 5}, []])
async def test_an_answer_without_a_token_is_a_temporary_failure(
    impostor: Impostor, impostor_client: GitHubClient, answer: object
) -> None:
    impostor.answer = answering(lambda: web.json_response(answer, status=201))
    with pytest.raises(TemporaryFailureError, match="no token"):
        await impostor_client.ask_as_installation(InstallationId(5), "GET", REPOSITORIES)


async def test_a_token_that_tells_no_end_lives_for_an_hour(impostor: Impostor, impostor_client: GitHubClient) -> None:
    impostor.answer = answering(lambda: web.json_response({"token": "opaque", "expires_at": "soon"}, status=201))
    for _ in range(3):
        await impostor_client.ask_as_installation(InstallationId(5), "GET", REPOSITORIES)
    assert [path for path in impostor.asked if path.endswith("access_tokens")] == ["/app/installations/5/access_tokens"]


async def test_a_body_is_sent_as_json(client: GitHubClient, exchanges: list[Exchange]) -> None:
    answer = await client.ask_as_app("PATCH", "/app/hook/config", body=b'{"content_type": "form"}')
    assert answer.status == 200
    assert exchanges[0].headers["content-type"] == "application/json"
    assert json.loads(answer.body)["content_type"] == "form"


async def test_the_number_of_tokens_kept_is_bounded(clock: VirtualClock) -> None:
    minted: list[InstallationId] = []

    async def mint(installation_id: InstallationId) -> InstallationToken:
        minted.append(installation_id)
        return InstallationToken(value="opaque", minted_at=START, expires_at=START + timedelta(hours=1))

    tokens = InstallationTokens(mint, time=GitHubTime(clock))
    await tokens.token(InstallationId(1))
    for identifier in range(2, MOST_TOKENS + 1):
        await tokens.token(InstallationId(identifier))
    await tokens.token(InstallationId(1))
    assert len(minted) == MOST_TOKENS
    await tokens.token(InstallationId(MOST_TOKENS + 1))
    # The one used longest ago made room; the first was used since.
    await tokens.token(InstallationId(1))
    assert len(minted) == MOST_TOKENS + 1
    await tokens.token(InstallationId(2))
    assert len(minted) == MOST_TOKENS + 2


def test_an_answer_without_a_date_tells_no_time(clock: VirtualClock) -> None:
    time = GitHubTime(clock)
    time.hear(START + timedelta(hours=1), sent_at=START)
    time.hear(None, sent_at=START)
    assert time.now() == START + timedelta(hours=1)
    time.hear(START, sent_at=START)
    assert time.now() == START
