"""What is looked at before anything is written, and what becomes of what was answered before."""

from bot.conversation.replies import PUBLIC_BY_NOW
from bot.conversation.thread import NOT_THIS_OWNER
from sandbox.github.model import Account, Comment, Thread
from tests.bot.conversation.talking import Talk
from tests.bot.working import until_true
from tests.storage.raw import scalar

REACTIONS = "/repos/*/reactions"
POSTS = "/repos/*/issues/*/comments"


async def until_the_repository_fails(talk: Talk, thread: Thread, *, author: Account | None = None) -> Comment:
    """Ask, and return before anything was written: the look at the repository failed and comes again."""
    talk.github.faults.fail(502, method="GET", path="/repos/octo-org/hello")
    question = talk.ask(thread, author=author)
    await talk.settle()
    assert not talk.github.faults.rules[-1].times
    return question


async def test_a_repository_of_somebody_else_by_now_is_given_no_sign(talk: Talk) -> None:
    question = await until_the_repository_fails(talk, talk.thread())
    talk.repository.owner.id += 500
    try:
        await talk.finish()
    finally:
        talk.repository.owner.id -= 500
    assert talk.reactions(question) == []
    assert await talk.ends() == [("ignored", NOT_THIS_OWNER)]


async def test_a_repository_that_turned_public_gets_no_sign_of_confusion(talk: Talk) -> None:
    question = await until_the_repository_fails(talk, talk.thread(), author=talk.reader)
    talk.github.set_visibility(talk.repository, private=False)
    await talk.finish()
    assert talk.reactions(question) == []
    assert await talk.ends() == [("ignored", PUBLIC_BY_NOW)]


async def test_a_sign_of_confusion_whose_answer_was_lost_takes_one_of_three(talk: Talk) -> None:
    talk.github.faults.lose_answer(method="POST", path=REACTIONS)
    questions = [talk.ask(talk.thread(f"Issue {number}"), author=talk.reader) for number in range(3)]
    await talk.finish()
    assert [talk.reactions(question) for question in questions] == [["confused"]] * 3
    assert len(talk.asked("POST", "/reactions")) == 3
    assert await talk.ends() == [("done", "")] * 3


async def test_signs_that_have_to_be_tried_for_hours_are_three_an_hour_all_the_same(talk: Talk) -> None:
    talk.github.faults.fail(503, times=None, method="POST", path=REACTIONS)
    questions = [talk.ask(talk.thread(f"Issue {number}"), author=talk.reader) for number in range(8)]
    for _ in range(3):
        await talk.at.advance(hours=1)
        await talk.settle()
    talk.github.faults.clear()
    await talk.finish()
    moments = sorted(reaction.created_at for question in questions for reaction in question.reactions)
    assert all((later - earlier).total_seconds() >= 3600 for earlier, later in zip(moments, moments[3:], strict=False))


async def test_a_write_that_follows_a_rename_takes_a_place_of_its_own(talk: Talk) -> None:
    thread = talk.thread()
    # The sign is on its way when the repository is renamed, so that GitHub redirects it.
    talk.github.faults.slow(0.2, method="POST", path=REACTIONS)
    question = talk.ask(thread)
    await until_true(lambda: not talk.github.faults.rules[-1].times)
    talk.github.rename_repository(talk.repository, "goodbye")
    await talk.finish()
    assert talk.reactions(question) == ["eyes"]
    assert len(talk.answers(thread)) == 1
    writes = len(talk.asked("POST", "/reactions")) + len(talk.asked("POST", "/comments"))
    assert [each.status for each in talk.asked("POST", "/reactions")] == [307, 201]
    assert writes == await scalar(talk.database_url, "SELECT count(*) FROM paces WHERE subject LIKE 'installation:%'")


async def test_what_github_refuses_to_take_is_told_in_its_own_words(talk: Talk) -> None:
    talk.github.faults.fail(422, method="POST", path=POSTS)
    talk.ask(talk.thread())
    await talk.finish()
    [(state, error)] = await talk.ends()
    assert state == "dead"
    assert "Unprocessable" in error
    assert "sent again" in error


# Several questions in one answer ---------------------------------------------------------------------------------


async def test_two_who_ask_different_things_within_seconds_both_find_their_answer(talk: Talk) -> None:
    thread = talk.thread()
    talk.ask(thread, "/credits")
    await talk.settle()
    last = talk.ask(thread, "/credits plan")
    await talk.finish()
    body = talk.answer(thread).body
    assert body.startswith(f"<!-- tallyhook:answer to={last.id} words=credits,plan figures=yes -->\n#### Credits\n")
    assert "31 credits" in body
    assert "gives 60 credits a month" in body
    assert [each.method for each in talk.asked("PATCH")] == ["PATCH"]


async def test_what_was_asked_a_while_ago_gives_way(talk: Talk) -> None:
    thread = talk.thread()
    talk.ask(thread, "/credits")
    await talk.finish()
    await talk.at.advance(seconds=300)
    talk.ask(thread, "/credits plan")
    await talk.finish()
    body = talk.answer(thread).body
    assert " words=plan " in body
    assert "31 credits" not in body


async def test_figures_are_never_left_in_an_edits_history(talk: Talk) -> None:
    """GitHub shows what a comment said before to everybody who can read it."""
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    old = talk.answer(thread)
    assert " figures=yes " in old.body
    talk.github.set_visibility(talk.repository, private=False)
    talk.ask(thread, "/credits plan")
    await talk.finish()
    assert talk.answer(thread) is not old
    assert old not in thread.comments
    assert talk.asked("PATCH") == []
    # What was asked within the minute is kept, worded without figures.
    assert " words=credits,plan figures=no " in talk.answer(thread).body
    assert "31" not in talk.answer(thread).body.partition("\n")[2]
    # From then on there is nothing to hide, and the answer is edited as ever.
    talk.ask(thread)
    await talk.finish()
    assert len(talk.asked("PATCH")) == 1


async def test_help_tells_no_figures_and_is_edited_wherever_it_stands(talk: Talk) -> None:
    thread = talk.thread()
    talk.ask(thread, "/credits help")
    await talk.finish()
    answer = talk.answer(thread)
    assert " words=help figures=no " in answer.body
    talk.github.set_visibility(talk.repository, private=False)
    talk.ask(thread)
    await talk.finish()
    assert talk.answer(thread) is answer
    assert " figures=no " in answer.body


async def test_an_answer_that_had_figures_before_an_edit_still_counts_as_having_them(talk: Talk) -> None:
    talk.github.set_visibility(talk.repository, private=False)
    await talk.set_figures(shown=True)
    thread = talk.thread()
    talk.ask(thread)
    await talk.finish()
    with_figures = talk.answer(thread)
    await talk.at.advance(hours=1)
    talk.ask(thread, "/credits help")
    await talk.finish()
    assert talk.answer(thread) is with_figures
    assert " words=help " in with_figures.body
    assert " figures=yes " in with_figures.body
    await talk.set_figures(shown=False)
    await talk.at.advance(hours=1)
    talk.ask(thread, "/credits help")
    await talk.finish()
    assert with_figures not in thread.comments
    assert " figures=no " in talk.answer(thread).body
