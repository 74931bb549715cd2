"""Whatever goes wrong at whichever step: one answer, one sign, once it is over, and none twice."""

from collections.abc import Callable
from typing import Final, Literal

import pytest

from bot.conversation.thread import FORBIDDEN, GONE, MOVED, NOT_THIS_OWNER, NOT_THIS_REPOSITORY
from sandbox.clock import VirtualClock
from sandbox.github.model import Comment, Thread
from sandbox.github.rest_faults import RestFaults
from tests.bot.conversation.talking import Talk, talking, tick
from tests.bot.working import until_true

Fault = Callable[[RestFaults, str, str], None]

STEPS: Final = {
    "whoever may ask": ("GET", "/repos/*/permission"),
    "our sign": ("POST", "/repos/*/reactions"),
    "the thread": ("GET", "/repos/*/issues/*/comments"),
    "the repository": ("GET", "/repos/octo-org/hello"),
    "the answer": ("POST", "/repos/*/issues/*/comments"),
}
"""What is asked for the first answer in a thread, in this order."""

FAULTS: Final[dict[str, Fault]] = {
    # The HTTP client itself repeats what can be repeated once.
    "a lost answer": lambda faults, method, path: faults.lose_answer(
        times=3 if method == "GET" else 1, method=method, path=path
    ),
    "a failure": lambda faults, method, path: faults.fail(502, times=2, method=method, path=path),
    "a dropped request": lambda faults, method, path: faults.drop(times=2, method=method, path=path),
    "a garbled answer": lambda faults, method, path: faults.garble(times=2, method=method, path=path),
    "slowness": lambda faults, method, path: faults.slow(0.05, times=1, method=method, path=path),
    "a limit": lambda faults, method, path: faults.limit(403, times=2, method=method, path=path),
    "too many requests": lambda faults, method, path: faults.limit(429, times=2, method=method, path=path),
    "a limit without a time": lambda faults, method, path: faults.limit(
        403, retry_after_seconds=None, times=2, method=method, path=path
    ),
    "too many requests without a time": lambda faults, method, path: faults.limit(
        429, retry_after_seconds=None, times=2, method=method, path=path
    ),
    "a refused token": lambda faults, method, path: faults.fail(401, times=6, method=method, path=path),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
async def test_each_fault_at_each_step_delays_and_doubles_nothing(talk: Talk, step: str, fault: str) -> None:
    thread = talk.thread()
    FAULTS[fault](talk.github.faults, *STEPS[step])
    question = talk.ask(thread)
    await talk.finish(nudging=True)
    assert not any(rule.times for rule in talk.github.faults.rules), "the fault struck nothing"
    assert talk.reactions(question) == ["eyes"]
    assert "31 credits" in talk.answer(thread).body
    assert await talk.ends() == [("done", "")]
    assert await talk.at.database.alarms.list() == []


async def asked_before(talk: Talk, *, comments: int) -> tuple[Thread, Comment]:
    """A thread with an answer, so many comments after it, and a further question."""
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    await talk.at.advance(hours=1)
    talk.chat(thread, comments)
    await talk.settle()
    return thread, talk.ask(thread)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_each_fault_at_editing_and_deleting_ends_in_one_answer(
    talk: Talk, method: Literal["PATCH", "DELETE"], fault: str
) -> None:
    FAULTS[fault](talk.github.faults, method, "/repos/*/issues/comments/*")
    thread, question = await asked_before(talk, comments=3 if method == "PATCH" else 12)
    await talk.finish(nudging=True)
    assert not any(rule.times for rule in talk.github.faults.rules), "the fault struck nothing"
    assert talk.answer(thread).body.startswith(f"<!-- tallyhook:answer to={question.id} ")
    assert (talk.answer(thread) is thread.comments[-1]) == (method == "DELETE")
    assert len(talk.asked("POST", "/comments")) == (1 if method == "PATCH" else 2)
    assert {state for state, _ in await talk.ends()} == {"done"}


async def test_looking_for_our_sign_again_survives_each_fault(talk: Talk) -> None:
    faults, question = talk.github.faults, talk.ask(talk.thread())
    faults.lose_answer(method="POST", path="/repos/*/reactions")
    for name, strike in FAULTS.items():
        # Slowness lets the request through, after which nobody looks again.
        if name != "slowness":
            strike(faults, "GET", "/repos/*/reactions")
    await talk.finish(nudging=True)
    assert not any(rule.times for rule in faults.rules)
    assert talk.reactions(question) == ["eyes"]
    assert len(talk.asked("POST", "/reactions")) == 1


async def test_an_exhausted_limit_is_waited_out(talk: Talk, clock: VirtualClock) -> None:
    thread, started = talk.thread(), clock.now()
    talk.github.faults.exhaust(now=clock.now(), seconds=1800)
    talk.ask(thread)
    await talk.finish()
    assert len(talk.answers(thread)) == 1
    assert (clock.now() - started).total_seconds() >= 1800


async def test_a_token_that_github_does_not_know_yet_is_tried_again(talk: Talk) -> None:
    # The tokens from before are gone, and the next one is refused while it is young.
    talk.github.state.tokens.revoke_all()
    talk.github.state.tokens.refuse_young(3)
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish(nudging=True)
    assert len(talk.answers(thread)) == 1


async def test_an_outage_of_hours_loses_no_question_and_answers_each_thread_once(talk: Talk) -> None:
    threads = [talk.thread(f"Issue {number}") for number in range(6)]
    talk.github.faults.fail(503, times=None, path="/repos/*")
    questions = [talk.ask(thread) for thread in threads]
    for _ in range(5):
        await talk.at.advance(hours=1)
        await talk.settle()
    talk.github.faults.clear()
    await talk.finish()
    assert [len(talk.answers(thread)) for thread in threads] == [1] * 6
    assert [talk.reactions(question) for question in questions] == [["eyes"]] * 6


# What won't be otherwise tomorrow --------------------------------------------------------------------------------


async def meanwhile(talk: Talk, thread: Thread, *, method: str, path: str) -> Comment:
    """Ask, and return while the first request of this kind fails; whatever happens next happens before the retry."""
    talk.github.faults.fail(502, method=method, path=path)
    question = talk.ask(thread)
    await talk.settle()
    assert not talk.github.faults.rules[-1].times
    return question


@pytest.mark.parametrize("act", ["suspend", "uninstall"])
@pytest.mark.parametrize("has_token", [True, False])
async def test_nothing_is_sent_for_an_installation_that_was_suspended_or_removed(
    talk: Talk, act: str, *, has_token: bool
) -> None:
    thread = talk.thread()
    question = await meanwhile(talk, thread, method="POST", path="/repos/*/reactions")
    getattr(talk.github, act)(talk.account)
    if not has_token:
        talk.github.state.tokens.revoke_all()
    await talk.finish(nudging=True)
    assert talk.answers(thread) == []
    assert talk.reactions(question) == []
    [(state, reason)] = await talk.ends()
    assert state == "ignored"
    assert reason


async def test_a_delivery_from_before_a_suspension_ends_ignored(talk: Talk) -> None:
    talk.github.webhook_faults.hold(action="created")
    thread = talk.thread()
    talk.ask(thread)
    talk.github.suspend(talk.account)
    talk.github.courier.release()
    await talk.finish()
    [delivery] = [row for row in await talk.at.deliveries() if row.event == "issue_comment"]
    assert delivery.state == "ignored"
    assert "suspended" in delivery.error
    assert await talk.ends() == []


async def test_a_comment_that_was_deleted_is_not_answered(talk: Talk) -> None:
    thread = talk.thread()
    question = await meanwhile(talk, thread, method="POST", path="/repos/*/reactions")
    talk.github.delete_comment(question)
    await talk.finish()
    assert talk.answers(thread) == []
    assert await talk.ends() == [("ignored", GONE)]


async def test_a_comment_that_was_deleted_after_our_sign_is_not_answered(talk: Talk) -> None:
    thread = talk.thread()
    question = await meanwhile(talk, thread, method="POST", path="/repos/*/issues/*/comments")
    talk.github.delete_comment(question)
    await talk.finish()
    assert await talk.ends() == [("ignored", GONE)]


async def test_an_issue_that_was_deleted_ends_the_reply(talk: Talk) -> None:
    thread = talk.thread()
    await meanwhile(talk, thread, method="POST", path="/repos/*/issues/*/comments")
    talk.github.delete_issue(thread)
    await talk.finish()
    assert await talk.ends() == [("ignored", GONE)]


@pytest.mark.parametrize("path", ["/repos/*/reactions", "/repos/*/issues/*/comments"])
async def test_a_conversation_that_was_locked_ends_the_reply(talk: Talk, path: str) -> None:
    thread = talk.thread()
    await meanwhile(talk, thread, method="POST", path=path)
    talk.github.lock(thread)
    await talk.finish()
    assert talk.answers(thread) == []
    assert await talk.ends() == [("ignored", FORBIDDEN)]
    assert await talk.at.database.alarms.list() == []


async def test_a_missing_permission_ends_the_reply(talk: Talk) -> None:
    installation = talk.github.state.installation_of(talk.account)
    assert installation is not None
    installation.permissions["issues"] = "read"
    talk.ask(talk.thread())
    await talk.finish()
    assert await talk.ends() == [("ignored", FORBIDDEN)]


async def test_a_write_that_github_does_not_understand_is_a_bug_with_an_alarm(talk: Talk) -> None:
    talk.github.faults.fail(422, method="POST", path="/repos/*/issues/*/comments")
    talk.ask(talk.thread())
    await talk.finish()
    [(state, error)] = await talk.ends()
    assert (state, "422" in error) == ("dead", True)
    assert [(alarm.kind, alarm.subject) for alarm in await talk.at.database.alarms.list()] == [("effect_dead", "reply")]


async def test_a_failing_thread_delays_no_other(talk: Talk, clock: VirtualClock) -> None:
    broken, started = talk.thread(), clock.now()
    talk.github.faults.fail(500, times=None, path=f"/repos/*/issues/{broken.number}/comments")
    talk.ask(broken)
    await talk.settle()
    others = [talk.thread() for _ in range(2)]
    for thread in others:
        talk.ask(thread)
    await talk.settle()
    await tick(clock, lambda: all(talk.answers(thread) for thread in others))
    assert (clock.now() - started).total_seconds() < 30
    assert talk.answers(broken) == []


# What changes between question and answer ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/repos/*/reactions", "/repos/*/issues/*/comments"])
async def test_a_repository_that_was_renamed_is_still_answered_in(talk: Talk, path: str) -> None:
    thread = talk.thread()
    question = await meanwhile(talk, thread, method="POST", path=path)
    talk.github.rename_repository(talk.repository, "goodbye")
    await talk.finish()
    assert talk.reactions(question) == ["eyes"]
    assert len(talk.answers(thread)) == 1


async def test_a_repository_that_is_renamed_before_each_kind_of_write_is_followed(talk: Talk) -> None:
    thread, question = await asked_before(talk, comments=12)
    await talk.settle()
    talk.github.rename_repository(talk.repository, "goodbye")
    talk.chat(thread, 12)
    await talk.settle()
    await talk.at.advance(hours=1)
    talk.github.faults.fail(502, method="DELETE")
    last = talk.ask(thread)
    await talk.settle()
    talk.github.rename_repository(talk.repository, "hello-again")
    await talk.finish()
    assert talk.answer(thread).body.startswith(f"<!-- tallyhook:answer to={last.id} ")
    assert talk.reactions(question) == ["eyes"]


async def test_a_name_that_another_repository_has_by_now_gets_nothing(talk: Talk) -> None:
    thread = talk.thread()
    await meanwhile(talk, thread, method="POST", path="/repos/*/issues/*/comments")
    talk.github.rename_repository(talk.repository, "goodbye")
    impostor = talk.github.add_repository(talk.account, "hello", private=False)
    other = talk.github.open_issue(impostor, talk.writer, "Another one")
    await talk.finish()
    assert talk.answers(other) == []
    assert await talk.ends() == [("ignored", NOT_THIS_REPOSITORY)]


async def test_a_repository_of_somebody_else_by_now_is_told_nothing(talk: Talk) -> None:
    thread = talk.thread()
    await meanwhile(talk, thread, method="POST", path="/repos/*/issues/*/comments")
    talk.repository.owner.id += 500
    try:
        await talk.finish()
    finally:
        talk.repository.owner.id -= 500
    assert talk.answers(thread) == []
    assert await talk.ends() == [("ignored", NOT_THIS_OWNER)]


async def test_a_conversation_that_moves_without_its_repository_ends_the_reply(talk: Talk) -> None:
    talk.github.faults.redirect(
        "/repos/octo-org/hello/issues/7/comments",
        status=307,
        times=None,
        method="POST",
        path="/repos/*/issues/*/comments",
    )
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    assert talk.answers(thread) == []
    assert await talk.ends() == [("ignored", MOVED)]


async def test_a_repository_that_turned_public_after_the_question_gets_no_figures(talk: Talk) -> None:
    thread = talk.thread()
    await meanwhile(talk, thread, method="POST", path="/repos/*/issues/*/comments")
    talk.github.set_visibility(talk.repository, private=False)
    await talk.finish()
    body = talk.answer(thread).body
    assert "**enough**" in body
    assert "31" not in body
    assert "Pro" not in body


async def test_an_answer_that_was_deleted_while_it_was_to_be_edited_is_given_anew(talk: Talk) -> None:
    thread, question = await asked_before(talk, comments=3)
    talk.github.faults.slow(0.2, method="PATCH")
    await until_true(lambda: not talk.github.faults.rules[-1].times)
    talk.github.delete_comment(talk.answer(thread))
    await talk.finish()
    assert talk.answer(thread).body.startswith(f"<!-- tallyhook:answer to={question.id} ")


async def test_the_same_on_postgresql(postgresql_url: str, clock: VirtualClock) -> None:
    async with talking(postgresql_url, clock) as talk:
        thread = talk.thread()
        talk.github.faults.lose_answer(method="POST", path="/repos/*/reactions")
        talk.github.faults.lose_answer(method="POST", path="/repos/*/issues/*/comments")
        question = talk.ask(thread)
        await talk.finish()
        assert talk.reactions(question) == ["eyes"]
        assert len(talk.answers(thread)) == 1
        assert len(talk.asked("POST", "/comments")) == 1
