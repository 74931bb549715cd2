"""What a batch costs: a fixed number of statements and one commit, however many deliveries share it."""

import asyncio

import pytest

from billing.ports import Changes, DeliveryEnd, Unit
from billing.values import GitHubAccountId
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import ClaimedDelivery
from storage.statements import BATCH
from tests.storage.builders import WANTED, Booking, delivery, done, new_customer, reply
from tests.storage.faults import Traffic, watched

MOST_FOR_RECORDING = 4
MOST_FOR_CLAIMING = 6
MOST_FOR_APPLYING = 20
MOST_FOR_RELEASING = 3
MOST_FOR_ANSWERING = 5
"""The beginning of the transaction included, which is a statement on SQLite."""

A_GOAL_FOR_EACH_DELIVERY = 2.0
"""Statements for each delivery, accepted and applied, in a busy batch."""


async def apply_all(database: Database, clock: VirtualClock, claimed: list[ClaimedDelivery]) -> None:
    """What billing does for a batch: lock, load, look up keys, book a first grant for each customer, end all."""

    def work(unit: Unit) -> None:
        now = clock.now()
        ends: list[DeliveryEnd] = [done(one) for one in claimed]
        assert not unit.lost_leases([end.cause.lease for end in ends])
        unit.lock([], [GitHubAccountId(int(one.partition.split(":")[1])) for one in claimed], WANTED)
        ids = unit.new_ids(2 * len(claimed))
        changes = Changes(deliveries=ends)
        for number, one in enumerate(claimed):
            account = int(one.partition.split(":")[1])
            fresh = new_customer(ids[2 * number], ids[2 * number + 1], account, now)
            booking = Booking(before=None, state=fresh, now=now)
            booking.grant(5, "signup")
            booking.spend(1, "first")
            changes.states.append((None, booking.after()))
            changes.entries += booking.book.entries
        unit.remembered([(state.account.id, "signup") for _, state in changes.states])
        unit.save(changes, now)

    await database.store.transact(work)


@pytest.mark.parametrize("count", [1, BATCH])
async def test_a_batch_costs_a_fixed_number_of_statements(database: Database, clock: VirtualClock, count: int) -> None:
    # The first delivery of a minute is noted for its route.
    await database.inbox.record(delivery("first", clock.now(), account=999))
    await claim(database)

    with watched(Traffic()) as recording:
        await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now(), account=n)) for n in range(count)))
    with watched(Traffic()) as claiming:
        claimed = await claim(database)
    with watched(Traffic()) as applying:
        await apply_all(database, clock, claimed)
    with watched(Traffic()) as releasing:
        await database.inbox.release([one.lease for one in claimed])

    assert len(claimed) == count
    # The first goes alone; what gathers meanwhile shares the next transactions.
    assert recording.commits <= 1 + count // 8
    # What isn't seen can't be too much.
    assert sum(sql.startswith("INSERT INTO billing_events") for sql in recording.statements) == recording.commits
    assert sum(sql.startswith("INSERT INTO credit_transactions") for sql in applying.statements) == 1
    assert len(recording.statements) <= recording.commits * MOST_FOR_RECORDING
    assert len(claiming.statements) <= MOST_FOR_CLAIMING
    assert len(applying.statements) <= MOST_FOR_APPLYING, applying.statements
    assert len(releasing.statements) <= MOST_FOR_RELEASING
    assert (claiming.commits, applying.commits, releasing.commits) == (1, 1, 1)
    if count == BATCH:
        everything = (recording, claiming, applying, releasing)
        assert sum(len(each.statements) for each in everything) / count <= A_GOAL_FOR_EACH_DELIVERY


@pytest.mark.parametrize("count", [1, BATCH])
async def test_a_batch_of_answers_costs_a_fixed_number_of_statements(
    database: Database, clock: VirtualClock, count: int
) -> None:
    """The leases are looked at, the replies are one executemany (PostgreSQL is told of the work), the ends another."""
    await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now(), account=n)) for n in range(count)))
    claimed = await claim(database)
    changes = Changes(
        deliveries=[done(one) for one in claimed], replies=[reply(n, number=n % 5) for n in range(1, count + 1)]
    )

    with watched(Traffic()) as answering:
        await database.store.transact(lambda unit: unit.save(changes, clock.now()))

    assert len(claimed) == count
    assert len(answering.statements) <= MOST_FOR_ANSWERING, answering.statements
    assert answering.commits == 1
    assert len(await database.outbox.list(limit=1000)) == count


async def claim(database: Database) -> list[ClaimedDelivery]:
    return list(await database.inbox.claim(partitions=64, deliveries=64, lease_seconds=60))
