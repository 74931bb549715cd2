"""Replies to comments as effects of the outbox: written in the commit that decides them, sent afterwards."""

import json
from datetime import datetime
from typing import Final, assert_never

from billing.commands import Question
from billing.records import Reply
from billing.values import (
    CommentId,
    GitHubAccountId,
    InstallationId,
    Reaction,
    RepositoryId,
    Word,
    from_milliseconds,
    to_milliseconds,
)
from storage.effects import NewEffect

REPLY_TOPIC: Final = "reply"


def effect_of(reply: Reply, now: datetime) -> NewEffect:
    """The effect that sends the reply: answers of a thread one after another, and either reaction to a comment once."""
    question = reply.question
    return NewEffect(
        topic=REPLY_TOPIC,
        key=_order(reply),
        # The reaction is part of it, so that whoever is allowed to write later is answered if the delivery is replayed.
        dedupe_key=f"{REPLY_TOPIC}:{question.repository_id}:{question.comment_id}:{reply.reaction}",
        payload=pack_reply(reply),
        run_at=now,
    )


def _order(reply: Reply) -> str:
    """The key of what must wait for each other. A confused face says nothing, so that no answer has to wait for it."""
    question = reply.question
    match reply.reaction:
        case Reaction.EYES:
            return f"thread:{question.repository_id}:{question.number}"
        case Reaction.CONFUSED:
            return f"confused:{question.repository_id}:{question.comment_id}"
        case _:
            assert_never(reply.reaction)


def pack_reply(reply: Reply) -> bytes:
    """The reply as an effect carries it: JSON, so that people can look at it too."""
    question = reply.question
    return json.dumps(
        {
            "reaction": reply.reaction,
            "installation_id": question.installation_id,
            "account_id": question.account_id,
            "repository_id": question.repository_id,
            "owner": question.owner,
            "repository": question.repository,
            "is_private": question.is_private,
            "number": question.number,
            "comment_id": question.comment_id,
            "asked_at": to_milliseconds(question.asked_at),
            "words": question.words,
        }
    ).encode()


def unpack_reply(payload: bytes) -> Reply:
    """The reply that an effect carries."""
    packed = json.loads(payload)
    return Reply(
        question=Question(
            installation_id=InstallationId(packed["installation_id"]),
            account_id=GitHubAccountId(packed["account_id"]),
            repository_id=RepositoryId(packed["repository_id"]),
            owner=packed["owner"],
            repository=packed["repository"],
            is_private=packed["is_private"],
            number=packed["number"],
            comment_id=CommentId(packed["comment_id"]),
            asked_at=from_milliseconds(packed["asked_at"]),
            words=tuple(Word(word) for word in packed["words"]),
        ),
        reaction=Reaction(packed["reaction"]),
    )
