"""Deliveries that fail, many at once as when GitHub is down: they cost one commit, and hold up no other process."""

import asyncio
import random
from datetime import timedelta

from billing.errors import LeaseLostError
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import ClaimedDelivery
from storage.statements import BATCH
from tests.storage.builders import delivery
from tests.storage.faults import Traffic, watched

ROUNDS = 15


async def claimed_of(database: Database, clock: VirtualClock, count: int) -> list[ClaimedDelivery]:
    """So many deliveries, each of another account, in a worker's hands."""
    await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now(), account=n)) for n in range(count)))
    return list(await database.inbox.claim(partitions=count, deliveries=count, lease_seconds=60))


async def test_all_that_is_put_off_together_costs_a_few_statements(database: Database, clock: VirtualClock) -> None:
    held = await claimed_of(database, clock, BATCH)
    later = clock.now() + timedelta(minutes=1)
    with watched(Traffic()) as traffic:
        await asyncio.gather(*(database.inbox.retry(one, run_at=later, error=f"{one.id}") for one in held))

    # The first may go alone, before the others have come.
    assert traffic.commits <= 2
    assert len(traffic.statements) <= 2 * 3
    rows = await database.inbox.list(limit=BATCH)
    assert {(row.run_at, row.error) for row in rows} == {(later, f"{one.id}") for one in held}


async def test_what_is_deferred_was_no_attempt_and_costs_no_more_than_a_failure(
    database: Database, clock: VirtualClock
) -> None:
    held = await claimed_of(database, clock, BATCH)
    later = clock.now() + timedelta(minutes=1)
    with watched(Traffic()) as traffic:
        await asyncio.gather(
            *(database.inbox.defer(one, run_at=later, reason="limited") for one in held[1:]),
            database.inbox.retry(held[0], run_at=later, error="failed"),
        )

    assert traffic.commits <= 2
    rows = {row.id: (row.run_at, row.error, row.attempts) for row in await database.inbox.list(limit=BATCH)}
    assert rows.pop(held[0].id) == (later, "failed", 1)
    assert set(rows.values()) == {(later, "limited", 0)}
    await database.inbox.release([one.lease for one in held])
    clock.set(later)
    again = await database.inbox.claim(partitions=BATCH, deliveries=BATCH, lease_seconds=60)
    assert {one.id: one.attempts for one in again} == {one.id: 1 + (one is held[0]) for one in held}


async def test_all_that_is_given_up_together_costs_a_few_statements(database: Database, clock: VirtualClock) -> None:
    held = await claimed_of(database, clock, BATCH)
    with watched(Traffic()) as traffic:
        await asyncio.gather(*(database.inbox.bury(one, error="a bug") for one in held))

    assert traffic.commits <= 2
    assert len(traffic.statements) <= 2 * 8
    assert {row.state.value for row in await database.inbox.list(limit=BATCH)} == {"dead"}
    [alarm] = await database.alarms.list()
    assert alarm.count == BATCH


async def test_of_many_those_that_were_lost_are_told_so(database: Database, clock: VirtualClock) -> None:
    held = await claimed_of(database, clock, 4)
    clock.advance(seconds=61)
    taken = await database.inbox.claim(partitions=2, deliveries=2, lease_seconds=60)
    lost = {one.id for one in taken}
    assert len(lost) == 2

    for end in (
        [database.inbox.retry(one, run_at=clock.now(), error="late") for one in held],
        [database.inbox.defer(one, run_at=clock.now(), reason="late") for one in held],
        [database.inbox.bury(one, error="late") for one in held],
    ):
        outcomes = await asyncio.gather(*end, return_exceptions=True)
        told = {one.id: outcome for one, outcome in zip(held, outcomes, strict=True)}
        assert {number for number, outcome in told.items() if isinstance(outcome, LeaseLostError)} == lost
        assert {outcome for number, outcome in told.items() if number not in lost} == {None}
    states = {row.id: row.state.value for row in await database.inbox.list()}
    assert {number for number, state in states.items() if state == "received"} == lost


async def test_failing_and_recording_beside_each_other_never_deadlock(postgresql_url: str, clock: VirtualClock) -> None:
    """A deadlock costs both processes a second, and GitHub waits for an answer no longer than ten."""
    worker, web = (Database.connect(postgresql_url, clock=clock) for _ in range(2))
    await worker.open()
    await web.open()
    held = await claimed_of(worker, clock, BATCH)

    async def record() -> None:
        for turn in range(ROUNDS):
            await asyncio.gather(
                *(web.inbox.record(delivery(f"{turn}-{n}", clock.now(), account=n)) for n in range(BATCH))
            )

    async def fail() -> None:
        later = clock.now() + timedelta(hours=1)
        for turn in range(ROUNDS):
            random.Random(turn).shuffle(held)
            await asyncio.gather(*(worker.inbox.retry(one, run_at=later, error="GitHub is down") for one in held))

    async with asyncio.TaskGroup() as group:
        group.create_task(record())
        group.create_task(fail())
    await worker.close()
    await web.close()
