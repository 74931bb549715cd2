"""From a comment's webhook to the answer in the thread, in one process."""

from collections.abc import AsyncIterator

import pytest

from sandbox.clock import VirtualClock
from tests.bot.conversation.talking import Talk, talking


@pytest.fixture
async def talk(database_url: str, clock: VirtualClock) -> AsyncIterator[Talk]:
    """On each engine."""
    async with talking(database_url, clock) as running:
        yield running


async def test_a_question_is_seen_and_answered_at_once(talk: Talk, clock: VirtualClock) -> None:
    started, thread = clock.now(), talk.thread()
    question = talk.ask(thread)
    await talk.settle()
    assert talk.reactions(question) == ["eyes"]
    body = talk.answer(thread).body
    mark = f"<!-- tallyhook:answer to={question.id} words=credits figures=yes -->"
    assert body.startswith(f"{mark}\n`octo-org` has **31 credits** left")
    # Nobody looked by the clock: the webhook woke the worker, and its commit the sender.
    assert clock.now() == started
    assert await talk.ends() == [("done", "")]


async def test_somebody_who_may_not_ask_gets_a_sign_in_a_private_repository_and_no_words(talk: Talk) -> None:
    thread = talk.thread()
    question = talk.ask(thread, author=talk.reader)
    await talk.settle()
    assert talk.reactions(question) == ["confused"]
    assert talk.answers(thread) == []


async def test_at_most_three_signs_an_hour_are_given_in_a_repository(talk: Talk) -> None:
    threads = [talk.thread(f"Issue {number}") for number in range(5)]
    questions = [talk.ask(thread, author=talk.reader) for thread in threads]
    await talk.finish()
    assert sorted(len(talk.reactions(each)) for each in questions) == [0, 0, 1, 1, 1]
    assert sorted(state for state, _ in await talk.ends()) == ["done"] * 3 + ["ignored"] * 2
    # They cost the others' turns nothing either: no place was taken for what isn't written.
    await talk.at.advance(hours=1)
    later = talk.ask(talk.thread(), author=talk.reader)
    await talk.finish()
    assert talk.reactions(later) == ["confused"]


async def test_two_words_are_answered_in_one_comment(talk: Talk) -> None:
    thread = talk.thread(pull_request=True)
    talk.ask(thread, "/credits\n/credits plan")
    await talk.settle()
    body = talk.answer(thread).body
    assert "#### Credits" in body
    assert "#### Plan" in body
    assert "`octo-org` is on the plan **`Pro`**, which gives 60 credits a month." in body


async def test_a_mention_is_answered_like_a_slash_command(talk: Talk) -> None:
    thread = talk.thread()
    question = talk.ask(thread, f"@{talk.github.state.app.slug} help")
    await talk.settle()
    assert talk.reactions(question) == ["eyes"]
    assert "on a line of its own" in talk.answer(thread).body


async def test_a_comment_that_comes_twice_is_answered_once(talk: Talk) -> None:
    talk.github.webhook_faults.duplicate(times=None, copies=3)
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    assert len(talk.answers(thread)) == 1
    assert len(talk.asked("POST", "/comments")) == 1


async def test_a_delivery_that_is_handled_again_says_nothing_more(talk: Talk) -> None:
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    [delivery] = [row for row in await talk.at.deliveries() if row.event == "issue_comment"]
    assert await talk.at.database.inbox.replay([delivery.id]) == [delivery.id]
    await talk.at.advance(seconds=1)
    await talk.finish()
    assert len(talk.asked("POST", "/comments")) == 1
    assert talk.asked("PATCH") == []


async def test_neither_our_own_comments_nor_bots_nor_edits_are_answered(talk: Talk) -> None:
    thread, bot = talk.thread(), talk.github.add_bot("helpful")
    question = talk.ask(thread)
    await talk.finish()
    before, answer = len(talk.at.contract.exchanges), talk.answer(thread)
    talk.github.edit_comment(question, "/credits plan")
    talk.ask(thread, author=bot)
    talk.github.comment(thread, talk.github.app_bot, "/credits")
    talk.github.comment(thread, talk.writer, f"{answer.body}\n/credits")
    await talk.finish()
    assert len(talk.at.contract.exchanges) == before
    assert len([row for row in await talk.at.deliveries() if row.event == "issue_comment"]) == 1
