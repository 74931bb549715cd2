"""What stays as it was written, tried by hand over a connection without any of our settings, on both engines.

The shares of holds and the checkpoints are only added to. Accounts, grants, open holds and charges change in part.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from billing.commands import ReleaseHold
from bot.checkpoints import CheckpointMaker
from sandbox.clock import VirtualClock
from storage.backups import address_of, fill_from_postgres, fill_postgres, held
from storage.columns import metadata
from storage.database import Database
from tests.storage.every_command import ACTOR, PAID, Desk
from tests.storage.raw import dump, engine_of, everything, execute
from tests.storage.test_checkpoints import SIGNER

ADDED_TO = ("hold_shares", "ledger_checkpoints", "ledger_heads")
CHANGING: Mapping[str, frozenset[str]] = {
    "credit_accounts": frozenset(
        {"posted", "version", "grants_made", "next_expiry", "booked_at", "head", "held", "debt", "next_timeout"}
    ),
    "credit_grants": frozenset({"remaining", "held", "spent", "expired", "revoked", "taken", "owed", "reversed"}),
    "credit_holds": frozenset({"captured", "state", "expires_at"}),
    "charges": frozenset({"state"}),
}
"""The columns that change; the others of these tables don't, once the row is there."""

TABLES = (*ADDED_TO, *CHANGING)
STAYS = "is only ever added to|stay, and so do their terms"


async def fill(url: str, clock: VirtualClock) -> None:
    """A customer with a captured hold, a released one, two open ones, a charge, and a checkpoint."""
    database = Database.connect(url, clock=clock)
    await database.open()
    desk = await Desk.opened(database, clock, credits_=6)
    await desk.do(desk.hold(1, "first"))
    await desk.do(await desk.capture(1))
    await desk.do(desk.hold(1, "second"))
    released = ReleaseHold(customer_id=desk.customer_id, hold_id=await desk.hold_id(), key="back", actor=ACTOR)
    await desk.do(released)
    await desk.do(desk.spend(6, "paid", paid=PAID))
    await desk.do(desk.grant(5, "more"))
    await desk.do(desk.hold(2, "one"))
    await desk.do(desk.hold(3, "other"))
    await CheckpointMaker(database.checkpoints, SIGNER, clock).make()
    await desk.service.close()
    await database.close()


@pytest.fixture
async def ledger_url(database_url: str, clock: VirtualClock) -> str:
    """Either engine's ledger."""
    await fill(database_url, clock)
    return database_url


@pytest.fixture
async def file_url(sqlite_url: str, clock: VirtualClock) -> str:
    """A ledger on SQLite, for what only that knows."""
    await fill(sqlite_url, clock)
    return sqlite_url


@pytest.fixture
async def server_url(postgresql_url: str, clock: VirtualClock) -> str:
    """A ledger on PostgreSQL, for what only that knows."""
    await fill(postgresql_url, clock)
    return postgresql_url


async def refused(url: str, attempts: Iterable[str], *, settings: Sequence[str] = ()) -> None:
    """Hold that the database refuses each of the statements, and that nothing has changed."""
    before = await everything(url)
    for attempt in attempts:
        with pytest.raises(DBAPIError, match=STAYS):
            await execute(url, *settings, attempt)
    assert await everything(url) == before


def other(url: str, table: str, column: str) -> str:
    """Another value for a column."""
    of_row = f"{table}.{column}"
    match str(metadata.tables[table].columns[column].type):
        case "TEXT":
            return f"{of_row} || 'x'"
        case "BLOB":
            return "zeroblob(16)" if engine_of(url) == "sqlite" else "'x'"
        case _:
            return f"{of_row} + 1000000"


def updates(url: str, table: str, suffix: str = "") -> list[str]:
    """The statements that change one of the columns that don't change."""
    columns = [each.name for each in metadata.tables[table].columns if each.name not in CHANGING.get(table, ())]
    assert columns
    return [f"UPDATE {table} SET {column} = {other(url, table, column)}{suffix}" for column in columns]


async def test_no_row_is_deleted(ledger_url: str) -> None:
    for table in TABLES:
        assert await execute(ledger_url, f"SELECT 1 FROM {table}")

    await refused(ledger_url, [f"DELETE FROM {table}" for table in TABLES])


async def test_no_table_is_emptied(server_url: str) -> None:
    await refused(server_url, [f"TRUNCATE {table} CASCADE" for table in TABLES])


