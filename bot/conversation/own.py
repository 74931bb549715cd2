"""Which of a thread's comments are our answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from billing.conversation import OwnAnswer
from billing.values import EPOCH, CommentId
from bot.conversation.marker import mark_of
from bot.github.answers import CommentFields
from handlers.tolerant import a_moment

LAST_COMMENTS: Final = 10
"""So many at a thread's end people still see (rule 33)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurName:
    """By what our comments are known.

    Attributes:
        app_id: our App at GitHub.
        bot: the login that it writes as.
    """

    app_id: int
    bot: str

    def own_answer(self, comment: CommentFields) -> OwnAnswer | None:
        """The comment as an answer of ours; None if it is none. People may quote our mark, so who wrote it counts too.

        Whether it is among the last ten only the whole thread can tell.
        """
        mark = mark_of(comment.body or "")
        if mark is None or comment.id is None or not self._is_ours(comment):
            return None
        return OwnAnswer(
            comment_id=CommentId(comment.id),
            answers_to=mark.answers_to,
            words=mark.words,
            has_figures=mark.has_figures,
            changed_at=a_moment(comment.updated_at) or EPOCH,
            is_among_last_ten=False,
        )

    def _is_ours(self, comment: CommentFields) -> bool:
        """Whether we have written it as ourselves. What our App writes for a person is the person's, and stays so."""
        app, user = comment.performed_via_github_app, comment.user
        if user is None or user.type != "Bot":
            return False
        return user.login == self.bot or (app is not None and app.id == self.app_id)


def answers_among(comments: Sequence[OwnAnswer | None]) -> list[OwnAnswer]:
    """Our answers among a thread's comments, of which the last ten are there and are the last; None is another's."""
    last = len(comments) - LAST_COMMENTS
    return [
        replace(own, is_among_last_ten=position >= last) for position, own in enumerate(comments) if own is not None
    ]
