"""A database that goes away: callers are told to come back, and everything goes on when it does."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from billing.errors import TemporaryFailureError
from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from storage.deliveries import Recorded
from tests.postgres import Postgres
from tests.storage.builders import delivery, effect, provision, spend

TRIES = 200


async def until_it_works(operation: Callable[[], Awaitable[object]]) -> object:
    """What the operation returns once the database is back."""
    for _ in range(TRIES):
        try:
            return await operation()
        except TemporaryFailureError:
            await asyncio.sleep(0.05)
    return await operation()


async def test_postgresql_goes_away_and_comes_back(
    durable_postgres: Postgres, durable_postgres_url: str, clock: VirtualClock
) -> None:
    await asyncio.to_thread(migrating.upgrade, durable_postgres_url)
    database = Database.connect(durable_postgres_url, clock=clock)
    told: list[str] = []
    database.on_foreign_work(lambda: told.append("woken"))
    await database.open()
    state = await provision(database, clock, credits_=5)
    assert await database.inbox.record(delivery("before", clock.now())) is Recorded.NEW
    await database.ping()

    await asyncio.to_thread(durable_postgres.stop)
    for operation in (
        lambda: database.inbox.record(delivery("meanwhile", clock.now())),
        lambda: database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60),
        lambda: spend(database, clock, state.customer.id, 1, "meanwhile"),
        database.ping,
        database.schema,
        database.inbox.next_due,
        database.reads.change_counter,
    ):
        with pytest.raises(TemporaryFailureError):
            await operation()

    await asyncio.to_thread(durable_postgres.launch)
    assert await until_it_works(lambda: database.inbox.record(delivery("after", clock.now()))) is Recorded.NEW
    await database.ping()
    assert [row.delivery_id for row in await database.inbox.list()] == ["after", "before"]
    await database.close()


async def test_a_connection_that_was_cut_while_idle_is_not_noticed(
    durable_postgres: Postgres, durable_postgres_url: str, clock: VirtualClock
) -> None:
    await asyncio.to_thread(migrating.upgrade, durable_postgres_url)
    database = Database.connect(durable_postgres_url, clock=clock)
    await database.open()
    assert await database.inbox.record(delivery("before", clock.now())) is Recorded.NEW
    await database.ping()

    await asyncio.to_thread(
        durable_postgres.execute,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tallyhook'",
    )

    assert await database.inbox.record(delivery("after", clock.now())) is Recorded.NEW
    await database.ping()
    await database.close()


async def test_a_server_killed_under_load_keeps_what_it_confirmed(
    durable_postgres: Postgres, durable_postgres_url: str, clock: VirtualClock
) -> None:
    await asyncio.to_thread(migrating.upgrade, durable_postgres_url)
    database = Database.connect(durable_postgres_url, clock=clock)
    await database.open()
    confirmed: list[str] = []
    enough = asyncio.Event()

    async def send(sender: int) -> None:
        for number in range(200):
            try:
                await database.inbox.record(delivery(f"{sender}-{number}", clock.now(), account=sender))
            except TemporaryFailureError:
                return
            confirmed.append(f"{sender}-{number}")
            if len(confirmed) == 100:
                enough.set()

    async with asyncio.TaskGroup() as group:
        for sender in range(8):
            group.create_task(send(sender))
        await enough.wait()
        await asyncio.to_thread(durable_postgres.kill)
    await asyncio.to_thread(durable_postgres.relaunch)

    rows = await until_it_works(lambda: database.inbox.list(limit=2000))
    assert isinstance(rows, list)
    assert set(confirmed) <= {row.delivery_id for row in rows}
    await database.close()


async def test_a_start_without_the_database_succeeds_later(postgres_server: Postgres, clock: VirtualClock) -> None:
    name = "comes_later"
    database = Database.connect(postgres_server.url(name), clock=clock)
    await database.open()
    with pytest.raises(TemporaryFailureError):
        await database.inbox.record(delivery("a", clock.now()))
    with pytest.raises(TemporaryFailureError):
        await database.ping()

    await asyncio.to_thread(postgres_server.execute, f"CREATE DATABASE {name}")
    await asyncio.to_thread(migrating.upgrade, postgres_server.url(name))

    assert await database.inbox.record(delivery("a", clock.now())) is Recorded.NEW
    await database.close()
    await asyncio.to_thread(postgres_server.drop_database, name)


async def test_a_failure_names_no_secret_and_nothing_that_was_sent(tmp_path: Path, clock: VirtualClock) -> None:
    for address in (f"sqlite:///{tmp_path}/none/at/all.db", "postgresql://someone:hunter2@127.0.0.1:1/name"):
        database = Database.connect(address, clock=clock)
        await database.open()
        for operation in (
            database.inbox.record(delivery("a", clock.now(), body=b"hunter2")),
            database.outbox.enqueue(effect("hunter2", clock.now())),
            database.ping(),
        ):
            with pytest.raises(TemporaryFailureError) as failure:
                await operation
            assert "hunter2" not in str(failure.value)
            assert "someone" not in str(failure.value)
        await database.close()


async def test_a_sqlite_file_that_cannot_be_written_is_a_temporary_failure(
    sqlite_url: str, clock: VirtualClock
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    assert await database.inbox.record(delivery("before", clock.now())) is Recorded.NEW
    # A disk that is full: the file may not grow.
    full = sqlite3.connect(path)
    pages = full.execute("PRAGMA page_count").fetchone()[0]
    full.close()

    def limit(unit: object, most: int) -> None:
        connection = unit._transaction._connection  # type: ignore[attr-defined]  # noqa: SLF001
        connection.connection.driver_connection.execute(f"PRAGMA max_page_count = {most}")

    await database.store.transact(lambda unit: limit(unit, pages))
    with pytest.raises(TemporaryFailureError, match="full"):
        await database.inbox.record(delivery("meanwhile", clock.now(), body=bytes(500_000)))

    # The writer has a new connection, which has room again.
    assert await database.inbox.record(delivery("after", clock.now())) is Recorded.NEW
    assert [row.delivery_id for row in await database.inbox.list()] == ["after", "before"]
    await database.close()
