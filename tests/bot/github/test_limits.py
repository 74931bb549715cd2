"""Every form in which GitHub limits our rate becomes a wait that nobody jumps."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import TemporaryFailureError
from billing.values import InstallationId
from bot.github.client import GitHubClient
from bot.github.limits import Pauses
from bot.github.transport import Answer
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.server import GitHubStandIn
from tests.bot.github.conftest import START
from tests.bot.github.connecting import connected

SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'


async def refused_for(client: GitHubClient, path: str = "/app") -> float:
    """Ask, be refused, and return the seconds to wait."""
    with pytest.raises(TemporaryFailureError) as failure:
        await client.ask_as_app("GET", path)
    assert failure.value.retry_after_seconds is not None
    return failure.value.retry_after_seconds


@pytest.mark.parametrize("status", [403, 429])
async def test_retry_after_is_waited_for_by_everybody(
    client: GitHubClient, github: GitHubStandIn, clock: VirtualClock, exchanges: list[Exchange], status: int
) -> None:
    installation = github.install(github.add_user("octocat"))
    github.faults.limit(status, retry_after_seconds=90)  # type: ignore[arg-type]
    assert await refused_for(client) == 90

    clock.advance(seconds=30)
    assert await refused_for(client) == 60
    with pytest.raises(TemporaryFailureError):
        await client.ask_as_installation(InstallationId(installation.id), "GET", "/installation/repositories")
    assert len(exchanges) == 1

    clock.advance(seconds=60)
    assert (await client.ask_as_app("GET", "/app")).status == 200


async def test_a_used_up_limit_is_waited_for_until_its_reset(
    client: GitHubClient, github: GitHubStandIn, clock: VirtualClock, exchanges: list[Exchange]
) -> None:
    github.faults.exhaust(now=clock.now(), seconds=1200)
    seconds = await refused_for(client)
    assert 1200 <= seconds <= 1203
    clock.advance(seconds=seconds - 1)
    assert await refused_for(client) == 1
    assert len(exchanges) == 1
    clock.advance(seconds=1)
    assert (await client.ask_as_app("GET", "/app")).status == 200


async def test_a_used_up_limit_is_counted_by_githubs_clock(github: GitHubStandIn) -> None:
    ours = VirtualClock(START - timedelta(seconds=50), frozen=True)
    github.faults.exhaust(now=github.clock.now(), seconds=100)
    async with connected(github, ours) as client:
        assert 100 <= await refused_for(client) <= 103


@pytest.mark.parametrize("status", [403, 429])
async def test_a_secondary_limit_without_a_time_is_waited_for_longer_each_time(
    client: GitHubClient, github: GitHubStandIn, clock: VirtualClock, status: int
) -> None:
    github.faults.limit(status, retry_after_seconds=None, times=7)  # type: ignore[arg-type]
    waits = []
    for _ in range(7):
        waits.append(await refused_for(client))
        clock.advance(seconds=waits[-1])
    assert waits == [60, 120, 240, 480, 960, 1920, 1920]
    assert (await client.ask_as_app("GET", "/app")).status == 200
    github.faults.limit(status, retry_after_seconds=None)  # type: ignore[arg-type]
    assert await refused_for(client) == 60


async def test_one_limit_stops_those_who_come_after(
    client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    github.faults.limit(429, retry_after_seconds=10)
    await refused_for(client)
    refused = await asyncio.gather(*(client.ask_as_app("GET", "/app") for _ in range(50)), return_exceptions=True)
    assert all(isinstance(each, TemporaryFailureError) for each in refused)
    assert len(exchanges) == 1


# What the headers say, in forms that the stand-in doesn't send ---------------------------------------------------


def wait_of(status: int, headers: dict[str, str], body: bytes = b"{}", *, budget: str = "app") -> tuple[str, float]:
    """Show the answer to a fresh set of pauses; return whom it stops, and for how long."""
    pauses = Pauses(VirtualClock(START, frozen=True))
    with pytest.raises(TemporaryFailureError) as failure:
        pauses.heed(budget, Answer(status=status, headers=headers, body=body))
    try:
        pauses.check("somebody else")
    except TemporaryFailureError:
        stopped = "everybody"
    else:
        stopped = budget
    assert failure.value.retry_after_seconds is not None
    with pytest.raises(TemporaryFailureError):
        pauses.check(budget)
    return stopped, failure.value.retry_after_seconds


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "body", "stopped", "seconds"),
    [
        ({"Retry-After": "7"}, b"{}", "everybody", 7),
        ({"Retry-After": "0"}, b"{}", "everybody", 1),
        ({"Retry-After": "999999"}, b"{}", "everybody", 3600),
        ({"Retry-After": "Tue, 10 Mar 2026 12:01:00 GMT"}, b"{}", "everybody", 59.5),
        ({"Retry-After": "Tue, 10 Mar 2026 11:00:00 GMT"}, b"{}", "everybody", 1),
        ({"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, b"{}", "everybody", 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(START.timestamp()) + 10)}, b"{}", "app", 10.5),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, b"{}", "app", 1),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 30}, b"{}", "app", 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, b"{}", "app", 60),
        ({"X-RateLimit-Remaining": "0"}, b"{}", "app", 60),
        ({}, SECONDARY, "everybody", 60),
        ({"Retry-After": "soon"}, SECONDARY, "everybody", 60),
        (
            {"X-RateLimit-Remaining": "17"},
            b'{"message": "You have triggered an Abuse Detection mechanism"}',
            "everybody",
            60,
        ),
    ],
)
def test_every_form_of_a_limit(status: int, headers: dict[str, str], body: bytes, stopped: str, seconds: float) -> None:
    assert wait_of(status, headers, body) == (stopped, seconds)


def test_a_429_without_anything_is_a_limit() -> None:
    assert wait_of(429, {}) == ("everybody", 60)


def test_a_plain_403_is_none() -> None:
    pauses = Pauses(VirtualClock(START, frozen=True))
    pauses.heed("app", Answer(status=403, headers={"X-RateLimit-Remaining": "17"}, body=b'{"message": "Forbidden"}'))
    pauses.check("app")


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    clock = VirtualClock(START, frozen=True)
    pauses = Pauses(clock)
    for seconds in ("100", "5"):
        with pytest.raises(TemporaryFailureError):
            pauses.heed("app", Answer(status=429, headers={"Retry-After": seconds}, body=b""))
    clock.advance(seconds=50)
    with pytest.raises(TemporaryFailureError) as failure:
        pauses.check("app")
    assert failure.value.retry_after_seconds == 50


def test_githubs_own_date_counts_for_its_reset() -> None:
    date = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
    headers = {
        "Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(date.timestamp()) + 20),
    }
    assert wait_of(403, headers) == ("app", 21)
