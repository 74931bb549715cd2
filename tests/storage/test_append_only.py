"""What was booked stays: every way of changing it is tried by hand, on both engines."""

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from billing.ports import Changes, Remembered
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import provision, spend
from tests.storage.raw import engine_of, execute

TABLES = ("credit_transactions", "credit_moves", "refusals")
COLUMN = {"credit_transactions": "amount", "credit_moves": "amount", "refusals": "refusal"}
KEYS = {
    "credit_transactions": ("id", "key_hash", "account_id, seq"),
    "credit_moves": ("account_id, seq, line",),
    "refusals": ("key_hash",),
}


async def fill(database: Database, clock: VirtualClock) -> None:
    """Book two entries and remember a refusal."""
    state = await provision(database, clock, credits_=5)
    await spend(database, clock, state.customer.id, 2, "spent")
    refusal = Remembered(
        account_id=state.account.id,
        key="refused",
        request_hash=bytes(32),
        seq=0,
        refusal="{}",
        recorded_at=clock.now(),
    )
    await database.store.transact(lambda unit: unit.save(Changes(refusals=[refusal]), clock.now()))


async def content(url: str, table: str) -> list[tuple[Any, ...]]:
    """Everything in a table."""
    return sorted(await execute(url, f"SELECT * FROM {table}"))


async def refused(url: str, table: str, *statements: str) -> None:
    """Hold that the last statement is refused and nothing has changed."""
    before = await content(url, table)
    assert before
    with pytest.raises(DBAPIError, match=f"{table} is only ever added to"):
        await execute(url, *statements)
    assert await content(url, table) == before


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_booked_is_updated_or_deleted(
    database: Database, database_url: str, clock: VirtualClock, table: str
) -> None:
    await fill(database, clock)

    await refused(database_url, table, f"UPDATE {table} SET {COLUMN[table]} = {COLUMN[table]}")
    await refused(database_url, table, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
async def test_a_booked_table_is_not_emptied(postgresql_url: str, clock: VirtualClock, table: str) -> None:
    database = Database.connect(postgresql_url, clock=clock)
    await database.open()
    await fill(database, clock)
    await database.close()

    before = await content(postgresql_url, table)
    with pytest.raises(DBAPIError, match="is only ever added to"):
        await execute(postgresql_url, f"TRUNCATE {table} CASCADE")
    assert await content(postgresql_url, table) == before


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
async def test_a_booked_row_is_not_replaced(
    sqlite_url: str, clock: VirtualClock, table: str, recursive_triggers: str, verb: str
) -> None:
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    await fill(database, clock)
    await database.close()

    await refused(
        sqlite_url,
        table,
        f"PRAGMA recursive_triggers = {recursive_triggers}",
        f"{verb} INTO {table} SELECT * FROM {table}",
    )


async def test_a_row_that_meets_only_one_key_is_not_replaced_either(sqlite_url: str, clock: VirtualClock) -> None:
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    await fill(database, clock)
    await database.close()
    columns = [row[1] for row in await execute(sqlite_url, "PRAGMA table_info(credit_transactions)")]

    for key in KEYS["credit_transactions"]:
        kept = key.split(", ")
        # Else it follows the last entry, as a new one would.
        changed = {"id": "id + 100", "key_hash": "randomblob(16)", "seq": "seq + 1"}
        if "seq" not in kept:
            changed |= {"previous_hash": "hash", "amount": "0"}
        values = ", ".join(column if column in kept else changed.get(column, column) for column in columns)
        await refused(
            sqlite_url,
            "credit_transactions",
            f"REPLACE INTO credit_transactions SELECT {values} FROM credit_transactions WHERE seq = 2",
        )


@pytest.mark.parametrize("table", TABLES)
async def test_a_booked_row_is_not_written_over_by_an_upsert(
    database: Database, database_url: str, clock: VirtualClock, table: str
) -> None:
    await fill(database, clock)
    over = "OVERRIDING SYSTEM VALUE" if engine_of(database_url) == "postgresql" else ""
    column = COLUMN[table]

    for key in KEYS[table]:
        await refused(
            database_url,
            table,
            f"INSERT INTO {table} {over} SELECT * FROM {table} WHERE true "
            f"ON CONFLICT ({key}) DO UPDATE SET {column} = excluded.{column}",
        )


async def test_a_note_can_be_erased(database: Database, database_url: str, clock: VirtualClock) -> None:
    await fill(database, clock)
    await execute(
        database_url,
        "INSERT INTO credit_notes (account_id, seq, text, actor_name, salt) "
        "SELECT account_id, seq, 'why', 'Ada', request_hash FROM credit_transactions",
    )
    await execute(database_url, "DELETE FROM credit_notes")

    assert await execute(database_url, "SELECT * FROM credit_notes") == []
