"""A comment becomes one command: an answer by the permission that GitHub tells, or nothing with a reason."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.commands import Answer, Ignore, Question
from billing.errors import TemporaryFailureError
from billing.values import CommentId, GitHubAccountId, InstallationId, Permission, RepositoryId, Word
from handlers.comments import NO_COMMAND, NO_QUESTION
from tests.handlers.commenting import BOT, a_comment
from tests.handlers.golden import Golden
from tests.handlers.surroundings import CAUSE, AnsweringGitHub, commands_of, event_of

CREATED_AT = datetime(2026, 3, 1, tzinfo=UTC)
"""When the golden comment was written."""


def question_of(delivery: Golden, *words: Word, is_private: bool = True, asked_at: datetime = CREATED_AT) -> Question:
    """What the delivery asks."""
    payload = delivery.payload
    return Question(
        installation_id=InstallationId(5),
        account_id=GitHubAccountId(payload["repository"]["owner"]["id"]),
        repository_id=RepositoryId(payload["repository"]["id"]),
        owner="octo-org",
        repository="hello",
        is_private=is_private,
        number=payload["issue"]["number"],
        comment_id=CommentId(payload["comment"]["id"]),
        asked_at=asked_at,
        words=words,
    )


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("variant", ["full", "bare"])
async def test_a_question_is_answered_by_what_github_says_its_author_may_do(
    variant: str, permission: Permission
) -> None:
    delivery = a_comment("Hello!\r\n\r\n/credits plan\r\n@tallyhook credits", variant=variant)
    github = AnsweringGitHub(permissions={("octo-org", "hello", 4242, "mona"): permission})

    commands = await commands_of(event_of(delivery), github)

    question = question_of(delivery, Word.PLAN, Word.CREDITS)
    assert commands == [Answer(question=question, permission=permission, cause=CAUSE)]
    assert github.asked == [5]


@pytest.mark.parametrize(
    ("created_at", "asked_at"),
    [
        ("2026-02-27T23:59:58Z", datetime(2026, 2, 27, 23, 59, 58, tzinfo=UTC)),
        ("2026-02-28T01:59:58+02:00", datetime(2026, 2, 27, 23, 59, 58, tzinfo=UTC)),
        (..., CAUSE.received_at),
        (None, CAUSE.received_at),
        ("yesterday", CAUSE.received_at),
        (1772323200, CAUSE.received_at),
    ],
)
async def test_rule_35_a_question_is_asked_when_github_says_it_was_written(created_at: Any, asked_at: datetime) -> None:
    delivery = a_comment(changes={("comment", "created_at"): created_at})
    [command] = await commands_of(event_of(delivery))
    assert isinstance(command, Answer)
    assert command.question == question_of(delivery, Word.CREDITS, asked_at=asked_at)


async def test_what_the_comment_says_of_its_author_counts_for_nothing() -> None:
    delivery = a_comment(changes={("comment", "author_association"): "OWNER"})
    [command] = await commands_of(event_of(delivery))
    assert isinstance(command, Answer)
    assert command.permission is Permission.NONE


@pytest.mark.parametrize("private", [False, None, ..., "yes", 1, {}])
async def test_a_repository_that_does_not_say_that_it_is_private_is_public(private: Any) -> None:
    delivery = a_comment(changes={("repository", "private"): private})
    [command] = await commands_of(event_of(delivery))
    assert isinstance(command, Answer)
    assert command.question == question_of(delivery, Word.CREDITS, is_private=False)


async def test_a_comment_that_asks_nothing_is_ignored_without_a_question_to_github() -> None:
    github = AnsweringGitHub()
    commands = await commands_of(event_of(a_comment("> /credits\n\nThanks!")), github)
    assert commands == [Ignore(reason=NO_COMMAND, cause=CAUSE)]
    assert github.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {("installation",): ...},
        {("installation",): {"id": None}},
        {("repository", "id"): 0},
        {("repository", "name"): "../admin"},
        {("repository", "name"): ".."},
        {("repository", "owner"): None},
        {("repository", "owner"): {"id": 7, "login": "a/b"}},
        {("issue", "number"): "12"},
        {("comment", "id"): 2**64},
        {("comment", "user"): None},
        {("comment", "user"): {"id": 4242}},
        {("comment", "user"): {"login": "mona"}},
        {("comment", "user"): BOT},
        {("sender",): BOT},
    ],
    ids=str,
)
async def test_a_question_of_nobody_or_from_nowhere_is_ignored(changes: dict[tuple[str, ...], Any]) -> None:
    github = AnsweringGitHub()
    commands = await commands_of(event_of(a_comment(changes=changes)), github)
    assert commands == [Ignore(reason=NO_QUESTION, cause=CAUSE)]
    assert github.asked == []


async def test_where_nothing_may_be_done_the_question_is_ignored_with_the_reason() -> None:
    commands = await commands_of(event_of(a_comment()), AnsweringGitHub(suspended={5}))
    assert commands == [Ignore(reason="the installation is suspended", cause=CAUSE)]


async def test_a_github_that_does_not_answer_is_asked_again_later() -> None:
    with pytest.raises(TemporaryFailureError):
        await commands_of(event_of(a_comment()), AnsweringGitHub(is_away=True))