async def test_what_is_only_added_to_is_not_updated(ledger_url: str) -> None:
    await refused(ledger_url, [update for table in ADDED_TO for update in updates(ledger_url, table)])


@pytest.mark.parametrize("table", ["credit_accounts", "credit_grants", "charges"])
async def test_terms_are_not_updated(ledger_url: str, table: str) -> None:
    await refused(ledger_url, updates(ledger_url, table))


async def test_the_terms_of_an_open_hold_are_not_updated(ledger_url: str) -> None:
    await refused(ledger_url, updates(ledger_url, "credit_holds", " WHERE state = 'open'"))


async def test_an_ended_hold_stays_as_it_ended(ledger_url: str) -> None:
    """Opened again, it could be captured a second time, out of what another hold has set aside."""
    changes = (
        "state = 'open', captured = 0",
        "state = 'released', captured = 0",
        "state = 'captured', captured = credits",
        "expires_at = expires_at + 1",
    )
    for state in ("captured", "released"):
        assert await execute(ledger_url, f"SELECT 1 FROM credit_holds WHERE state = '{state}'")
        await refused(ledger_url, [f"UPDATE credit_holds SET {change} WHERE state = '{state}'" for change in changes])


async def test_an_open_hold_can_be_extended_and_ended(ledger_url: str) -> None:
    await execute(
        ledger_url,
        "UPDATE credit_holds SET expires_at = expires_at + 1 WHERE state = 'open'",
        "UPDATE credit_holds SET state = 'captured', captured = credits WHERE state = 'open'",
    )

    assert await execute(ledger_url, "SELECT * FROM credit_holds WHERE state = 'open'") == []


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
async def test_no_row_is_replaced(file_url: str, recursive_triggers: str) -> None:
    await refused(
        file_url,
        [
            f"{verb} INTO {table} SELECT * FROM {table}"
            for table in TABLES
            for verb in ("INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE")
        ],
        settings=[f"PRAGMA recursive_triggers = {recursive_triggers}"],
    )


async def test_a_row_that_meets_only_one_key_is_not_replaced_either(file_url: str) -> None:
    attempts = []
    for table, changed in (
        ("credit_accounts", "id"),
        ("credit_accounts", "customer_id"),
        ("hold_shares", "line"),
        ("hold_shares", "grant_number"),
        ("ledger_checkpoints", "number"),
        ("ledger_checkpoints", "digest"),
    ):
        names = metadata.tables[table].columns.keys()
        values = ", ".join(other(file_url, table, name) if name == changed else name for name in names)
        attempts.append(f"REPLACE INTO {table} SELECT {values} FROM {table}")

    await refused(file_url, attempts)


async def test_an_id_is_not_changed_by_another_of_its_names(file_url: str) -> None:
    """SQLite knows it by several, and in a connection without our settings no foreign key holds it."""
    await refused(
        file_url,
        [
            f"UPDATE OR REPLACE {table} SET {name} = {name} + 1 WHERE {condition}"
            for table, condition in (
                ("credit_accounts", "true"),
                ("credit_holds", "state = 'open'"),
                ("ledger_checkpoints", "true"),
            )
            for name in ("rowid", "oid", "_rowid_")
        ],
    )


async def test_no_row_is_written_over_by_an_upsert(ledger_url: str) -> None:
    attempts = []
    for table in TABLES:
        columns = metadata.tables[table].columns.keys()
        key = metadata.tables[table].primary_key.columns.keys()
        fixed = next(name for name in columns if name not in CHANGING.get(table, ()) and name not in key)
        attempts.append(
            f"INSERT INTO {table} SELECT * FROM {table} WHERE true "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {fixed} = {other(ledger_url, table, fixed)}"
        )

    await refused(ledger_url, attempts)


def test_a_ledger_with_ends_of_all_kinds_passes_the_guards_of_its_copies(
    sqlite_url: str, postgres_url: str, tmp_path: Path, clock: VirtualClock
) -> None:
    """There and back: ended holds come as such, and entries each behind its predecessor."""
    asyncio.run(fill(sqlite_url, clock))
    with held(sqlite_url) as source:
        fill_postgres(source, postgres_url, lambda *_: None)
    fill_from_postgres(postgres_url, tmp_path / "back.db", lambda *_: None)

    content = asyncio.run(dump(sqlite_url, TABLES))
    assert all(content.values())
    assert asyncio.run(dump(postgres_url, TABLES)) == content
    assert asyncio.run(dump(address_of(tmp_path / "back.db"), TABLES)) == content
