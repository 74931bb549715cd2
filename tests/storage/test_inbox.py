"""The inbox: nothing recorded is lost, a repeat is told from a new one, and each delivery ends once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.errors import LeaseLostError
from billing.ports import Changes, DeliveryEnd
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import DeliveryState, Recorded
from tests.storage.builders import BODY, cause_of, delivery, done, effect, finish, provision, subscription
from tests.storage.raw import execute, scalar


async def record(database: Database, clock: VirtualClock, *delivery_ids: str, account: int = 7) -> None:
    for delivery_id in delivery_ids:
        await database.inbox.record(delivery(delivery_id, clock.now(), account=account))


async def test_a_recorded_delivery_is_claimed_as_it_came(database: Database, clock: VirtualClock) -> None:
    assert await database.inbox.record(delivery("a", clock.now(), body=BODY)) is Recorded.NEW
    received_at = clock.now()
    clock.advance(seconds=5)

    claimed = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)

    assert len(claimed) == 1
    one = claimed[0]
    assert (one.route, one.delivery_id, one.event, one.action) == ("github", "a", "installation", "created")
    assert (one.partition, one.lease.partition, one.body) == ("github:7", "github:7", BODY)
    assert (one.received_at, one.attempts, one.repeats) == (received_at, 1, 0)
    assert one.observation > 0


async def test_a_repeat_is_told_from_a_new_one_also_within_a_batch(database: Database, clock: VirtualClock) -> None:
    first = await asyncio.gather(*(database.inbox.record(delivery(f"d{n % 10}", clock.now())) for n in range(40)))
    again = await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now())) for n in range(11)))
    other_route = await database.inbox.record(delivery("d0", clock.now(), route="github_marketplace"))

    assert first.count(Recorded.NEW) == 10
    assert first.count(Recorded.REPEAT) == 30
    assert list(again) == [Recorded.REPEAT] * 10 + [Recorded.NEW]
    assert other_route is Recorded.NEW
    assert len(await database.inbox.list(limit=100)) == 12


async def test_a_repeat_of_a_dead_delivery_queues_it_anew(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a")
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    await database.inbox.bury(claimed, error="a bug")
    await database.inbox.release([claimed.lease])
    assert [alarm.subject for alarm in await database.alarms.list()] == ["installation"]
    clock.advance(hours=1)

    both = await asyncio.gather(*(database.inbox.record(delivery("a", clock.now())) for _ in range(2)))

    assert sorted(each.value for each in both) == ["repeat", "requeued"]
    assert await database.alarms.list() == []
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    assert (claimed.attempts, claimed.delivery_id) == (1, "a")


async def test_what_is_sent_on_is_written_with_the_delivery_and_once(database: Database, clock: VirtualClock) -> None:
    first = await database.inbox.record(delivery("a", clock.now()), effect("a", clock.now()))
    again = await database.inbox.record(delivery("a", clock.now()), effect("a", clock.now()))
    alone = [await database.inbox.record(None, effect("b", clock.now())) for _ in range(2)]

    assert (first, again) == (Recorded.NEW, Recorded.REPEAT)
    assert alone == [Recorded.NEW, Recorded.REPEAT]
    assert [each.dedupe_key for each in await database.outbox.list()] == ["b", "a"]


async def test_claims_take_the_oldest_first_and_fairly(database: Database, clock: VirtualClock) -> None:
    for account in (1, 1, 1, 1, 1, 1, 2, 3):
        await record(database, clock, f"{account}-{clock.now()}", account=account)
        clock.advance(seconds=1)

    claimed = await database.inbox.claim(partitions=3, deliveries=6, lease_seconds=60)

    assert [one.partition for one in claimed] == ["github:1", "github:1", "github:2", "github:3"]
    assert [one.id for one in claimed] == [1, 2, 7, 8]
    assert await database.inbox.claim(partitions=3, deliveries=6, lease_seconds=60) == []


async def test_one_partition_gets_all_there_is_room_for(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, *(f"d{n}" for n in range(70)))

    claimed = await database.inbox.claim(partitions=64, deliveries=64, lease_seconds=60)

    # All of them are due in the same millisecond; 64 is the most that is claimed at once.
    assert [one.id for one in claimed] == list(range(1, 65))


async def test_a_claim_stops_at_a_megabyte_of_bodies_but_takes_one(database: Database, clock: VirtualClock) -> None:
    for number in range(4):
        body = bytes(600_000) if number else bytes(2_000_000)
        await database.inbox.record(delivery(f"d{number}", clock.now(), body=body, account=number))
        clock.advance(seconds=1)

    first = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)
    second = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)

    assert [one.delivery_id for one in first] == ["d0"]
    assert [one.delivery_id for one in second] == ["d1"]


async def test_observations_are_numbered_upwards_over_claims(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a", "b")
    first = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    await database.inbox.release([first[0].lease])
    second = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)

    numbers = [one.observation for one in (*first, *second)]
    assert numbers == sorted(set(numbers))
    assert [one.attempts for one in second] == [2, 2]


async def test_a_delivery_that_was_put_off_is_due_then_and_blocks_no_other(
    database: Database, clock: VirtualClock
) -> None:
    await record(database, clock, "a", "b")
    first, second = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    later = clock.now() + timedelta(minutes=5)
    await database.inbox.retry(first, run_at=later, error="GitHub is away")
    await database.inbox.release([first.lease])

    row = await database.inbox.show(first.id)
    assert row is not None
    assert (row.state, row.run_at, row.error) == (DeliveryState.RECEIVED, later, "GitHub is away")
    claimed = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    assert [one.id for one in claimed] == [second.id]
    await finish(database, clock, claimed[0])
    await database.inbox.release([claimed[0].lease])

    assert await database.inbox.next_due() == later
    assert await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60) == []
    clock.set(later)
    assert [one.attempts for one in await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)] == [2]


async def test_an_end_is_written_with_the_changes_of_its_command(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a", "b", "c", "d")
    claimed = await database.inbox.claim(partitions=1, deliveries=4, lease_seconds=60)
    later = clock.now() + timedelta(seconds=10)
    ends = [
        DeliveryEnd(cause=cause_of(claimed[0]), state="done"),
        DeliveryEnd(cause=cause_of(claimed[1]), state="ignored", error="nothing to do"),
        DeliveryEnd(cause=cause_of(claimed[2]), state="refused", error="there is no customer"),
        DeliveryEnd(cause=cause_of(claimed[3]), state="received", error="contradicted", run_at=later),
    ]

    await database.store.transact(lambda unit: unit.save(Changes(deliveries=ends), clock.now()))

    rows = {row.delivery_id: row for row in await database.inbox.list()}
    assert [rows[name].state for name in "abcd"] == [
        DeliveryState.DONE,
        DeliveryState.IGNORED,
        DeliveryState.REFUSED,
        DeliveryState.RECEIVED,
    ]
    assert [rows[name].error for name in "abcd"] == ["", "nothing to do", "there is no customer", "contradicted"]
    assert [rows[name].finished_at for name in "abc"] == [clock.now()] * 3
    assert (rows["d"].finished_at, rows["d"].run_at, rows["d"].repeats, rows["d"].attempts) == (None, later, 1, 0)
    await database.inbox.release([claimed[0].lease])
    assert await database.inbox.next_due() == later


async def test_a_buried_delivery_is_listed_with_an_alarm_and_can_be_replayed(
    database: Database, clock: VirtualClock
) -> None:
    await record(database, clock, "a", "b")
    claimed = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    for one in claimed:
        await database.inbox.bury(one, error="KeyError: 'plan'")
    await database.inbox.release([claimed[0].lease])

    dead = await database.inbox.list(state="dead")
    assert [(row.id, row.error, row.finished_at) for row in dead] == [
        (2, "KeyError: 'plan'", clock.now()),
        (1, "KeyError: 'plan'", clock.now()),
    ]
    alarm = (await database.alarms.list())[0]
    assert (alarm.kind, alarm.subject, alarm.count) == ("delivery_dead", "installation", 2)
    assert "deliveries replay 2" in alarm.detail
    assert await database.inbox.next_due() is None

    assert await database.inbox.replay([1]) == [1]
    assert len(await database.alarms.list()) == 1
    assert await database.inbox.replay([2, 99]) == [2]
    assert await database.alarms.list() == []
    again = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    assert [(one.id, one.attempts) for one in again] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("state", ["done", "ignored", "refused"])
async def test_whatever_ended_can_be_replayed(database: Database, clock: VirtualClock, state: str) -> None:
    await record(database, clock, "a")
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    end = DeliveryEnd(cause=cause_of(claimed), state=state)
    await database.store.transact(lambda unit: unit.save(Changes(deliveries=[end]), clock.now()))
    await database.inbox.release([claimed.lease])

    assert await database.inbox.replay([claimed.id]) == [claimed.id]

    assert [one.id for one in await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)] == [claimed.id]


async def test_a_replayed_delivery_is_due_from_now_on(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a")
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    await finish(database, clock, claimed)
    await database.inbox.release([claimed.lease])
    clock.advance(days=3)

    await database.inbox.replay([claimed.id])

    # Otherwise the platform would take a server for stuck, and out of service, because somebody had things replayed.
    assert await database.inbox.lag_seconds() == 0
    clock.advance(seconds=2)
    assert await database.inbox.lag_seconds() == 2


async def test_lists_are_paged_and_filtered(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a", "b", "c")
    await database.inbox.record(delivery("m", clock.now(), route="github_marketplace"))
    claimed = await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
    await finish(database, clock, claimed[0])

    async def ids(**filters: object) -> list[int]:
        return [row.id for row in await database.inbox.list(**filters)]  # type: ignore[arg-type]

    assert await ids() == [4, 3, 2, 1]
    assert await ids(limit=2) == [4, 3]
    assert await ids(limit=2, before=3) == [2, 1]
    assert await ids(route="github_marketplace") == [4]
    assert await ids(state="received") == [4, 3, 2]
    assert await ids(state="received", route="github") == [3, 2]
    assert await ids(state="done") == [1]
    assert await ids(state="dead") == []
    assert await database.inbox.show(99) is None
    shown = await database.inbox.show(1)
    assert shown is not None
    assert shown.body == BODY


async def test_the_lag_is_that_of_the_oldest_that_is_due(database: Database, clock: VirtualClock) -> None:
    assert await database.inbox.lag_seconds() == 0
    assert await database.inbox.next_due() is None
    await record(database, clock, "a")
    clock.advance(seconds=90)
    await record(database, clock, "b")

    assert await database.inbox.lag_seconds() == 90
    claimed = await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
    # What is being worked on isn't finished either.
    assert await database.inbox.lag_seconds() == 90
    await database.inbox.retry(claimed[0], run_at=clock.now() + timedelta(hours=1), error="later")
    assert await database.inbox.lag_seconds() == 0


async def test_pings_and_last_deliveries_are_known_by_route(database: Database, clock: VirtualClock) -> None:
    assert await database.inbox.pings() == {}
    await database.inbox.note_ping("github", clock.now())
    pinged_at = clock.now()
    clock.advance(minutes=2)
    await record(database, clock, "a")
    recorded_at = clock.now()
    clock.advance(seconds=30)
    await record(database, clock, "b")

    ping = (await database.inbox.pings())["github"]
    assert (ping.at, ping.last_event_at) == (pinged_at, recorded_at)
    clock.advance(seconds=30)
    await record(database, clock, "c")
    assert (await database.inbox.pings())["github"].last_event_at == clock.now()


async def test_a_customer_with_an_unknown_plan_is_caught_up_once_it_is_mapped(
    database: Database, clock: VirtualClock
) -> None:
    await record(database, clock, "a", "b")
    claimed = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    state = await provision(database, clock)
    unmapped = replace(state, subscriptions=(subscription(clock.now(), unmapped=77, delivery_id=claimed[1].id),))
    changes = Changes(states=[(state, unmapped)], deliveries=[done(one) for one in claimed])
    await database.store.transact(lambda unit: unit.save(changes, clock.now()))
    await database.inbox.release([claimed[0].lease])

    assert await database.inbox.requeue_unmapped([1, 2, 3]) == 0
    assert await database.inbox.requeue_unmapped([]) == 0
    assert await database.inbox.requeue_unmapped(list(range(70, 150))) == 1

    again = await database.inbox.claim(partitions=1, deliveries=2, lease_seconds=60)
    assert [one.id for one in again] == [claimed[1].id]


async def test_old_bodies_are_dropped_but_for_what_has_still_to_be_handled(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await record(database, clock, "done", "dead", "unmapped", "received")
    claimed = await database.inbox.claim(partitions=1, deliveries=4, lease_seconds=60)
    state = await provision(database, clock)
    unmapped = replace(state, subscriptions=(subscription(clock.now(), unmapped=77, delivery_id=claimed[2].id),))
    changes = Changes(states=[(state, unmapped)], deliveries=[done(claimed[0]), done(claimed[2])])
    await database.store.transact(lambda unit: unit.save(changes, clock.now()))
    await database.inbox.bury(claimed[1], error="a bug")

    assert await database.inbox.drop_old_bodies(clock.now()) == 0
    assert await database.inbox.drop_old_bodies(clock.now() + timedelta(milliseconds=1)) == 1

    kept = await execute(database_url, "SELECT delivery_id FROM billing_events WHERE body IS NOT NULL ORDER BY id")
    assert [row[0] for row in kept] == ["dead", "unmapped", "received"]
    assert await database.inbox.replay([claimed[0].id]) == []
    row = await database.inbox.show(claimed[0].id)
    assert row is not None
    assert (row.state, row.body) == (DeliveryState.DONE, None)


async def test_many_old_bodies_are_dropped_in_bounded_transactions(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now())) for n in range(1200)))
    await execute(database_url, "UPDATE billing_events SET state = 'done', finished_at = 1")

    dropped = [await database.inbox.drop_old_bodies(clock.now()) for _ in range(20)]
    assert dropped == [64] * 18 + [48, 0]
    assert await scalar(database_url, "SELECT count(*) FROM billing_events WHERE body IS NOT NULL") == 0


async def test_a_lost_lease_ends_nothing(database: Database, clock: VirtualClock) -> None:
    await record(database, clock, "a")
    old = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    clock.advance(seconds=61)
    new = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    assert new.lease.number == old.lease.number + 1

    with pytest.raises(LeaseLostError):
        await database.inbox.retry(old, run_at=clock.now(), error="late")
    with pytest.raises(LeaseLostError):
        await database.inbox.bury(old, error="late")
    with pytest.raises(LeaseLostError):
        await finish(database, clock, old)
    lost = await database.store.transact(lambda unit: unit.lost_leases([old.lease, new.lease]))
    assert set(lost) == {old.lease}

    row = await database.inbox.show(old.id)
    assert row is not None
    assert (row.state, row.error) == (DeliveryState.RECEIVED, "")
    assert await database.alarms.list() == []
    await finish(database, clock, new)
    row = await database.inbox.show(old.id)
    assert row is not None
    assert row.state is DeliveryState.DONE
