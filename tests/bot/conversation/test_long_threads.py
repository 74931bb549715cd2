"""Threads of several pages: the one answer is found, and the one before it taken away, wherever they stand."""

from billing.commands import Question
from billing.values import CommentId, GitHubAccountId, InstallationId, RepositoryId, Word
from bot.conversation.thread import Thread
from bot.github.answers import CommentFields
from tests.bot.conversation.talking import Talk
from tests.bot.github.connecting import connected


async def test_the_old_answer_is_taken_away_even_if_it_stands_pages_before_the_new_one(talk: Talk) -> None:
    """Found by the simulation: the deletion waits for its turn, and by then the newest page held an answer of ours."""
    thread = talk.thread()
    talk.chat(thread, 150)
    talk.ask(thread)
    await talk.finish()
    talk.chat(thread, 100)
    await talk.at.advance(hours=1)
    question = talk.ask(thread)
    await talk.finish()
    assert f"to={question.id} " in talk.answer(thread).body


async def test_who_is_answered_in_a_long_thread_costs_no_more_pages_than_lead_to_the_last_answer(talk: Talk) -> None:
    thread = talk.thread()
    talk.chat(thread, 350)
    talk.ask(thread)
    await talk.finish()
    read = len(talk.asked("GET", "/comments"))
    talk.ask(thread)
    await talk.finish()
    assert len(talk.asked("GET", "/comments")) == read + 2


async def test_of_each_page_only_what_is_needed_is_kept_before_the_next_is_read(talk: Talk) -> None:
    """A long thread's comments may be megabytes a page."""
    thread = talk.thread()
    talk.chat(thread, 250)
    question = talk.ask(thread)
    await talk.finish()
    installation = talk.github.state.installation_of(talk.account)
    assert installation is not None
    asked = Question(
        installation_id=InstallationId(installation.id),
        account_id=GitHubAccountId(talk.account.id),
        repository_id=RepositoryId(talk.repository.id),
        owner=talk.account.login,
        repository=talk.repository.name,
        is_private=True,
        number=thread.number,
        comment_id=CommentId(question.id),
        asked_at=question.created_at,
        words=(Word.CREDITS,),
    )
    before, read_by = len(talk.asked("GET", "/comments")), list[int]()

    def keep(comment: CommentFields) -> int:
        read_by.append(len(talk.asked("GET", "/comments")) - before)
        return comment.id or 0

    async with connected(talk.github, talk.clock) as client:
        ours = Thread(client, asked, take_place=refuse)
        kept = await ours.comments(keep, lambda _: False)
    assert kept == [comment.id for comment in thread.comments]
    assert read_by == [1] * 100 + [2] * 52 + [3] * 100


async def refuse() -> None:
    raise AssertionError("reading takes no place")
