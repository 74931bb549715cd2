"""The outbox: each effect once, in order for its key, and none in the way of another key's."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from billing.errors import LeaseLostError
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import ClaimedEffect, EffectState
from tests.storage.builders import effect


async def claim(database: Database) -> Sequence[ClaimedEffect]:
    topics = [await database.outbox.claim(topic, limit=64, lease_seconds=60) for topic in ("forward", "alert")]
    return [one for topic in topics for one in topic]


async def ids(database: Database) -> list[int]:
    return [one.id for one in await claim(database)]


async def test_an_effect_is_written_once_and_claimed_as_it_is(database: Database, clock: VirtualClock) -> None:
    assert await database.outbox.enqueue(effect("a", clock.now(), key="k"))
    assert not await database.outbox.enqueue(effect("a", clock.now(), key="other"))

    claimed = await claim(database)

    assert claimed == [
        ClaimedEffect(id=claimed[0].id, topic="forward", key="k", payload=b"payload", attempts=1, lease_number=1)
    ]
    assert await claim(database) == []


async def test_a_dedupe_key_counts_for_ever(database: Database, clock: VirtualClock) -> None:
    await database.outbox.enqueue(effect("a", clock.now()))
    await database.outbox.done((await claim(database))[0])

    assert not await database.outbox.enqueue(effect("a", clock.now()))
    assert await claim(database) == []


async def test_only_the_oldest_of_a_key_goes(database: Database, clock: VirtualClock) -> None:
    for dedupe_key, key in (("1", "a"), ("2", "a"), ("3", "b"), ("4", "a")):
        await database.outbox.enqueue(effect(dedupe_key, clock.now(), key=key))

    first = await claim(database)
    assert [one.id for one in first] == [1, 3]
    await database.outbox.done(first[0])
    second = await claim(database)
    assert [one.id for one in second] == [2]
    await database.outbox.ignore(second[0], "nobody listens")
    assert await ids(database) == [4]


async def test_an_older_one_that_is_due_later_keeps_its_place(database: Database, clock: VirtualClock) -> None:
    later = clock.now() + timedelta(hours=1)
    await database.outbox.enqueue(effect("1", later))
    await database.outbox.enqueue(effect("2", clock.now()))

    assert await ids(database) == []
    assert await database.outbox.next_due("forward") == later
    clock.set(later)
    assert await ids(database) == [1]


async def test_what_is_put_off_holds_up_its_key_and_no_other(database: Database, clock: VirtualClock) -> None:
    for dedupe_key, key in (("1", "a"), ("2", "a"), ("3", "b")):
        await database.outbox.enqueue(effect(dedupe_key, clock.now(), key=key))
    first = await claim(database)
    later = clock.now() + timedelta(minutes=5)
    await database.outbox.retry(first[0], later, "503")
    await database.outbox.enqueue(effect("4", clock.now(), key="a"))

    assert await ids(database) == []
    # Those that can't go aren't due either: a worker has nothing to look for until then, but for what is being sent.
    await database.outbox.done(first[1])
    assert await database.outbox.next_due("forward") == later
    clock.set(later)
    again = await claim(database)
    assert [(one.id, one.attempts) for one in again] == [(1, 2)]
    await database.outbox.done(again[0])
    assert await ids(database) == [2]


async def test_what_is_deferred_was_not_tried_and_holds_up_its_key_and_no_other(
    database: Database, clock: VirtualClock
) -> None:
    for dedupe_key, key in (("1", "a"), ("2", "a"), ("3", "b")):
        await database.outbox.enqueue(effect(dedupe_key, clock.now(), key=key))
    first, other = await claim(database)
    await database.outbox.retry(first, clock.now(), "503")
    first = (await claim(database))[0]
    later = clock.now() + timedelta(seconds=2)
    await database.outbox.defer(first, later)

    assert await ids(database) == []
    await database.outbox.done(other)
    assert await database.outbox.next_due("forward") == later
    clock.set(later)
    again = (await claim(database))[0]
    # It was tried once, and is for the third time in somebody's hands.
    assert (again.id, again.attempts, again.lease_number) == (1, 2, 3)
    row = await database.outbox.show(1)
    assert row is not None
    assert row.error == "503"
    await database.outbox.done(again)
    assert await ids(database) == [2]


async def test_a_dead_one_lets_the_next_go_and_raises_an_alarm(database: Database, clock: VirtualClock) -> None:
    await database.outbox.enqueue(effect("1", clock.now()))
    await database.outbox.enqueue(effect("2", clock.now()))
    await database.outbox.bury((await claim(database))[0], "410 gone")

    row = await database.outbox.show(1)
    assert row is not None
    assert (row.state, row.error, row.finished_at) == (EffectState.DEAD, "410 gone", clock.now())
    alarm = (await database.alarms.list())[0]
    assert (alarm.kind, alarm.subject) == ("effect_dead", "forward")
    assert [one.topic for one in await claim(database)] == ["forward", "alert"]


async def test_dead_ones_can_be_sent_again(database: Database, clock: VirtualClock) -> None:
    for dedupe_key in "123":
        await database.outbox.enqueue(effect(dedupe_key, clock.now(), key=dedupe_key))
    claimed = await claim(database)
    await database.outbox.bury(claimed[0], "gone")
    await database.outbox.bury(claimed[1], "gone")
    await database.outbox.done(claimed[2])

    assert await database.outbox.retry_dead([1, 3, 99]) == [1]
    assert len(await database.alarms.list()) == 1
    assert await database.outbox.retry_dead([2]) == [2]
    assert await database.alarms.list() == []
    assert [(one.id, one.attempts) for one in await claim(database) if one.topic == "forward"] == [(1, 1), (2, 1)]


async def test_a_lease_runs_out_and_the_late_one_ends_nothing(database: Database, clock: VirtualClock) -> None:
    await database.outbox.enqueue(effect("1", clock.now()))
    old = (await claim(database))[0]
    assert await database.outbox.next_due("forward") == clock.now() + timedelta(seconds=60)
    clock.advance(seconds=60)
    new = (await claim(database))[0]

    assert (new.id, new.attempts, new.lease_number) == (1, 2, 2)
    with pytest.raises(LeaseLostError):
        await database.outbox.done(old)
    with pytest.raises(LeaseLostError):
        await database.outbox.ignore(old, "late")
    with pytest.raises(LeaseLostError):
        await database.outbox.retry(old, clock.now(), "late")
    with pytest.raises(LeaseLostError):
        await database.outbox.defer(old, clock.now())
    with pytest.raises(LeaseLostError):
        await database.outbox.bury(old, "late")
    assert await database.alarms.list() == []
    await database.outbox.done(new)
    with pytest.raises(LeaseLostError):
        await database.outbox.done(new)


async def test_lists_are_paged_and_filtered(database: Database, clock: VirtualClock) -> None:
    for dedupe_key in "1234":
        await database.outbox.enqueue(effect(dedupe_key, clock.now(), key=dedupe_key))
    claimed = await claim(database)
    await database.outbox.done(claimed[0])
    await database.outbox.ignore(claimed[1], "nobody")

    async def listed(state: str | None = None, limit: int = 50, before: int | None = None) -> list[int]:
        return [row.id for row in await database.outbox.list(state=state, limit=limit, before=before)]

    assert await listed() == [4, 3, 2, 1]
    assert await listed(limit=2, before=4) == [3, 2]
    assert await listed("pending") == [4, 3]
    assert await listed("done") == [1]
    assert await listed("ignored") == [2]
    assert await listed("dead") == []
    assert await database.outbox.show(99) is None


async def test_each_effect_goes_to_one_of_many_senders_in_order(database_url: str, clock: VirtualClock) -> None:
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()
    keys = "abcd"
    await asyncio.gather(
        *(databases[0].outbox.enqueue(effect(f"{n}", clock.now(), key=keys[n % 4])) for n in range(48))
    )
    sent: dict[str, list[int]] = {key: [] for key in keys}

    async def send(database: Database) -> None:
        while sum(map(len, sent.values())) < 48:
            for one in await database.outbox.claim("forward", limit=3, lease_seconds=60):
                sent[one.key].append(one.id)
                await database.outbox.done(one)

    async with asyncio.TaskGroup() as group:
        for database in databases:
            group.create_task(send(database))
            group.create_task(send(database))

    assert all(len(each) == 12 and each == sorted(set(each)) for each in sent.values())
    for database in databases:
        await database.close()


async def test_an_empty_outbox_is_never_due(database: Database) -> None:
    assert await database.outbox.next_due("forward") is None
    assert await database.outbox.retry_dead([]) == []


async def test_what_was_sent_is_forgotten_and_what_is_dead_can_be_sent_again(
    database: Database, clock: VirtualClock
) -> None:
    for name in ("sent", "unwanted", "given up"):
        await database.outbox.enqueue(effect(name, clock.now(), key=name))
    sent, unwanted, given_up = await database.outbox.claim("forward", limit=3, lease_seconds=60)

    await database.outbox.done(sent)
    await database.outbox.ignore(unwanted, "nobody listens")
    await database.outbox.bury(given_up, "nobody answers")

    kept = {row.key: row.payload for row in await database.outbox.list() if row.topic == sent.topic}
    assert kept == {"sent": b"", "unwanted": b"", "given up": given_up.payload}
    assert given_up.payload
