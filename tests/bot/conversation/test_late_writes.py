"""Writes that GitHub does after their connection broke: waited for, so that nothing is written twice or undone."""

import pytest

from bot.conversation.thread import LANDED_AFTER_SECONDS
from sandbox.clock import VirtualClock
from tests.bot.conversation.talking import Talk

POSTS = "/repos/*/issues/*/comments"


@pytest.mark.parametrize("seconds", [0.5, 4.0, 10.0, 15.0])
async def test_a_post_that_lands_late_stays_the_one_answer(talk: Talk, clock: VirtualClock, seconds: float) -> None:
    thread, started = talk.thread(), clock.now()
    talk.github.faults.land_late(seconds, method="POST", path=POSTS)
    question = talk.ask(thread)
    await talk.settle()
    assert talk.answers(thread) == []
    due = await talk.next_due()
    assert due is not None
    assert (due - started).total_seconds() >= LANDED_AFTER_SECONDS > seconds
    clock.advance(seconds=seconds)
    await talk.finish()
    assert f"to={question.id} " in talk.answer(thread).body
    assert len(talk.asked("POST", f"/issues/{thread.number}/comments")) == 1
    assert await talk.ends() == [("done", "")]


async def test_a_post_that_never_lands_is_made_again(talk: Talk) -> None:
    thread = talk.thread()
    talk.github.faults.drop(method="POST", path=POSTS)
    talk.ask(thread)
    await talk.finish()
    assert "31 credits" in talk.answer(thread).body


async def test_a_post_that_was_limited_waits_no_longer_than_github_asks(talk: Talk, clock: VirtualClock) -> None:
    thread, started = talk.thread(), clock.now()
    talk.github.faults.limit(429, retry_after_seconds=3, method="POST", path=POSTS)
    talk.ask(thread)
    await talk.finish()
    assert len(talk.answers(thread)) == 1
    assert (clock.now() - started).total_seconds() < LANDED_AFTER_SECONDS


async def test_an_edit_that_lands_late_does_not_undo_the_next_one(talk: Talk, clock: VirtualClock) -> None:
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    await talk.at.advance(hours=1)
    talk.github.faults.land_late(8.0, method="PATCH")
    talk.ask(thread)
    last = talk.ask(thread)
    await talk.settle()
    clock.advance(seconds=8)
    await talk.finish()
    assert f"to={last.id} " in talk.answer(thread).body
