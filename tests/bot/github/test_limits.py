"""Every form in which GitHub limits our rate becomes a wait that nobody jumps."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import TemporaryFailureError
from billing.values import InstallationId
from bot.github.client import GitHubClient
from bot.github.limits import Pauses
from bot.github.transport import Answer
from bot.retries import NotYetError
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
@pytest.mark.parametrize("retry_after_seconds", [60, None])
async def test_a_limit_stops_the_budget_that_met_it_and_no_other(
    client: GitHubClient,
    github: GitHubStandIn,
    clock: VirtualClock,
    exchanges: list[Exchange],
    status: int,
    retry_after_seconds: int | None,
) -> None:
    limited, other = (InstallationId(github.install(github.add_user(name)).id) for name in ("limited", "other"))
    path = "/installation/repositories"
    for installation in (limited, other):
        await client.ask_as_installation(installation, "GET", path)
    github.faults.limit(status, retry_after_seconds=retry_after_seconds)  # type: ignore[arg-type]
    with pytest.raises(TemporaryFailureError) as failure:
        await client.ask_as_installation(limited, "GET", path)
    # It asked, so that this was an attempt; whoever comes next doesn't.
    assert not isinstance(failure.value, NotYetError)
    assert failure.value.retry_after_seconds == 60
    until, before = clock.now() + timedelta(seconds=60), len(exchanges)
    clock.advance(seconds=20)
    with pytest.raises(NotYetError) as turn:
        await client.ask_as_installation(limited, "GET", path)
    assert (turn.value.until, turn.value.retry_after_seconds) == (until, 40)
    assert len(exchanges) == before
    assert (await client.ask_as_installation(other, "GET", path)).status == 200
    assert (await client.ask_as_app("GET", "/app")).status == 200
    clock.set(until)
    assert (await client.ask_as_installation(limited, "GET", path)).status == 200


@pytest.mark.parametrize("status", [403, 429])
async def test_the_apps_own_limit_stops_no_installation_that_has_a_token(
    client: GitHubClient, github: GitHubStandIn, clock: VirtualClock, exchanges: list[Exchange], status: int
) -> None:
    known, unknown = (InstallationId(github.install(github.add_user(name)).id) for name in ("known", "unknown"))
    path = "/installation/repositories"
    await client.ask_as_installation(known, "GET", path)
    github.faults.limit(status, retry_after_seconds=90)  # type: ignore[arg-type]
    assert await refused_for(client) == 90

    clock.advance(seconds=30)
    before = len(exchanges)
    assert await refused_for(client) == 60
    # A token is asked for as the App.
    with pytest.raises(NotYetError):
        await client.ask_as_installation(unknown, "GET", path)
    assert len(exchanges) == before
    assert (await client.ask_as_installation(known, "GET", path)).status == 200

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


def wait_of(status: int, headers: dict[str, str], body: bytes = b"{}") -> float:
    """Show the answer to a fresh set of pauses; return for how long it stops its budget. It stops no other."""
    pauses = Pauses(VirtualClock(START, frozen=True))
    with pytest.raises(TemporaryFailureError) as failure:
        pauses.heed("app", Answer(status=status, headers=headers, body=body))
    pauses.check("somebody else")
    with pytest.raises(NotYetError) as turn:
        pauses.check("app")
    assert turn.value.retry_after_seconds is not None
    assert failure.value.retry_after_seconds == turn.value.retry_after_seconds
    return turn.value.retry_after_seconds


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, b"{}", 7),
        ({"Retry-After": "0"}, b"{}", 1),
        ({"Retry-After": "999999"}, b"{}", 3600),
        ({"Retry-After": "Tue, 10 Mar 2026 12:01:00 GMT"}, b"{}", 59.5),
        ({"Retry-After": "Tue, 10 Mar 2026 11:00:00 GMT"}, b"{}", 1),
        ({"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, b"{}", 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(START.timestamp()) + 10)}, b"{}", 10.5),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, b"{}", 1),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 30}, b"{}", 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, b"{}", 60),
        ({"X-RateLimit-Remaining": "0"}, b"{}", 60),
        ({}, SECONDARY, 60),
        ({"Retry-After": "soon"}, SECONDARY, 60),
        (
            {"X-RateLimit-Remaining": "17"},
            b'{"message": "You have triggered an Abuse Detection mechanism"}',
            60,
        ),
    ],
)
def test_every_form_of_a_limit(status: int, headers: dict[str, str], body: bytes, seconds: float) -> None:
    assert wait_of(status, headers, body) == seconds


def test_a_429_without_anything_is_a_limit() -> None:
    assert wait_of(429, {}) == 60


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
    assert wait_of(403, headers) == 21


def test_what_was_on_its_way_when_the_wait_began_does_not_double_it() -> None:
    clock = VirtualClock(START, frozen=True)
    pauses = Pauses(clock)
    waits = []
    for advanced in (0, 0, 1, 59, 0):
        clock.advance(seconds=advanced)
        with pytest.raises(TemporaryFailureError) as failure:
            pauses.heed("installation:1", Answer(status=403, headers={}, body=SECONDARY))
        waits.append(failure.value.retry_after_seconds)
    assert waits == [60, 60, 60, 60, 60]
    clock.advance(seconds=60)
    with pytest.raises(TemporaryFailureError) as failure:
        pauses.heed("installation:1", Answer(status=403, headers={}, body=SECONDARY))
    assert failure.value.retry_after_seconds == 120
    # Another budget has met nothing yet.
    with pytest.raises(TemporaryFailureError) as failure:
        pauses.heed("installation:2", Answer(status=403, headers={}, body=SECONDARY))
    assert failure.value.retry_after_seconds == 60
