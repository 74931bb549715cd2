"""Copies from one engine to the other: every row of every table, and the numbers that go on where they stopped."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage import migrating
from storage.backups import TargetNotEmptyError, address_of, fill_from_postgres, fill_postgres, held, holds_data
from storage.columns import metadata
from storage.copying import (
    OF_ONE_ENGINE,
    SERIES,
    Content,
    ContentDiffersError,
    RowsNotCopiedError,
    contents,
    copy_tables,
    require_like,
    shared_tables,
)
from storage.engines import parse_url, postgres_writer, sqlite_writer
from storage.errors import DatabaseInUseError, SchemaOutdatedError
from storage.file_lock import FileLock
from tests.postgres import Postgres
from tests.storage.filling import ROWS, fill_all
from tests.storage.raw import dump, execute, scalar

T = TypeVar("T")

NAMES = [table.name for table in shared_tables()]


def unheard(_table: str, _rows: int) -> None:
    """Nobody looks at the progress."""


def on_sqlite(url: str, work: Callable[[Connection], T]) -> T:
    engine = sqlite_writer(parse_url(url))
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def on_postgres(url: str, work: Callable[[Connection], T]) -> T:
    async def run() -> T:
        engine = postgres_writer(parse_url(url))
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def moved(source_url: str, target_url: str) -> Mapping[str, Content]:
    with held(source_url) as source:
        return fill_postgres(source, target_url, unheard)


def dumped(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables; a boolean equals its number."""
    return asyncio.run(dump(url, NAMES))


def test_every_table_and_series_is_copied_or_named_as_one_engines_own(sqlite_url: str) -> None:
    one_engines = {table.name for table in metadata.sorted_tables if "engine" in table.info}
    series = asyncio.run(execute(sqlite_url, "SELECT name FROM sequences"))

    assert one_engines == OF_ONE_ENGINE
    assert {name for (name,) in series} == set(SERIES)


def test_there_and_back_again_nothing_is_another(sqlite_url: str, postgresql_url: str, tmp_path: Path) -> None:
    fill_all(sqlite_url)
    before = dumped(sqlite_url)

    there = moved(sqlite_url, postgresql_url)
    back = fill_from_postgres(postgresql_url, tmp_path / "back.db", unheard)

    assert {name: len(rows) for name, rows in before.items()} == dict.fromkeys(NAMES, ROWS)
    assert dumped(postgresql_url) == before
    assert dumped(address_of(tmp_path / "back.db")) == before
    assert there == back
    assert {name: content.rows for name, content in there.items() if name != "alembic_version"} == dict.fromkeys(
        NAMES, ROWS
    )
    numbers = "SELECT * FROM sequences ORDER BY name"
    assert asyncio.run(execute(address_of(tmp_path / "back.db"), numbers)) == asyncio.run(execute(sqlite_url, numbers))


def test_more_than_a_batch_of_rows_is_copied(sqlite_url: str, postgresql_url: str, tmp_path: Path) -> None:
    rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500) "
    fill = f"INSERT INTO paces (subject, number, at) {rows}SELECT 'a' || (n % 7), n, n FROM n"
    asyncio.run(execute(sqlite_url, fill))

    assert moved(sqlite_url, postgresql_url)["paces"].rows == 2500
    assert fill_from_postgres(postgresql_url, tmp_path / "back.db", unheard)["paces"].rows == 2500
    assert dumped(postgresql_url) == dumped(sqlite_url)


def test_numbers_go_on_where_they_stopped(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)
    moved(sqlite_url, postgresql_url)

    for name in SERIES:
        last = asyncio.run(scalar(sqlite_url, f"SELECT value FROM sequences WHERE name = '{name}'"))
        assert asyncio.run(scalar(postgresql_url, f"SELECT nextval('{name}')")) == last + 1
    identities = [
        (table.name, each.name) for table in shared_tables() for each in table.columns if each.identity is not None
    ]
    assert ("credit_transactions", "id") in identities
    for table, name in identities:
        highest = asyncio.run(scalar(postgresql_url, f"SELECT max({name}) FROM {table}"))
        following = f"SELECT nextval(pg_get_serial_sequence('{table}', '{name}'))"
        assert asyncio.run(scalar(postgresql_url, following)) == highest + 1


