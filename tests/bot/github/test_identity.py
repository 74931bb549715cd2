"""Who the App is: asked at once, kept, doubted when somebody is mentioned who might be us."""

import asyncio

import pytest
from aiohttp import web

from billing.errors import TemporaryFailureError
from bot.github.client import GitHubClient
from bot.github.identity import DOUBTED_AFTER, KEPT, AppIdentity
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.server import GitHubStandIn
from tests.bot.github.impostor import Impostor, answering
from tests.bot.working import running, until_true


@pytest.fixture
def identity(client: GitHubClient, clock: VirtualClock) -> AppIdentity:
    return AppIdentity(client, clock=clock)


async def test_it_is_learned_in_the_background_from_the_start_on(identity: AppIdentity) -> None:
    assert identity.slug is None
    async with running(identity):
        await until_true(lambda: identity.slug == "tallyhook-sandbox")


async def test_it_is_asked_again_before_it_lapses(
    identity: AppIdentity, clock: VirtualClock, exchanges: list[Exchange]
) -> None:
    async with running(identity):
        for hours in range(1, 4):
            await until_true(lambda hours=hours: len(exchanges) == hours and clock.sleeping)  # type: ignore[misc]
            clock.advance(minutes=49)
            assert identity.slug == "tallyhook-sandbox"
            clock.advance(minutes=1)
    assert {each.path for each in exchanges} == {"/app"}


async def test_it_lapses_after_an_hour_without_an_answer(
    identity: AppIdentity, clock: VirtualClock, github: GitHubStandIn
) -> None:
    async with running(identity):
        await until_true(lambda: identity.slug)
        github.faults.fail(503, times=None)
        clock.advance(seconds=KEPT.total_seconds() - 1)
        assert identity.slug == "tallyhook-sandbox"
        clock.advance(seconds=1)
        assert identity.slug is None


async def test_it_is_asked_for_until_github_answers(
    identity: AppIdentity, clock: VirtualClock, github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    github.faults.fail(401, times=2)
    github.faults.fail(502)
    github.faults.garble()
    github.faults.limit(429, retry_after_seconds=7)
    async with running(identity):

        async def time_passes() -> None:
            while identity.slug is None:
                clock.advance(seconds=1)
                await asyncio.sleep(0.005)

        await asyncio.wait_for(time_passes(), 30)
    # Further and further apart; while GitHub asked us to wait, nothing left.
    assert [each.status for each in exchanges] == [401, 401, 502, 200, 429, 200]


async def test_whoever_answers_a_comment_asks_again_after_a_minute(
    identity: AppIdentity, clock: VirtualClock, exchanges: list[Exchange], github: GitHubStandIn
) -> None:
    assert [await identity.current() for _ in range(3)] == ["tallyhook-sandbox"] * 3
    clock.advance(seconds=DOUBTED_AFTER.total_seconds() - 1)
    await identity.current()
    assert len(exchanges) == 1
    github.state.app.slug = "renamed"
    clock.advance(seconds=1)
    assert await identity.current() == "renamed" == identity.slug
    assert len(exchanges) == 2


async def test_all_who_ask_at_once_share_an_answer(identity: AppIdentity, exchanges: list[Exchange]) -> None:
    assert await asyncio.gather(*(identity.current() for _ in range(20))) == ["tallyhook-sandbox"] * 20
    assert len(exchanges) == 1


async def test_all_who_ask_at_once_share_a_failure(
    identity: AppIdentity, exchanges: list[Exchange], github: GitHubStandIn
) -> None:
    """Each asking by itself, one after another, would keep the last for the sum of all their time-outs."""
    github.faults.fail(503, times=None)
    failures = await asyncio.gather(*(identity.current() for _ in range(20)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [TemporaryFailureError] * 20
    assert len(exchanges) == 1
    github.faults.clear()
    assert await identity.current() == "tallyhook-sandbox"


async def test_whoever_waits_asks_itself_if_the_one_who_asked_is_cancelled(
    identity: AppIdentity, github: GitHubStandIn
) -> None:
    github.faults.slow(3)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(identity.current())
        await until_true(lambda: not github.faults.rules[-1].times)
        waiting = [group.create_task(identity.current()) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
    assert [task.result() for task in waiting] == ["tallyhook-sandbox"] * 3


async def test_a_doubt_is_settled_at_once_but_not_within_a_minute(
    identity: AppIdentity, clock: VirtualClock, exchanges: list[Exchange], github: GitHubStandIn
) -> None:
    identity.doubt()
    async with running(identity):
        await until_true(lambda: identity.slug and clock.sleeping)
        github.state.app.slug = "renamed"
        assert not identity.can_be_doubted
        clock.advance(seconds=DOUBTED_AFTER.total_seconds())
        await until_true(lambda: identity.can_be_doubted)
        await asyncio.to_thread(identity.doubt)
        await until_true(lambda: identity.slug == "renamed")
    assert len(exchanges) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 410, 500])
async def test_no_other_answer_tells_a_slug(identity: AppIdentity, github: GitHubStandIn, status: int) -> None:
    github.faults.fail(status)
    with pytest.raises(TemporaryFailureError):
        await identity.current()
    assert identity.slug is None


@pytest.mark.parametrize("answer", [{}, {"slug": None}, {"slug": ""}, {"slug": 7}, [], {"slug": "x" * 300}])
async def test_an_answer_without_a_slug_is_none(
    impostor: Impostor, impostor_client: GitHubClient, clock: VirtualClock, answer: object
) -> None:
    impostor.say(answer)
    with pytest.raises(TemporaryFailureError, match="slug"):
        await AppIdentity(impostor_client, clock=clock).current()


async def test_stopping_waits_for_nobody(
    impostor: Impostor, impostor_client: GitHubClient, clock: VirtualClock
) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        asked.set()
        await answers.wait()
        return web.json_response({})

    impostor.answer = hang
    try:
        async with asyncio.timeout(10), running(AppIdentity(impostor_client, clock=clock)):
            await asked.wait()
    finally:
        answers.set()
        impostor.answer = answering(lambda: web.json_response({}))
