"""Where in a thread the answer stands: in one comment, edited while people see it, else moved to the end."""

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.model import Comment, Thread
from tests.bot.conversation.talking import Talk


async def answered(talk: Talk) -> tuple[Thread, Comment]:
    """A thread with one answer, an hour ago."""
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    await talk.at.advance(hours=1)
    return thread, talk.answer(thread)


async def asked_again(talk: Talk, thread: Thread) -> Comment:
    """Ask once more; the answer to that."""
    question = talk.ask(thread)
    await talk.finish()
    answer = talk.answer(thread)
    assert answer.body.startswith(f"<!-- tallyhook:answer to={question.id} ")
    return answer


async def test_an_answer_among_the_last_ten_is_edited(talk: Talk) -> None:
    thread, answer = await answered(talk)
    # With the question there are nine after it.
    talk.chat(thread, 8)
    assert await asked_again(talk, thread) is answer


async def test_an_answer_further_up_is_deleted_and_given_anew(talk: Talk) -> None:
    thread, answer = await answered(talk)
    talk.chat(thread, 9)
    assert await asked_again(talk, thread) is not answer
    assert answer not in thread.comments


async def test_within_a_minute_of_the_last_answer_it_is_edited_however_far_up(talk: Talk, clock: VirtualClock) -> None:
    thread = talk.thread()
    talk.ask(thread)
    await talk.settle()
    answer = talk.answer(thread)
    talk.chat(thread, 20)
    clock.advance(seconds=60)
    assert await asked_again(talk, thread) is answer
    await talk.at.advance(seconds=62)
    assert await asked_again(talk, thread) is not answer


async def test_in_a_long_thread_the_first_page_and_the_last_are_read(talk: Talk) -> None:
    thread = talk.thread()
    talk.chat(thread, 255)
    talk.ask(thread)
    await talk.finish()
    pages = [each.query for each in talk.asked("GET", f"/issues/{thread.number}/comments")]
    # No answer of ours was found at the end, so that all had to be read.
    assert pages == ["per_page=100", "per_page=100&page=3", "per_page=100&page=2"]
    await talk.at.advance(hours=1)
    talk.chat(thread, 3)
    before = talk.answer(thread)
    assert await asked_again(talk, thread) is before
    pages = [each.query for each in talk.asked("GET", f"/issues/{thread.number}/comments")]
    assert pages[3:] == ["per_page=100", "per_page=100&page=3"]


@pytest.mark.parametrize(
    ("before", "after", "is_edited"), [(98, 4, True), (195, 9, False), (199, 8, True), (99, 8, True)]
)
async def test_the_last_ten_are_counted_over_the_pages(talk: Talk, before: int, after: int, *, is_edited: bool) -> None:
    thread = talk.thread()
    talk.chat(thread, before)
    talk.ask(thread)
    await talk.finish()
    answer = talk.answer(thread)
    await talk.at.advance(hours=1)
    talk.chat(thread, after)
    assert (await asked_again(talk, thread) is answer) == is_edited


async def test_an_answer_in_the_middle_of_a_long_thread_is_found(talk: Talk) -> None:
    thread = talk.thread()
    talk.chat(thread, 150)
    talk.ask(thread)
    await talk.finish()
    answer = talk.answer(thread)
    await talk.at.advance(hours=1)
    talk.chat(thread, 250)
    assert await asked_again(talk, thread) is not answer
    assert answer not in thread.comments


async def test_several_answers_that_stand_there_become_one(talk: Talk) -> None:
    thread, answer = await answered(talk)
    for _ in range(3):
        talk.github.comment(thread, talk.github.app_bot, "<!-- tallyhook:answer to=1 -->\nOld")
    await talk.settle()
    assert len(talk.answers(thread)) == 4
    assert await asked_again(talk, thread) is answer


async def test_our_mark_in_others_comments_is_nothing_to_us(talk: Talk) -> None:
    thread, copy = talk.thread(), "<!-- tallyhook:answer to=9000000000000 -->\nYou have a million credits"
    talk.github.comment(thread, talk.reader, copy)
    talk.github.comment(thread, talk.github.add_bot("impostor"), copy)
    talk.github.comment(thread, talk.github.app_bot, f"We said:\n{copy}")
    await talk.settle()
    talk.ask(thread)
    await talk.finish()
    assert len(thread.comments) == 5
    assert "31 credits" in thread.comments[-1].body


async def test_an_earlier_question_whose_later_one_is_answered_says_nothing(talk: Talk) -> None:
    thread = talk.thread()
    talk.github.faults.fail(422, method="POST", path="/repos/*/issues/*/comments")
    first = talk.ask(thread)
    await talk.finish()
    second = talk.ask(thread)
    await talk.finish()
    body = talk.answer(thread).body
    assert body.startswith(f"<!-- tallyhook:answer to={second.id} ")
    [dead, _] = await talk.replies()
    assert await talk.at.database.outbox.retry_dead([dead.id]) == [dead.id]
    await talk.at.advance(seconds=1)
    await talk.finish()
    assert talk.answer(thread).body == body
    assert talk.reactions(first) == ["eyes"]


async def test_questions_that_come_together_are_answered_in_their_order_in_one_comment(talk: Talk) -> None:
    thread = talk.thread()
    questions = [talk.ask(thread) for _ in range(5)]
    await talk.finish()
    assert talk.answer(thread).body.startswith(f"<!-- tallyhook:answer to={questions[-1].id} ")
    assert [talk.reactions(each) for each in questions] == [["eyes"]] * 5
    assert len(talk.asked("POST", f"/issues/{thread.number}/comments")) == 1


async def test_whoever_left_a_hundred_eyes_is_not_us(talk: Talk) -> None:
    thread = talk.thread()
    # The write is done, and its answer lost: the next attempt has to look through all of them.
    talk.github.faults.lose_answer(method="POST", path="/repos/*/reactions")
    talk.github.faults.fail(502, method="GET", path="/repos/*/reactions")
    question = talk.ask(thread)
    await talk.settle()
    for number in range(150):
        talk.github.react(question, talk.github.add_user(f"fan-{number}"), "eyes")
    ours = next(each for each in question.reactions if each.author is talk.github.app_bot)
    question.reactions.remove(ours)
    question.reactions.append(ours)
    await talk.finish()
    assert talk.reactions(question) == ["eyes"]
    assert len(talk.asked("POST", "/reactions")) == 1
    assert len(talk.answers(thread)) == 1


async def test_what_our_app_writes_for_a_person_is_the_persons(talk: Talk) -> None:
    thread = talk.thread()
    theirs = talk.github.comment(thread, talk.reader, "<!-- tallyhook:answer to=1 -->\nMine", via_app=True)
    talk.ask(thread)
    await talk.finish()
    assert theirs in thread.comments
    assert theirs.body.endswith("Mine")
    assert "31 credits" in talk.answer(thread).body


async def test_an_old_answer_in_the_middle_is_deleted_even_if_that_has_to_wait(talk: Talk) -> None:
    thread = talk.thread()
    talk.chat(thread, 150)
    talk.ask(thread)
    await talk.finish()
    old = talk.answer(thread)
    await talk.at.advance(hours=1)
    talk.chat(thread, 250)
    # By then the new answer stands at the end, and is what is found there first.
    talk.github.faults.fail(502, method="DELETE", times=2)
    assert await asked_again(talk, thread) is not old
    assert old not in thread.comments
    assert len(talk.asked("DELETE")) == 3