def test_an_empty_database_begins_at_one(sqlite_url: str, postgresql_url: str) -> None:
    moved(sqlite_url, postgresql_url)

    assert asyncio.run(scalar(postgresql_url, "SELECT nextval('ids')")) == 1
    following = "SELECT nextval(pg_get_serial_sequence('credit_transactions', 'id'))"
    assert asyncio.run(scalar(postgresql_url, following)) == 1


def test_a_target_without_tables_gets_them(sqlite_url: str, postgres_url: str) -> None:
    fill_all(sqlite_url)

    moved(sqlite_url, postgres_url)

    assert migrating.status(postgres_url).is_current
    assert dumped(postgres_url) == dumped(sqlite_url)


def test_a_target_with_a_row_is_refused_and_left_alone(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)
    asyncio.run(execute(postgresql_url, "INSERT INTO pings (route) VALUES ('github')"))

    with pytest.raises(TargetNotEmptyError, match="in pings; name an empty database"):
        moved(sqlite_url, postgresql_url)

    assert holds_data(postgresql_url) == ["pings"]


def test_nobody_writes_to_a_target_that_is_being_filled(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)
    refusals: list[str] = []

    def intrude() -> None:
        try:
            asyncio.run(
                execute(postgresql_url, "SET lock_timeout = '100ms'", "INSERT INTO pings (route) VALUES ('github')")
            )
        except DBAPIError as error:
            refusals.append(str(error.orig))

    def intrude_once(_table: str, _rows: int) -> None:
        if not refusals:
            intruder = threading.Thread(target=intrude)
            intruder.start()
            intruder.join()

    with held(sqlite_url) as source:
        fill_postgres(source, postgresql_url, intrude_once)

    assert len(refusals) == 1
    assert "lock timeout" in refusals[0]
    assert dumped(postgresql_url) == dumped(sqlite_url)


def test_entries_are_copied_in_the_order_in_which_they_were_booked(postgresql_url: str, tmp_path: Path) -> None:
    """A table that was written anew by another index has lost that order; the journal of the copy asks for it."""
    entries = ", ".join(
        f"(2, {seq}, 'grant', 1, {seq}, 'k{seq}', '\\x0{9 - seq}', '', 1, 1, 'operator', '', "
        f"'\\x{f'{seq - 1}' * 64}', '\\x{f'{seq}' * 64}', 2)"
        for seq in range(1, 6)
    )
    asyncio.run(
        execute(
            postgresql_url,
            "INSERT INTO customers (id, github_account_id, source, created_at) VALUES (1, 7, 'github_installation', 5)",
            "INSERT INTO credit_accounts (id, customer_id, unit, next_expiry, head) VALUES (2, 1, 'credit', 9, 'head')",
            "INSERT INTO credit_transactions (account_id, seq, kind, amount, balance_after, idempotency_key, key_hash, "
            "request_hash, occurred_at, recorded_at, actor, note_hash, previous_hash, hash, hash_version) "
            f"VALUES {entries}",
            "CLUSTER credit_transactions USING credit_transactions_key_hash_key",
        )
    )
    read = asyncio.run(execute(postgresql_url, "SELECT seq FROM credit_transactions"))

    fill_from_postgres(postgresql_url, tmp_path / "copy.db", unheard)

    assert [seq for (seq,) in read] == [5, 4, 3, 2, 1]
    assert dumped(address_of(tmp_path / "copy.db")) == dumped(postgresql_url)


def test_a_target_with_older_tables_is_refused(sqlite_url: str, postgres_url: str) -> None:
    migrating.upgrade(postgres_url, "0001")

    with pytest.raises(SchemaOutdatedError, match="tallyhook migrate"):
        moved(sqlite_url, postgres_url)


def test_a_refused_row_is_told_with_its_table_and_nothing_is_kept(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)
    # PostgreSQL can't keep this character.
    asyncio.run(execute(sqlite_url, "UPDATE pings SET route = 'git' || char(0) || 'hub' WHERE at = 2000"))

    with pytest.raises(RowsNotCopiedError, match="a row of pings can't be copied"):
        moved(sqlite_url, postgresql_url)

    assert holds_data(postgresql_url) == []


