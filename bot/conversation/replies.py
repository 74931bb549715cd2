"""The sender of replies: a sign that the comment was seen, and one answer a thread, however often it is tried.

GitHub knows no idempotency keys. What makes a repeat harmless is that each step looks before it writes: our reaction
can be there once only, and the thread's answer says itself which comment it answers
(docs/decisions/0053-the-thread-remembers-what-was-answered.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import structlog

from billing.commands import Question
from billing.conversation import (
    Edit,
    NothingToSay,
    OwnAnswer,
    Placement,
    PostAnew,
    balance_now,
    may_show_figures,
    place,
)
from billing.paces import CONFUSED_IN_REPOSITORY, WRITES_OF_INSTALLATION
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.records import Reply
from billing.values import Reaction, Word
from bot.conversation.marker import Mark, marked
from bot.conversation.own import OurName, answers_among
from bot.conversation.thread import NoAnswerDueError, Thread
from bot.conversation.words import Surroundings, answer, tells_figures
from bot.github.client import GitHubClient
from bot.github.errors import InstallationGoneError, InstallationSuspendedError
from bot.github.identity import BOT, AppIdentity
from bot.retries import NotYetError
from storage.effects import ClaimedEffect
from storage.paces import Paces
from storage.reads import Reads
from storage.replies import unpack_reply

log = structlog.get_logger()

PUBLIC_BY_NOW: Final = "the repository is public by now, where who may not ask gets no sign"
SHOWN_OFTEN_ENOUGH: Final = "somebody who may not ask was shown so three times within an hour in this repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How we are known, and what we point to.

    Attributes:
        app_id: our App, by which our own comments are recognized.
        slash_words: the words that are commands by themselves behind a slash.
        account_page: the address of the account's page.
    """

    app_id: int
    slash_words: frozenset[str]
    account_page: str


class ReplySender:
    """Sends the effects of the topic `reply`.

    Args:
        client: The App's client.
        identity: Who the App is.
        reads: Where balances are read at the moment of answering.
        paces: Whose turn it is to write.
        plans: The catalogue.
        voice: How we are known.
    """

    def __init__(
        self,
        *,
        client: GitHubClient,
        identity: AppIdentity,
        reads: Reads,
        paces: Paces,
        plans: PlanCatalog,
        clock: Clock,
        voice: Voice,
    ) -> None:
        self._client = client
        self._identity = identity
        self._reads = reads
        self._paces = paces
        self._plans = plans
        self._clock = clock
        self._voice = voice

    async def send(self, effect: ClaimedEffect) -> str:
        """Send one reply; why nothing was to be sent, or "".

        Raises:
            NotYetError: Others write first.
            TemporaryFailureError: GitHub or the database is away, or limits us.
        """
        reply = unpack_reply(effect.payload)
        question = reply.question
        thread = Thread(self._client, question, take_place=lambda: self._take_place(effect, reply))
        try:
            match reply.reaction:
                case Reaction.EYES:
                    await self._answer(effect, question, thread)
                case Reaction.CONFUSED:
                    await self._show_confusion(effect, question, thread)
                case _:
                    assert_never(reply.reaction)
        except NoAnswerDueError as error:
            return error.reason
        except (InstallationSuspendedError, InstallationGoneError) as error:
            return str(error)
        return ""

    async def _take_place(self, effect: ClaimedEffect, reply: Reply) -> None:
        """Return if the effect may write now. A sign of confusion takes its place among three at that moment, too.

        Whatever died, failed or had to wait before, no more are shown than have taken a place just then.
        """
        subject = f"installation:{reply.question.installation_id}"
        until = await self._paces.take(subject, WRITES_OF_INSTALLATION, holder=effect.id)
        if until is not None:
            raise NotYetError(until)
        is_confused = reply.reaction is Reaction.CONFUSED
        if is_confused and not await self._paces.try_take(_confusion_in(reply.question), CONFUSED_IN_REPOSITORY):
            raise NoAnswerDueError(SHOWN_OFTEN_ENOUGH)

    async def _show_confusion(self, effect: ClaimedEffect, question: Question, thread: Thread) -> None:
        """Show somebody who isn't answered that they were seen."""
        repository = await thread.repository()
        if not repository.is_private:
            raise NoAnswerDueError(PUBLIC_BY_NOW)
        if effect.lease_number > 1 and await thread.has_reaction(Reaction.CONFUSED, by=(await self._name()).bot):
            return
        # Looked at first, so that whoever asks again and again uses up no turns of those who are answered.
        if not await self._paces.has_room(_confusion_in(question), CONFUSED_IN_REPOSITORY):
            raise NoAnswerDueError(SHOWN_OFTEN_ENOUGH)
        await thread.react(Reaction.CONFUSED)
        log.info("confusion_shown", repository_id=question.repository_id, comment_id=question.comment_id)

    async def _answer(self, effect: ClaimedEffect, question: Question, thread: Thread) -> None:
        """Show that the comment was seen, answer it, and take older answers away.

        The repository is looked at before anything is written there, so that one which is somebody else's by now isn't
        even given a sign.
        """
        name = await self._name()
        await thread.repository()
        if effect.lease_number == 1 or not await thread.has_reaction(Reaction.EYES, by=name.bot):
            await thread.react(Reaction.EYES)
        # Once this question is answered, what is looked for is the older answer that is still to be taken away.
        comments = await thread.comments(
            name.own_answer,
            lambda end: any(own is not None and own.answers_to != question.comment_id for own in end),
        )
        placement = await self._say(question, thread, answers_among(comments))
        for outdated in placement.outdated:
            await thread.delete(outdated)
        log.info(
            "comment_answered",
            repository_id=question.repository_id,
            comment_id=question.comment_id,
            placement=type(placement).__name__.lower(),
        )

    async def _say(self, question: Question, thread: Thread, own: Sequence[OwnAnswer]) -> Placement:
        """Word the answer by what holds now, and put it where it belongs.

        Whether the repository is private is asked last, since it decides what all the world may read: one that turned
        public after the question gets no figures (rule 34).
        """
        state = await self._reads.by_github_account(question.account_id)
        slug = await self._identity.current()
        repository = await thread.repository()
        now = self._clock.now()
        about = Surroundings(
            login=repository.owner,
            balance=None if state is None else balance_now(state, self._plans, now),
            shows_figures=may_show_figures(state, is_private=repository.is_private),
            now=now,
            slug=slug,
            slash_words=self._voice.slash_words,
            account_page=self._voice.account_page,
        )
        placement = place(own, question, shows_figures=about.shows_figures)
        match placement:
            case NothingToSay():
                pass
            case Edit():
                had_figures = placement.had_figures
                await thread.edit(
                    placement.comment_id, _body(question, placement.keeping, about, had_figures=had_figures)
                )
            case PostAnew():
                await thread.post(_body(question, placement.keeping, about, had_figures=False))
            case _:
                assert_never(placement)
        return placement

    async def _name(self) -> OurName:
        """How our comments are known."""
        return OurName(app_id=self._voice.app_id, bot=f"{await self._identity.current()}{BOT}")


def _body(question: Question, keeping: Sequence[Word], about: Surroundings, *, had_figures: bool) -> str:
    """The whole comment: what was answered just before, as it holds now, and what is asked."""
    words = (*keeping, *question.words)
    has_figures = had_figures or tells_figures(words, about)
    mark = Mark(answers_to=question.comment_id, words=words, has_figures=has_figures)
    return marked(answer(words, about), mark)


def _confusion_in(question: Question) -> str:
    """What has the pace of three signs an hour."""
    return f"confused:{question.repository_id}"
