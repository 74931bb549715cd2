"""Comments: somebody asks in an issue or a pull request what the account has left."""

from gidgethub.routing import Router

from billing.commands import Answer, Command, Ignore
from billing.errors import CannotActError
from handlers.comment_payload import IssueComment
from handlers.comment_text import commands_in
from handlers.context import Context, Event

router = Router()

NO_COMMAND = "no line of the comment is a command"
NO_QUESTION = "the delivery doesn't name the person, the repository or the comment"


@router.register("issue_comment", action="created")
async def answer_comment(event: Event, ctx: Context) -> None:
    """Answer what a person asks us. Comments that are edited are never answered: an edit would ask again."""
    comment = IssueComment.parse(event.body)
    try:
        command = await _asked(comment, event, ctx)
    except CannotActError as error:
        command = Ignore(reason=error.reason, cause=event.cause)
    await ctx.billing.handle(command)


async def _asked(comment: IssueComment, event: Event, ctx: Context) -> Command:
    """Read the comment, and ask GitHub what its author may do. A comment itself says that unreliably."""
    words = commands_in(comment.text, await ctx.github.app_slug(), ctx.slash_words)
    if not words:
        return Ignore(reason=NO_COMMAND, cause=event.cause)
    question, author = comment.question(words, received_at=event.cause.received_at), comment.author
    if question is None or author is None:
        return Ignore(reason=NO_QUESTION, cause=event.cause)
    permission = await ctx.github.permission(
        question.installation_id,
        owner=question.owner,
        repository=question.repository,
        user_id=author.id,
        login=author.login,
    )
    return Answer(question=question, permission=permission, cause=event.cause)
