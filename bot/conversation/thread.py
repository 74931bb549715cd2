"""An issue or a pull request as the App meets it: what is read there, and what is written, each write in its turn."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from billing.commands import Question
from billing.errors import TemporaryFailureError
from billing.values import CommentId, Reaction
from bot.conversation.own import LAST_COMMENTS
from bot.github.answers import CommentFields, ReactionFields, RefusalFields, RepositoryFields
from bot.github.client import GitHubClient, read_answer, read_listing
from bot.github.errors import WriteRefusedError
from bot.github.transport import REDIRECTS, Answer
from bot.retries import NotYetError
from handlers.tolerant import a_text, read

REPOSITORY: Final = "/repos/{owner}/{repository}"
COMMENTS: Final = f"{REPOSITORY}/issues/{{number}}/comments"
COMMENT: Final = f"{REPOSITORY}/issues/comments/{{comment_id}}"
REACTIONS: Final = f"{COMMENT}/reactions"

PAGE: Final = "100"
"""The most that GitHub puts on one page."""

LANDED_AFTER_SECONDS: Final = 20.0
"""What was sent and not answered may still be done within ten seconds, after which GitHub gives up, and some more.

Until then nothing shows whether it was, so that asking sooner would write it twice.
"""

LONGEST_REFUSAL: Final = 200

GONE: Final = "GitHub has the comment, the conversation or the repository no longer"
FORBIDDEN: Final = "GitHub forbids it: the conversation is locked, the App suspended, or a permission is missing"
MOVED: Final = "the conversation was moved to another repository"
NOT_THIS_REPOSITORY: Final = "another repository has the name now"
NOT_THIS_OWNER: Final = "the repository belongs to somebody else now"

Kept = TypeVar("Kept")
"""What is kept of a comment."""

TakePlace = Callable[[], Awaitable[None]]
"""Returns when the next write may go; raises `NotYetError` if that isn't now."""


class NoAnswerDueError(Exception):
    """There is nothing left to answer, or nowhere to. `reason` is for people, and the same tomorrow."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryNow:
    """The repository as it is at this moment: names and visibility change."""

    owner: str
    is_private: bool


class Thread:
    """One conversation, in which a question was asked.

    Every method raises `TemporaryFailureError` for what may pass, and `NoAnswerDueError` for what won't. A repository's
    former name still leads to it for what is read; a write is done under the name that it has now.

    Args:
        take_place: called before each write.
    """

    def __init__(self, client: GitHubClient, question: Question, *, take_place: TakePlace) -> None:
        self._client = client
        self._question = question
        self._take_place = take_place
        self._owner = question.owner
        self._name = question.repository

    async def repository(self) -> RepositoryNow:
        """Look at the repository, which must still be the one in which was asked, and the same account's."""
        answer = _expected(await self._ask("GET", REPOSITORY), HTTPStatus.OK)
        fields = read_answer(RepositoryFields, answer)
        owner, name = "" if fields.owner is None else a_text(fields.owner.login), a_text(fields.name)
        if fields.id is None or fields.owner is None or not owner or not name:
            raise TemporaryFailureError("GitHub's answer doesn't tell the repository")
        if fields.id != self._question.repository_id:
            raise NoAnswerDueError(NOT_THIS_REPOSITORY)
        if fields.owner.id != self._question.account_id:
            raise NoAnswerDueError(NOT_THIS_OWNER)
        self._owner, self._name = owner, name
        # Whatever isn't said to be private is taken for public.
        return RepositoryNow(owner=owner, is_private=fields.private is True)

    async def has_reaction(self, reaction: Reaction, *, by: str) -> bool:
        """Whether the login `by` has left this reaction at the question."""
        pages = self._client.pages_as_installation(
            self._question.installation_id,
            f"{REACTIONS}{{?content,per_page}}",
            {**self._variables(), "content": reaction, "per_page": PAGE},
        )
        async for page in pages:
            found = read_listing(ReactionFields, _expected(page, HTTPStatus.OK))
            if any(each.user is not None and each.user.login == by for each in found):
                return True
        return False

    async def react(self, reaction: Reaction) -> None:
        """Leave the reaction at the question; one that is there already stays as it is."""
        answer = await self._write("POST", REACTIONS, {"content": reaction})
        left = read_answer(ReactionFields, _expected(answer, HTTPStatus.OK, HTTPStatus.CREATED))
        if left.content != reaction:
            raise TemporaryFailureError("GitHub's answer shows no reaction")

    async def comments(
        self, keep: Callable[[CommentFields], Kept], is_enough: Callable[[Sequence[Kept]], bool]
    ) -> list[Kept]:
        """The first hundred comments and, of a longer thread, those at its end, oldest first; some between may lack.

        The last ten are always there and always last.

        Args:
            keep: what is kept of a comment, so that a long thread's texts aren't all held at once.
            is_enough: whether these at the end hold what is looked for; otherwise earlier ones are read too.
        """
        beginning: list[Kept] | None = None
        end: list[Kept] = []
        pages = self._client.newest_pages_as_installation(
            self._question.installation_id, f"{COMMENTS}{{?per_page}}", {**self._variables(), "per_page": PAGE}
        )
        async for page in pages:
            listed = [keep(comment) for comment in read_listing(CommentFields, _expected(page, HTTPStatus.OK))]
            if beginning is None:
                beginning = listed
                continue
            end = listed + end
            if len(end) >= LAST_COMMENTS and is_enough(end):
                break
        return (beginning or []) + end

    async def post(self, body: str) -> None:
        """Write a comment.

        Raises:
            TemporaryFailureError: As ever. If it may have been written all the same, it says when that will have shown.
        """
        with _what_may_still_land():
            answer = await self._write("POST", COMMENTS, {"body": body})
            _require_comment(_expected(answer, HTTPStatus.CREATED))

    async def edit(self, comment_id: CommentId, body: str) -> None:
        """Change one of our comments.

        Raises:
            TemporaryFailureError: Also if it was deleted meanwhile: then the next attempt finds another place. One that
                may still be done has to be waited for as in `post`, or it might undo what a later question has changed.
        """
        with _what_may_still_land():
            answer = await self._write("PATCH", COMMENT, {"body": body}, comment_id=comment_id)
            is_gone = answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
            if not is_gone:
                _require_comment(_expected(answer, HTTPStatus.OK))
        if is_gone:
            raise TemporaryFailureError("the answer that was to be edited has been deleted")

    async def delete(self, comment_id: CommentId) -> None:
        """Delete one of our comments, if it is still there and may be deleted."""
        answer = await self._write("DELETE", COMMENT, comment_id=comment_id)
        try:
            _expected(answer, HTTPStatus.NO_CONTENT)
        except NoAnswerDueError:
            # The answer stands elsewhere already, so that an old one which stays does no harm.
            return

    async def _write(
        self, method: str, path: str, body: dict[str, str] | None = None, *, comment_id: CommentId | None = None
    ) -> Answer:
        """Write in its turn. A repository that has another name by now is looked up, and written to there.

        The transport follows no redirect of a write.
        """
        await self._take_place()
        answer = await self._ask(method, path, body, comment_id=comment_id)
        if answer.status not in REDIRECTS:
            return answer
        former = (self._owner, self._name)
        await self.repository()
        if former == (self._owner, self._name):
            raise NoAnswerDueError(MOVED)
        # GitHub may have counted the first one.
        await self._take_place()
        answer = await self._ask(method, path, body, comment_id=comment_id)
        if answer.status in REDIRECTS:
            raise TemporaryFailureError("the repository is being renamed")
        return answer

    async def _ask(
        self, method: str, path: str, body: dict[str, str] | None = None, *, comment_id: CommentId | None = None
    ) -> Answer:
        return await self._client.ask_as_installation(
            self._question.installation_id,
            method,
            path,
            self._variables(comment_id),
            body=b"" if body is None else msgspec.json.encode(body),
        )

    def _variables(self, comment_id: CommentId | None = None) -> dict[str, str]:
        """What stands for the names in a path; the comment is the question unless another is named."""
        return {
            "owner": self._owner,
            "repository": self._name,
            "number": str(self._question.number),
            "comment_id": str(comment_id or self._question.comment_id),
        }