def test_a_served_file_is_not_moved(sqlite_url: str, postgresql_url: str) -> None:
    lock = FileLock(Path(parse_url(sqlite_url).database or ""))
    lock.acquire()

    with pytest.raises(DatabaseInUseError):
        moved(sqlite_url, postgresql_url)

    lock.release()


def test_nobody_writes_to_what_is_held(sqlite_url: str) -> None:
    file = parse_url(sqlite_url).database
    assert file is not None
    # A connection of ours would wait for long before it gives up; this one doesn't.
    with held(sqlite_url), closing(sqlite3.connect(file, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_a_server_that_goes_away_leaves_nothing(sqlite_url: str, durable_postgres: Postgres) -> None:
    fill_all(sqlite_url)
    url = durable_postgres.url(durable_postgres.create_database())
    migrating.upgrade(url)

    def die_at_the_journal(table: str, _rows: int) -> None:
        if table == "credit_moves" and durable_postgres.is_listening():
            durable_postgres.kill()

    with held(sqlite_url) as source, pytest.raises((DBAPIError, OSError)):
        fill_postgres(source, url, die_at_the_journal)
    durable_postgres.relaunch()

    assert holds_data(url) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pings SET at = at + 1 WHERE at = 2000",
        "UPDATE customers SET shows_figures = NOT shows_figures WHERE github_account_id = 2000",
        "UPDATE billing_events SET body = x'' WHERE body IS NULL",
        "DELETE FROM pings WHERE at = 3000",
        "INSERT INTO pings (route) VALUES ('one more')",
        # What two rows hold is exchanged between them.
        "UPDATE pings SET at = 3000 - at WHERE at IN (1000, 2000)",
    ],
)
def test_any_difference_is_seen(sqlite_url: str, change: str) -> None:
    fill_all(sqlite_url)
    before = on_sqlite(sqlite_url, lambda connection: contents(connection, unheard))
    asyncio.run(execute(sqlite_url, change))
    after = on_sqlite(sqlite_url, lambda connection: contents(connection, unheard))

    with pytest.raises(ContentDiffersError):
        require_like(before, after)
    require_like(before, before)


def test_a_missing_table_is_a_difference(sqlite_url: str) -> None:
    before = on_sqlite(sqlite_url, lambda connection: contents(connection, unheard))
    after = {name: content for name, content in before.items() if name != "pings"}

    with pytest.raises(ContentDiffersError, match="pings"):
        require_like(before, after)
    with pytest.raises(ContentDiffersError, match="pings"):
        require_like(after, before)


def test_a_target_that_changes_what_it_gets_keeps_nothing(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)
    asyncio.run(
        execute(
            postgresql_url,
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = 1; RETURN NEW; END'",
            "CREATE TRIGGER spoil BEFORE INSERT ON pings FOR EACH ROW EXECUTE FUNCTION spoil()",
        )
    )

    with pytest.raises(ContentDiffersError, match="the copy of pings"):
        moved(sqlite_url, postgresql_url)

    assert holds_data(postgresql_url) == []


def test_text_is_told_from_bytes_and_numbers(tmp_path: Path) -> None:
    digests = set()
    for number, value in enumerate(("'1'", "1", "x'31'", "NULL", "''", "'None'", "x''")):
        url = address_of(tmp_path / f"{number}.db")
        asyncio.run(execute(url, "CREATE TABLE t (v)", f"INSERT INTO t VALUES ({value})"))
        digests.add(on_sqlite(url, lambda connection: contents(connection, unheard))["t"].digest)

    assert len(digests) == 7


def test_postgres_and_sqlite_are_told_alike(sqlite_url: str, postgresql_url: str) -> None:
    fill_all(sqlite_url)

    def copied(target: Connection) -> Mapping[str, Content]:
        return on_sqlite(sqlite_url, lambda source: copy_tables(source, target, unheard))

    assert on_postgres(postgresql_url, copied)
    there = on_postgres(postgresql_url, lambda connection: contents(connection, unheard))
    here = on_sqlite(sqlite_url, lambda connection: contents(connection, unheard))
    assert {name: here[name] for name in NAMES} == {name: there[name] for name in NAMES}
