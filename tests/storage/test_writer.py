"""The writer: what waits shares a commit, nothing is lost at the end, and too much is refused."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from billing.errors import TemporaryFailureError
from billing.ports import Unit
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import Recorded
from storage.writer import BATCH_BYTES, WAITING
from tests.storage.builders import delivery
from tests.storage.faults import Traffic, watched
from tests.storage.raw import scalar


def hold(unit: Unit, is_held: threading.Event, may_go: threading.Event) -> None:
    """Keep the writer busy until told otherwise."""
    unit.new_ids(1)
    is_held.set()
    assert may_go.wait(60)


async def busy(database: Database, group: asyncio.TaskGroup) -> threading.Event:
    """Keep the writer busy; what to set to let it go on."""
    is_held, may_go = threading.Event(), threading.Event()
    group.create_task(database.store.transact(lambda unit: hold(unit, is_held, may_go)))
    await asyncio.to_thread(is_held.wait)
    return may_go


async def test_what_waits_for_a_commit_shares_the_next(database: Database, clock: VirtualClock) -> None:
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        waiting = [group.create_task(database.inbox.record(delivery(f"d{n}", clock.now()))) for n in range(64)]
        await asyncio.sleep(0)
        with watched(Traffic()) as traffic:
            may_go.set()
            outcomes = await asyncio.gather(*waiting)

    assert outcomes == [Recorded.NEW] * 64
    # Its own, and one for all the others.
    assert traffic.commits == 2


async def test_work_that_locks_partitions_shares_no_transaction_where_that_could_deadlock(
    database: Database, clock: VirtualClock
) -> None:
    """Two in one transaction lock in no order, and a process that records deliveries locks the same ones."""
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        working = [
            group.create_task(database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)),
            group.create_task(database.inbox.replay([1])),
            group.create_task(database.store.transact(lambda unit: unit.new_ids(1))),
            *(group.create_task(database.inbox.record(delivery(f"d{n}", clock.now()))) for n in range(8)),
            *(group.create_task(database.inbox.note_ping(f"route {n}", clock.now())) for n in range(8)),
        ]
        await asyncio.sleep(0)
        with watched(Traffic()) as traffic:
            may_go.set()
            await asyncio.gather(*working)

    # SQLite has one writer at a time, which waits for nobody; on PostgreSQL it is three, the deliveries, and the rest.
    assert traffic.commits == 1 + (1 if database.is_sqlite else 5)


async def test_large_bodies_share_less(database: Database, clock: VirtualClock) -> None:
    body = bytes(BATCH_BYTES // 2)
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        waiting = [
            group.create_task(database.inbox.record(delivery(f"d{n}", clock.now(), body=body))) for n in range(6)
        ]
        await asyncio.sleep(0)
        with watched(Traffic()) as traffic:
            may_go.set()
            await asyncio.gather(*waiting)

    assert traffic.commits == 1 + 3


async def test_what_waits_at_the_end_is_written(database_url: str, clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=clock)
    await database.open()
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        waiting = [group.create_task(database.inbox.record(delivery(f"d{n}", clock.now()))) for n in range(200)]
        await asyncio.sleep(0)
        closing = group.create_task(database.close())
        await asyncio.sleep(0)
        with pytest.raises(TemporaryFailureError, match="closed"):
            await database.inbox.record(delivery("late", clock.now()))
        may_go.set()
        await closing
        assert await asyncio.gather(*waiting) == [Recorded.NEW] * 200

    assert await scalar(database_url, "SELECT count(*) FROM billing_events") == 200


async def test_closing_twice_or_unopened_is_harmless(database_url: str, clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=clock)
    await database.close()
    database = Database.connect(database_url, clock=clock)
    await database.open()
    await database.close()
    await database.close()


async def test_a_caller_that_left_harms_nobody(database: Database, clock: VirtualClock) -> None:
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        gone = group.create_task(database.inbox.record(delivery("gone", clock.now())))
        stays = group.create_task(database.inbox.record(delivery("stays", clock.now())))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        may_go.set()
        assert await stays is Recorded.NEW

    assert gone.cancelled()
    # It was handed over, so it is written all the same; its sender will repeat it.
    assert await database.inbox.record(delivery("gone", clock.now())) is Recorded.REPEAT


async def test_too_much_waiting_is_refused(database: Database, clock: VirtualClock) -> None:
    async with asyncio.TaskGroup() as group:
        may_go = await busy(database, group)
        waiting = [group.create_task(database.inbox.note_ping("github", clock.now())) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TemporaryFailureError, match="behind"):
            await database.inbox.record(delivery("a", clock.now()))
        may_go.set()
        await asyncio.gather(*waiting)

    assert await database.inbox.record(delivery("a", clock.now())) is Recorded.NEW


async def test_a_bug_in_one_piece_reaches_its_caller_only(database: Database, clock: VirtualClock) -> None:
    def bug(_unit: Unit) -> None:
        raise KeyError("plan")

    outcomes = await asyncio.gather(
        database.inbox.record(delivery("a", clock.now())),
        database.store.transact(bug),
        database.inbox.record(delivery("b", clock.now())),
        return_exceptions=True,
    )

    assert outcomes[0] is outcomes[2] is Recorded.NEW
    assert isinstance(outcomes[1], KeyError)


async def test_a_sqlite_file_is_durable_and_guarded_on_each_connection(sqlite_url: str, clock: VirtualClock) -> None:
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    seen: dict[str, object] = {}

    def look(unit: Unit) -> None:
        unit.new_ids(1)
        connection = database._transactor._connection  # type: ignore[attr-defined]  # noqa: SLF001
        driver: sqlite3.Connection = connection.connection.driver_connection
        names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers", "busy_timeout")
        seen.update({name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in names})

    await database.store.transact(look)
    await database.close()

    assert seen == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 15000,
    }


async def test_opening_makes_no_schema(tmp_path: Path, clock: VirtualClock) -> None:
    database = Database.connect(f"sqlite:///{tmp_path}/empty.db", clock=clock)
    await database.open()

    assert (await database.schema()).current is None
    await database.close()
