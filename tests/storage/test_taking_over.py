"""What a killed process had under lease: its successor goes on at once where it may know that the other is gone."""

import pytest

from billing.errors import LeaseLostError
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import delivery, effect, finish


async def _left_behind(url: str, clock: VirtualClock, *, exclusive: bool) -> None:
    """Leave a delivery and an effect under lease."""
    killed = Database.connect(url, clock=clock, exclusive=exclusive)
    await killed.open()
    await killed.inbox.record(delivery("taken", clock.now()), effect("taken", clock.now()))
    await killed.inbox.claim(partitions=1, deliveries=1, lease_seconds=600)
    await killed.outbox.claim("forward", limit=1, lease_seconds=600)
    await killed.close()


async def test_on_sqlite_the_next_process_goes_on_at_once(sqlite_url: str, clock: VirtualClock) -> None:
    await _left_behind(sqlite_url, clock, exclusive=True)
    successor = Database.connect(sqlite_url, clock=clock, exclusive=True)
    await successor.open()
    assert await successor.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []

    assert await successor.take_over() == 2

    [claimed] = await successor.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
    [sent] = await successor.outbox.claim("forward", limit=1, lease_seconds=60)
    assert (claimed.delivery_id, claimed.attempts, sent.attempts) == ("taken", 2, 2)
    await finish(successor, clock, claimed)
    await successor.outbox.done(sent)
    await successor.close()


async def test_what_was_put_off_stays_put_off(sqlite_url: str, clock: VirtualClock) -> None:
    database = Database.connect(sqlite_url, clock=clock, exclusive=True)
    await database.open()
    await database.inbox.record(delivery("later", clock.now()))
    [claimed] = await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
    await database.inbox.retry(claimed, run_at=clock.now().replace(hour=23), error="GitHub is away")
    await database.inbox.release([claimed.lease])

    assert await database.take_over() == 0

    assert await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []
    await database.close()


async def test_whoever_only_writes_beside_takes_over_nothing(database_url: str, clock: VirtualClock) -> None:
    await _left_behind(database_url, clock, exclusive=False)
    beside = Database.connect(database_url, clock=clock)
    await beside.open()

    assert await beside.take_over() == 0

    assert await beside.inbox.claim(partitions=1, deliveries=1, lease_seconds=60) == []
    await beside.close()


async def test_a_lease_that_was_taken_over_is_lost_to_its_holder(sqlite_url: str, clock: VirtualClock) -> None:
    database = Database.connect(sqlite_url, clock=clock, exclusive=True)
    await database.open()
    await database.inbox.record(delivery("taken", clock.now()))
    [former] = await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
    await database.take_over()
    await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)

    with pytest.raises(LeaseLostError):
        await database.inbox.bury(former, error="too late")
    await database.close()