def _expected(answer: Answer, *statuses: HTTPStatus) -> Answer:
    """Return the answer if it has one of these statuses.

    Raises:
        NoAnswerDueError: It says that there is nothing to be had, or that we may not.
        TemporaryFailureError: Our token is refused, or somebody else than GitHub answered.
        WriteRefusedError: GitHub won't have what was to be written.
        RuntimeError: GitHub doesn't understand us.
    """
    if answer.status in statuses:
        return answer
    match answer.status:
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            raise NoAnswerDueError(GONE)
        case HTTPStatus.FORBIDDEN | HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise NoAnswerDueError(FORBIDDEN)
        case HTTPStatus.UNAUTHORIZED:
            raise TemporaryFailureError("GitHub refuses the installation's token")
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            raise WriteRefusedError(_said(answer))
        case status if status < HTTPStatus.BAD_REQUEST:
            raise TemporaryFailureError(f"GitHub answered {status}, which isn't one of its answers to this")
        case status:
            raise RuntimeError(f"GitHub answered {status} to what should be right")


def _said(answer: Answer) -> str:
    """GitHub's own words about a request that it refuses."""
    try:
        return (a_text(read(RefusalFields, answer.body).message))[:LONGEST_REFUSAL]
    except ValueError:
        return ""


@contextmanager
def _what_may_still_land() -> Iterator[None]:
    """Let a write whose answer is missing be tried again only when it is settled whether it was done."""
    try:
        yield
    except NotYetError:
        raise
    except TemporaryFailureError as error:
        # One that says itself how long to wait is a limit, and a limit is an answer.
        if error.retry_after_seconds is not None:
            raise
        raise TemporaryFailureError(error.reason, retry_after_seconds=LANDED_AFTER_SECONDS) from error


def _require_comment(answer: Answer) -> None:
    if read_answer(CommentFields, answer).id is None:
        raise TemporaryFailureError("GitHub's answer shows no comment")
