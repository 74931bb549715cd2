"""Each write in its turn: no installation is written to too fast, and none waits for another; repeats do no harm."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from billing.commands import Question
from billing.errors import TemporaryFailureError
from billing.plans import PlanCatalog
from billing.records import Reply
from billing.values import CommentId, GitHubAccountId, InstallationId, Reaction, RepositoryId, Word
from bot.conversation.replies import SHOWN_OFTEN_ENOUGH, ReplySender, Voice
from bot.github.identity import AppIdentity
from bot.retries import NotYetError
from sandbox.clock import VirtualClock
from sandbox.github.model import Comment, Thread
from sandbox.github.server import GitHubStandIn
from storage.database import Database
from storage.effects import ClaimedEffect
from storage.replies import REPLY_TOPIC, effect_of
from tests.bot.conversation.talking import Talk
from tests.bot.github.connecting import connected
from tests.contract import GitHubContract

LEASE_SECONDS = 5.0


def assert_paced(writes: list[datetime]) -> None:
    """Two in any two seconds, eighty in any minute, five hundred in any hour."""
    assert writes == sorted(writes)
    for count, seconds in ((2, 2), (80, 60), (500, 3600)):
        gaps = [later - earlier for earlier, later in zip(writes, writes[count:], strict=False)]
        assert all(gap >= timedelta(seconds=seconds) for gap in gaps), (count, seconds)


async def test_an_installation_is_written_to_once_a_second_and_the_others_do_not_wait(
    talk: Talk, clock: VirtualClock
) -> None:
    started = clock.now()
    other = talk.github.add_user("loner")
    elsewhere = talk.github.add_repository(other, "quiet", private=True)
    talk.github.install(other)
    await talk.settle()
    threads = [talk.thread(f"Issue {number}") for number in range(20)]
    for thread in threads:
        talk.ask(thread)
    await talk.settle()
    last = talk.github.open_issue(elsewhere, other, "Alone")
    talk.github.comment(last, other, "/credits")
    await talk.settle()
    # All of it at the same moment: the twenty have used up theirs.
    assert clock.now() == started
    assert len(talk.answers(last)) == 1
    assert sum(len(talk.answers(thread)) for thread in threads) <= 1
    await talk.finish()
    assert [len(talk.answers(thread)) for thread in threads] == [1] * 20
    installation = talk.github.state.installation_of(talk.account)
    assert installation is not None
    writes = talk.github.state.content_limits.writes[installation.id]
    assert len(writes) == 40
    assert_paced(writes)
    # Nothing is given away either: two at the start, then one a second on average.
    assert writes[-1] - writes[0] <= timedelta(seconds=42)
    assert {row.attempts for row in await talk.replies()} == {1}


@dataclass
class Desk:
    """A sender of replies, and what it is handed, one by one."""

    github: GitHubStandIn
    database: Database
    clock: VirtualClock
    contract: GitHubContract
    sender: ReplySender
    thread: Thread

    async def enqueue(self, comment: Comment, reaction: Reaction = Reaction.EYES) -> None:
        """Have a comment answered."""
        repository, installation = comment.thread.repository, next(iter(self.github.state.installations.values()))
        question = Question(
            installation_id=InstallationId(installation.id),
            account_id=GitHubAccountId(repository.owner.id),
            repository_id=RepositoryId(repository.id),
            owner=repository.owner.login,
            repository=repository.name,
            is_private=True,
            number=comment.thread.number,
            comment_id=CommentId(comment.id),
            asked_at=comment.created_at,
            words=(Word.CREDITS,),
        )
        await self.database.outbox.enqueue(effect_of(Reply(question=question, reaction=reaction), self.clock.now()))

    async def claim(self) -> ClaimedEffect:
        """The next effect, which is lost again after a few seconds."""
        [effect] = await self.database.outbox.claim(REPLY_TOPIC, limit=1, lease_seconds=LEASE_SECONDS)
        return effect

    def crash(self) -> None:
        """Let the lease run out: whoever sent died before the end was recorded."""
        self.clock.advance(seconds=LEASE_SECONDS + 1)

    def wrote(self) -> list[tuple[str, str]]:
        """What was written, method and end of the path."""
        return [(each.method, each.path.rpartition("/")[2]) for each in self.contract.exchanges if each.method != "GET"]


@pytest.fixture
async def desk(database: Database, clock: VirtualClock, plans: PlanCatalog) -> AsyncIterator[Desk]:
    contract = GitHubContract()
    async with GitHubStandIn(clock, observers=[contract.see_exchange]) as github, connected(github, clock) as client:
        account = github.add_user("octocat")
        github.install(account)
        sender = ReplySender(
            client=client,
            identity=AppIdentity(client, clock=clock),
            reads=database.reads,
            paces=database.paces,
            plans=plans,
            clock=clock,
            voice=Voice(
                app_id=github.app_id, slash_words=frozenset({"credits"}), account_page="https://tally.example/"
            ),
        )
        repository = github.add_repository(account, "hello", private=True)
        yield Desk(
            github=github,
            database=database,
            clock=clock,
            contract=contract,
            sender=sender,
            thread=github.open_issue(repository, account, "It breaks"),
        )
    contract.assert_kept()


def ask(desk: Desk) -> Comment:
    return desk.github.comment(desk.thread, "octocat", "/credits")


async def test_a_crash_after_the_answer_leaves_one_answer(desk: Desk) -> None:
    question = ask(desk)
    await desk.enqueue(question)
    assert await desk.sender.send(await desk.claim()) == ""
    desk.crash()
    again = await desk.claim()
    assert again.lease_number == 2
    assert await desk.sender.send(again) == ""
    assert [each.author.login for each in desk.thread.comments] == ["octocat", "tallyhook-sandbox[bot]"]
    # The second time nothing was written at all.
    assert desk.wrote() == [("POST", "access_tokens"), ("POST", "reactions"), ("POST", "comments")]


async def test_who_comes_back_goes_on_where_it_stopped(desk: Desk) -> None:
    first, second = ask(desk), ask(desk)
    await desk.enqueue(first)
    effect = await desk.claim()
    assert await desk.sender.send(effect) == ""
    await desk.database.outbox.done(effect)
    await desk.enqueue(second)
    effect = await desk.claim()
    with pytest.raises(NotYetError) as caught:
        await desk.sender.send(effect)
    assert caught.value.until == desk.clock.now() + timedelta(seconds=2)
    await desk.database.outbox.defer(effect, run_at=caught.value.until)
    desk.clock.set(caught.value.until)
    effect = await desk.claim()
    assert effect.attempts == 1
    assert await desk.sender.send(effect) == ""
    assert [each.content for each in second.reactions] == ["eyes"]
    assert desk.wrote()[-2][1] == "reactions"
    assert desk.wrote()[-1][0] == "PATCH"


async def test_our_sign_is_given_once_however_often_the_answer_has_to_wait(desk: Desk) -> None:
    others = [desk.github.open_issue(desk.thread.repository, "octocat", f"{number}") for number in range(6)]
    for thread in others:
        await desk.enqueue(desk.github.comment(thread, "octocat", "/credits"))
    ends: list[str] = []
    while len(ends) < len(others):
        for effect in await desk.database.outbox.claim(REPLY_TOPIC, limit=64, lease_seconds=LEASE_SECONDS):
            try:
                ends.append(await desk.sender.send(effect))
                await desk.database.outbox.done(effect)
            except NotYetError as turn:
                await desk.database.outbox.defer(effect, run_at=turn.until)
        desk.clock.advance(seconds=0.5)
    assert ends == [""] * 6
    assert desk.wrote().count(("POST", "reactions")) == 6
    assert desk.wrote().count(("POST", "comments")) == 6


async def test_a_place_among_three_signs_is_kept_by_who_has_to_come_again(desk: Desk) -> None:
    questions = [ask(desk) for _ in range(4)]
    for question in questions:
        await desk.enqueue(question, Reaction.CONFUSED)
    ends: list[str] = []
    while len(ends) < len(questions):
        for effect in await desk.database.outbox.claim(REPLY_TOPIC, limit=1, lease_seconds=LEASE_SECONDS):
            try:
                ends.append(await desk.sender.send(effect))
                await desk.database.outbox.done(effect)
            except NotYetError as turn:
                await desk.database.outbox.defer(effect, run_at=turn.until)
        desk.clock.advance(seconds=1)
    assert ends == ["", "", "", SHOWN_OFTEN_ENOUGH]
    assert [len(each.reactions) for each in questions] == [1, 1, 1, 0]


async def test_whoever_died_before_a_sign_shows_no_fourth(desk: Desk) -> None:
    """Found by the simulation: the second attempt took it that a place had been taken by the first."""
    questions = [ask(desk) for _ in range(4)]
    for question in questions:
        await desk.enqueue(question, Reaction.CONFUSED)
        effect = await desk.claim()
        if question is questions[-1]:
            desk.crash()
            effect = await desk.claim()
            assert await desk.sender.send(effect) == SHOWN_OFTEN_ENOUGH
        else:
            assert await desk.sender.send(effect) == ""
            await desk.database.outbox.done(effect)
        desk.clock.advance(seconds=1)
    assert [len(each.reactions) for each in questions] == [1, 1, 1, 0]


async def test_a_sign_counts_when_it_is_shown_however_long_it_was_tried(desk: Desk) -> None:
    questions = [ask(desk) for _ in range(4)]
    desk.github.faults.fail(502, path="/repos/*", times=1)
    await desk.enqueue(questions[0], Reaction.CONFUSED)
    with pytest.raises(TemporaryFailureError):
        await desk.sender.send(await desk.claim())
    desk.clock.advance(minutes=59)
    ends = []
    for question in questions:
        if question is not questions[0]:
            await desk.enqueue(question, Reaction.CONFUSED)
        effect = await desk.claim()
        ends.append(await desk.sender.send(effect))
        await desk.database.outbox.done(effect)
        desk.clock.advance(seconds=30)
    assert ends == ["", "", "", SHOWN_OFTEN_ENOUGH]


async def test_a_sign_that_is_there_already_takes_no_place(desk: Desk) -> None:
    questions = [ask(desk) for _ in range(3)]
    desk.github.faults.lose_answer(method="POST", path="/repos/*", times=1)
    for question in questions:
        await desk.enqueue(question, Reaction.CONFUSED)
        effect = await desk.claim()
        if question is questions[0]:
            with pytest.raises(TemporaryFailureError):
                await desk.sender.send(effect)
            desk.crash()
            effect = await desk.claim()
        assert await desk.sender.send(effect) == ""
        await desk.database.outbox.done(effect)
        desk.clock.advance(seconds=1)
    assert [len(each.reactions) for each in questions] == [1, 1, 1]
