"""Replies: an effect each, written in the commit that decides them, once for a comment and in order for a thread."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest

from billing.commands import Question
from billing.ports import Changes
from billing.records import Reply
from billing.values import Reaction, Word
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.replies import REPLY_TOPIC, effect_of, pack_reply, unpack_reply
from tests.database import START
from tests.storage.builders import delivery, done, reply


@pytest.mark.parametrize("words", [(), (Word.CREDITS,), (Word.PLAN, Word.HELP, Word.CREDITS)])
@pytest.mark.parametrize("reaction", Reaction)
@pytest.mark.parametrize("is_private", [True, False])
def test_a_reply_comes_out_as_it_went_in(reaction: Reaction, words: tuple[Word, ...], *, is_private: bool) -> None:
    plain = reply(2**62, reaction=reaction)
    wanted = replace(plain, question=replace(plain.question, words=words, is_private=is_private, repository="naïve☂"))

    packed = pack_reply(wanted)

    assert unpack_reply(packed) == wanted
    assert type(unpack_reply(packed).reaction) is Reaction
    # Nothing that a reply holds is left out.
    names = {field.name for kind in (Question, Reply) for field in fields(kind)}
    assert set(json.loads(packed)) == names - {"question"}


def test_a_comment_is_answered_once_and_a_thread_in_order() -> None:
    effect = effect_of(reply(9, number=4, repository=5), START)

    assert (effect.topic, effect.key, effect.dedupe_key, effect.run_at) == (
        REPLY_TOPIC,
        "thread:5:4",
        "reply:5:9:eyes",
        START,
    )
    assert effect_of(reply(9, number=4, repository=6), START).dedupe_key != effect.dedupe_key


async def test_replies_are_written_with_the_end_of_their_delivery(database: Database, clock: VirtualClock) -> None:
    for number in range(4):
        await database.inbox.record(delivery(f"d{number}", clock.now(), account=number))
    claimed = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)
    replies = [reply(11, number=7), reply(12, number=8), reply(13, number=7), reply(11, number=7)]
    changes = Changes(deliveries=[done(one) for one in claimed], replies=replies)

    await database.store.transact(lambda unit: unit.save(changes, clock.now()))

    assert {row.state for row in await database.inbox.list()} == {"done"}
    assert await sent(database) == [11, 12]
    assert await sent(database) == [13]
    # The same comment again, by another delivery or a replay, is nothing new; neither is it once it was answered.
    again = Changes(replies=replies)
    await database.store.transact(lambda unit: unit.save(again, clock.now()))
    assert await sent(database) == []


async def test_whoever_was_shown_confusion_can_be_answered_later_and_each_happens_once(
    database: Database, clock: VirtualClock
) -> None:
    confused, eyes = reply(11, reaction=Reaction.CONFUSED), reply(11)
    for one in (confused, eyes, confused, eyes):
        await save(database, [one], clock)

    found = await database.outbox.list()
    assert sorted(unpack_reply(row.payload).reaction for row in found) == ["confused", "eyes"]


async def test_a_confused_face_that_cannot_be_sent_holds_up_no_answer(database: Database, clock: VirtualClock) -> None:
    confused = [reply(comment_id, reaction=Reaction.CONFUSED) for comment_id in (11, 12)]
    await save(database, [*confused, reply(13), reply(14)], clock)

    claimed = await database.outbox.claim(REPLY_TOPIC, limit=64, lease_seconds=60)

    # The first two are still being sent; of the answers to the thread only one is at a time.
    assert sorted(unpack_reply(one.payload).question.comment_id for one in claimed) == [11, 12, 13]


async def test_two_who_answer_the_same_comments_at_once_answer_each_once(
    database_url: str, clock: VirtualClock
) -> None:
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()
    replies = [reply(comment_id) for comment_id in range(1, 41)]

    await asyncio.gather(*(save(database, replies, clock) for database in databases for _ in range(3)))

    found = await databases[0].outbox.list(limit=1000)
    assert sorted(unpack_reply(row.payload).question.comment_id for row in found) == list(range(1, 41))
    for database in databases:
        await database.close()


async def save(database: Database, replies: Sequence[Reply], clock: VirtualClock) -> None:
    changes = Changes(replies=list(replies))
    await database.store.transact(lambda unit: unit.save(changes, clock.now()))


async def sent(database: Database) -> list[int]:
    """Send what may go of the replies; to which comments."""
    claimed = await database.outbox.claim(REPLY_TOPIC, limit=64, lease_seconds=60)
    for one in claimed:
        await database.outbox.done(one)
    return [unpack_reply(one.payload).question.comment_id for one in claimed]
