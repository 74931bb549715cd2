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
from billing.conversation import Edit, NothingToSay, OwnAnswer, PostAnew, balance_now, may_show_figures, place
from billing.paces import CONFUSED_IN_REPOSITORY, WRITES_OF_INSTALLATION
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.records import Reply
from billing.values import EPOCH, CommentId, Reaction
from bot.conversation.marker import answered_by, marked
from bot.conversation.thread import LAST_COMMENTS, NoAnswerDueError, Thread
from bot.conversation.words import Surroundings, answer
from bot.effects import NotYetError
from bot.github.answers import CommentFields
from bot.github.client import GitHubClient
from bot.github.errors import InstallationGoneError, InstallationSuspendedError
from bot.github.identity import BOT, AppIdentity
from handlers.tolerant import a_moment
from storage.effects import ClaimedEffect
from storage.paces import Paces
from storage.reads import Reads
from storage.replies import unpack_reply

log = structlog.get_logger()

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
        bot = await self._bot()
        if effect.lease_number > 1 and await thread.has_reaction(Reaction.CONFUSED, by=bot):
            return
        # Looked at first, so that whoever asks again and again uses up no turns of those who are answered.
        if not await self._paces.has_room(_confusion_in(question), CONFUSED_IN_REPOSITORY):
            raise NoAnswerDueError(SHOWN_OFTEN_ENOUGH)
        await thread.react(Reaction.CONFUSED)
        log.info("confusion_shown", repository_id=question.repository_id, comment_id=question.comment_id)

    async def _answer(self, effect: ClaimedEffect, question: Question, thread: Thread) -> None:
        """Show that the comment was seen, answer it, and take older answers away."""
        bot = await self._bot()
        if effect.lease_number == 1 or not await thread.has_reaction(Reaction.EYES, by=bot):
            await thread.react(Reaction.EYES)
        # Once this question is answered, what is looked for is the older answer that is still to be taken away.
        comments = await thread.comments(
            lambda end: any(own.answers_to != question.comment_id for own in self._own_answers(end, bot))
        )
        placement = place(self._own_answers(comments, bot), question, shows_figures=True)
        match placement:
            case NothingToSay():
                pass
            case Edit():
                await thread.edit(placement.comment_id, await self._body(question, thread))
            case PostAnew():
                await thread.post(await self._body(question, thread))
            case _:
                assert_never(placement)
        for outdated in placement.outdated:
            await thread.delete(outdated)
        log.info(
            "comment_answered",
            repository_id=question.repository_id,
            comment_id=question.comment_id,
            placement=type(placement).__name__.lower(),
        )

    async def _bot(self) -> str:
        """The login that we write as."""
        return f"{await self._identity.current()}{BOT}"

    async def _body(self, question: Question, thread: Thread) -> str:
        """Word the answer by what holds now.

        Whether the repository is private is asked last, since it decides what all the world may read: one that turned
        public after the question gets no figures (rule 34).
        """
        state = await self._reads.by_github_account(question.account_id)
        now = self._clock.now()
        repository = await thread.repository()
        text = answer(
            question.words,
            Surroundings(
                login=repository.owner,
                balance=None if state is None else balance_now(state, self._plans, now),
                shows_figures=may_show_figures(state, is_private=repository.is_private),
                now=now,
                slug=await self._identity.current(),
                slash_words=self._voice.slash_words,
                account_page=self._voice.account_page,
            ),
        )
        return marked(text, question.comment_id)

    def _own_answers(self, comments: Sequence[CommentFields], bot: str) -> list[OwnAnswer]:
        """Our answers among a thread's last comments. People may quote our mark, so who wrote it counts too."""
        last = {id(comment) for comment in comments[-LAST_COMMENTS:]}
        own = []
        for comment in comments:
            answers_to = answered_by(comment.body or "")
            if answers_to is None or comment.id is None or not self._is_ours(comment, bot):
                continue
            own.append(
                OwnAnswer(
                    comment_id=CommentId(comment.id),
                    answers_to=answers_to,
                    words=(),
                    has_figures=False,
                    changed_at=a_moment(comment.updated_at) or EPOCH,
                    is_among_last_ten=id(comment) in last,
                )
            )
        return own

    def _is_ours(self, comment: CommentFields, bot: str) -> bool:
        """Whether we have written it as ourselves. What our App writes for a person is the person's, and stays so."""
        app, user = comment.performed_via_github_app, comment.user
        if user is None or user.type != "Bot":
            return False
        return user.login == bot or (app is not None and app.id == self._voice.app_id)


def _confusion_in(question: Question) -> str:
    """What has the pace of three signs an hour."""
    return f"confused:{question.repository_id}"
