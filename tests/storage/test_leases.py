"""Partitions: nobody handles an account's deliveries beside somebody else, and none is forgotten."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from billing.commands import Lease
from billing.errors import LeaseLostError
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import delivery, finish
from tests.storage.raw import execute, scalar

ACCOUNTS = 12
EACH = 8


async def test_a_leased_partition_is_claimed_by_nobody_until_it_is_given_back(
    database: Database, clock: VirtualClock
) -> None:
    await database.inbox.record(delivery("a", clock.now()))
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    # What comes meanwhile waits too.
    await database.inbox.record(delivery("b", clock.now()))
    assert await database.inbox.claim(partitions=1, deliveries=8, lease_seconds=60) == []
    assert await database.inbox.next_due() == clock.now() + timedelta(seconds=60)

    await finish(database, clock, claimed)
    await database.inbox.release([claimed.lease])

    assert await database.inbox.next_due() == clock.now()
    again = await database.inbox.claim(partitions=1, deliveries=8, lease_seconds=60)
    assert [one.delivery_id for one in again] == ["b"]


async def test_a_lease_runs_out_unless_it_is_renewed(database: Database, clock: VirtualClock) -> None:
    await database.inbox.record(delivery("a", clock.now()))
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    clock.advance(seconds=59)
    await database.inbox.renew([claimed.lease], 60)
    clock.advance(seconds=59)
    assert await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []
    clock.advance(seconds=1)

    taken_over = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]

    assert (taken_over.id, taken_over.attempts) == (claimed.id, 2)
    # Whoever lost it neither renews it nor gives it back.
    await database.inbox.renew([claimed.lease], 3600)
    await database.inbox.release([claimed.lease])
    assert await database.inbox.next_due() == clock.now() + timedelta(seconds=60)
    assert await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []


async def test_a_lease_that_ran_out_still_holds_while_nobody_took_it(database: Database, clock: VirtualClock) -> None:
    await database.inbox.record(delivery("a", clock.now()))
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    clock.advance(hours=1)

    await finish(database, clock, claimed)

    assert await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []


async def test_a_partition_that_is_due_for_nothing_goes_to_rest(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    """As when a worker dies between its last commit and giving the partition back."""
    await database.inbox.record(delivery("a", clock.now()))
    claimed = (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
    await finish(database, clock, claimed)
    clock.advance(seconds=60)
    assert await database.inbox.next_due() == clock.now()

    assert await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []

    assert await database.inbox.next_due() is None
    assert await scalar(database_url, "SELECT lease_until FROM partitions") == 0


async def test_what_is_claimed_over_and_over_by_many_is_handled_once_and_alone(
    database_url: str, clock: VirtualClock
) -> None:
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()
    for account in range(ACCOUNTS):
        await asyncio.gather(
            *(databases[0].inbox.record(delivery(f"{account}-{n}", clock.now(), account=account)) for n in range(EACH))
        )
    handled: Counter[int] = Counter()
    held: set[str] = set()

    async def work(database: Database) -> None:
        # An account's first claim takes up to four; nobody needs more rounds than there are deliveries.
        for _ in range(ACCOUNTS * EACH):
            claimed = await database.inbox.claim(partitions=3, deliveries=12, lease_seconds=60)
            if not claimed and sum(handled.values()) == ACCOUNTS * EACH:
                return
            leases = {one.lease for one in claimed}
            keys = {lease.partition for lease in leases}
            assert not keys & held
            held.update(keys)
            await asyncio.sleep(0)
            await finish(database, clock, *claimed)
            handled.update(one.id for one in claimed)
            held.difference_update(keys)
            await database.inbox.release(sorted(leases, key=lambda lease: lease.partition))

    async with asyncio.TaskGroup() as group:
        for database in databases * 3:
            group.create_task(work(database))

    assert len(handled) == ACCOUNTS * EACH
    assert set(handled.values()) == {1}
    assert await execute(database_url, "SELECT DISTINCT state, attempts FROM billing_events") == [("done", 1)]
    for database in databases:
        await database.close()


async def test_a_commit_and_a_take_over_at_the_same_time_never_both_win(database_url: str, clock: VirtualClock) -> None:
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()
    for turn in range(15):
        await databases[0].inbox.record(delivery(f"d{turn}", clock.now(), account=turn))
        claimed = (await databases[0].inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
        clock.advance(seconds=61)

        committed, taken = await asyncio.gather(
            finish(databases[0], clock, claimed),
            databases[1].inbox.claim(partitions=1, deliveries=1, lease_seconds=60),
            return_exceptions=True,
        )

        assert not isinstance(taken, BaseException)
        assert (committed is None) != bool(taken)
        assert committed is None or isinstance(committed, LeaseLostError)
        await databases[1].inbox.release([one.lease for one in taken])
        for one in await databases[1].inbox.claim(partitions=1, deliveries=1, lease_seconds=60):
            await databases[1].inbox.bury(one, error="over")
            await databases[1].inbox.release([one.lease])
    for database in databases:
        await database.close()


async def test_a_recording_and_a_release_at_the_same_time_leave_nothing_behind(
    database_url: str, clock: VirtualClock
) -> None:
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()
    await databases[0].inbox.record(delivery("first", clock.now()))
    for turn in range(30):
        claimed = (await databases[0].inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]
        await finish(databases[0], clock, claimed)

        await asyncio.gather(
            databases[0].inbox.release([claimed.lease]),
            databases[1].inbox.record(delivery(f"d{turn}", clock.now())),
        )

        assert await databases[0].inbox.next_due() == clock.now()
    for database in databases:
        await database.close()


@pytest.mark.parametrize("count", [0, 1, 70])
async def test_any_number_of_leases_is_given_back(database: Database, clock: VirtualClock, count: int) -> None:
    await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now(), account=n)) for n in range(count)))
    leases: list[Lease] = []
    while claimed := await database.inbox.claim(partitions=64, deliveries=64, lease_seconds=60):
        leases += [one.lease for one in claimed]
    await database.inbox.renew(leases, 60)
    await database.inbox.release(leases)

    assert len(leases) == count
    assert await database.inbox.next_due() == (clock.now() if count else None)
