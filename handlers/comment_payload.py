"""The payload of a comment's delivery, with only the fields that are used."""

from datetime import datetime
from typing import Self

import msgspec

from billing.commands import Question
from billing.values import CommentId, GitHubAccountId, InstallationId, RepositoryId, Word
from handlers.payloads import AccountFields, InstallationFields
from handlers.tolerant import JsonText, a_moment, a_name, an_id, read


class AppFields(msgspec.Struct, frozen=True, kw_only=True):
    """The App by which somebody acted."""

    id: int | None = None


class CommentFields(msgspec.Struct, frozen=True, kw_only=True):
    """The comment. Its author is null where the account is gone."""

    id: int | None = None
    body: str | None = None
    created_at: str | None = None
    user: AccountFields | None = None
    performed_via_github_app: AppFields | None = None


class IssueFields(msgspec.Struct, frozen=True, kw_only=True):
    """The issue or the pull request, which share their numbers."""

    number: int | None = None


class RepositoryFields(msgspec.Struct, frozen=True, kw_only=True):
    """The repository. One that doesn't say that it is private counts as public."""

    id: int | None = None
    name: str | None = None
    private: bool | None = None
    owner: AccountFields | None = None


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """The person who wrote a comment."""

    id: GitHubAccountId
    login: str


class IssueComment(msgspec.Struct, frozen=True, kw_only=True):
    """An `issue_comment` delivery: a comment in an issue or in a pull request's conversation."""

    action: str | None = None
    installation: InstallationFields | None = None
    repository: RepositoryFields | None = None
    issue: IssueFields | None = None
    comment: CommentFields | None = None
    sender: AccountFields | None = None

    @classmethod
    def parse(cls, body: JsonText) -> Self:
        """Read the delivery's JSON text."""
        return read(cls, body)

    @property
    def text(self) -> str:
        """The comment's Markdown."""
        return "" if self.comment is None else self.comment.body or ""

    @property
    def app_id(self) -> int | None:
        """The App by which the comment was written, if any."""
        app = None if self.comment is None else self.comment.performed_via_github_app
        return None if app is None else an_id(app.id)

    @property
    def author(self) -> Author | None:
        """Who wrote the comment; None unless a person did, and nobody else sent it."""
        user = None if self.comment is None else self.comment.user
        if user is None or _is_bot(user) or (self.sender is not None and _is_bot(self.sender)):
            return None
        number, login = an_id(user.id), a_name(user.login)
        return Author(id=GitHubAccountId(number), login=login) if number is not None and login else None

    def question(self, words: tuple[Word, ...], *, received_at: datetime) -> Question | None:
        """What the comment asks; None if the delivery doesn't say where.

        Args:
            words: what was read in it.
            received_at: when we got the delivery, which is when was asked if the comment doesn't tell.
        """
        if self.installation is None or self.repository is None or self.issue is None or self.comment is None:
            return None
        owner = self.repository.owner or AccountFields()
        ids = (self.installation.id, owner.id, self.repository.id, self.issue.number, self.comment.id)
        known = [number for each in ids if (number := an_id(each)) is not None]
        names = a_name(owner.login), a_name(self.repository.name)
        if len(known) < len(ids) or not all(names):
            return None
        installation_id, account_id, repository_id, number, comment_id = known
        return Question(
            installation_id=InstallationId(installation_id),
            account_id=GitHubAccountId(account_id),
            repository_id=RepositoryId(repository_id),
            owner=names[0],
            repository=names[1],
            is_private=self.repository.private is True,
            number=number,
            comment_id=CommentId(comment_id),
            asked_at=a_moment(self.comment.created_at) or received_at,
            words=words,
        )


def _is_bot(account: AccountFields) -> bool:
    """Whether this is a program: GitHub says so, by the type or by the login's end."""
    return account.type == "Bot" or (account.login or "").endswith("[bot]")
