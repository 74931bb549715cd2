"""Comments: who gets an answer, and what the others get (docs/decisions/0020-who-is-answered.md)."""

from typing import Final

from billing.commands import Answer, Answered, Ignored
from billing.decide.decision import Decision
from billing.records import Reply
from billing.values import Permission, Reaction

MAY_ASK: Final = frozenset({Permission.WRITE, Permission.ADMIN})
"""Who learns what an account has left: those who may spend it."""

NOT_ANSWERED: Final = "whoever wrote the comment has no write permission, and the repository is public"


def answer_comment(command: Answer) -> Decision:
    """Answer those who may write; show the others in a private repository that they were seen, and ignore the rest.

    In a public repository anybody may comment, so that any sign of ours would be a way to make us write.
    """
    question = command.question
    if command.permission in MAY_ASK:
        reaction = Reaction.EYES
    elif question.is_private:
        reaction = Reaction.CONFUSED
    else:
        return Decision(outcome=Ignored(reason=NOT_ANSWERED))
    return Decision(outcome=Answered(), replies=(Reply(question=question, reaction=reaction),))
