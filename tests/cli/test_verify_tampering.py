"""`verify` names what the database's owner did to the ledger: any byte of any column, a tail, an account, a checkpoint.

The owner drops the triggers and conditions, writes balances and grants back to match, and even the checkpoints; only
the key, and digests kept elsewhere, are out of reach.
"""

import asyncio
import base64
import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from billing.ledger.checkpoints import CheckpointOffence
from billing.ledger.verify import Offence
from bot.cli.verifying import Verification
from sandbox.clock import VirtualClock
from storage import migrating
from storage.audits import Audits
from storage.database import Database
from storage.engines import parse_url, sqlite_path
from storage.reader import Reader
from storage.reads import Reads
from storage.tables import credit_accounts
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import Ended, invoke
from tests.cli.seeding import ACME, Seeding
from tests.cli.tampering import KEY, LEDGER, Owner, as_owner, fill_ledger, signer
from tests.postgres import Postgres

UNPROTECTED = {
    ("credit_transactions", "id"): "a row's number; nothing refers to it",
    ("hold_shares", "line"): "the order of shares is what counts, and that is the order of the moves",
    ("charges", "state"): "tells where the asking for money stands, not what was booked",
    ("credit_notes", "account_id"): "moves the note to an entry that isn't there; its own looks as if it was erased",
    ("credit_notes", "seq"): "the same, and erasing a note is allowed",
    ("credit_accounts", "next_timeout"): "one that is too early costs a look at the holds; one too late: see below",
}
"""Columns of which a change need not be named, each with the reason."""

TABLES = credit_accounts.metadata.tables
COLUMNS = [
    (table, column.name)
    for table in LEDGER
    for column in TABLES[table].columns
    if (table, column.name) not in UNPROTECTED
]


@pytest.fixture(scope="module")
def whole_sqlite(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A SQLite file with a whole ledger in it, to be copied."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    shutil.copy(sqlite_template, path)
    fill_ledger(f"sqlite+aiosqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def whole_postgresql(postgres_server: Postgres) -> str:
    """The name of a PostgreSQL database with a whole ledger in it, to be copied."""

    def fill(url: str) -> None:
        migrating.upgrade(url)
        fill_ledger(url)

    postgres_server.ensure_template("whole_ledger", fill)
    return "whole_ledger"


@pytest.fixture
def signed_postgresql(postgres_server: Postgres, whole_postgresql: str) -> Iterator[Settings]:
    """A whole ledger in a PostgreSQL database of its own, and the key."""
    database = postgres_server.create_database(template=whole_postgresql)
    yield {**settings_for(postgres_server.url(database)), "LEDGER_SIGNING_KEY": KEY}
    postgres_server.drop_database(database)


@pytest.fixture
def signed(whole_sqlite: Path, tmp_path: Path) -> Settings:
    """A whole ledger in a file of its own, and the key."""
    path = tmp_path / "ledger.db"
    shutil.copy(whole_sqlite, path)
    return {**settings_for(f"sqlite+aiosqlite:///{path}"), "LEDGER_SIGNING_KEY": KEY}


@pytest.fixture(params=["sqlite", "postgresql"])
def whole(request: pytest.FixtureRequest) -> Settings:
    """A whole ledger on each engine, and the key."""
    found: Settings = request.getfixturevalue({"sqlite": "signed", "postgresql": "signed_postgresql"}[request.param])
    return found


def verified(settings: Settings, *arguments: str) -> tuple[Ended, dict[str, Any]]:
    """What `verify` says, and the same for programs."""
    ended = invoke("verify", *arguments, "--json", settings=settings)
    return ended, json.loads(ended.stdout)


def offence_of(settings: Settings, *arguments: str) -> dict[str, Any]:
    """What is broken; something must be."""
    ended, report = verified(settings, *arguments)
    assert (ended.code, bool(report["offence"])) == (1, True), report
    offence: dict[str, Any] = report["offence"]
    return offence


def test_a_whole_ledger_passes(whole: Settings) -> None:
    ended, report = verified(whole)

    assert ended.code == 0, report
    assert report["offence"] is None
    assert (report["accounts"], report["checkpoints"], report["signatures_checked"]) == (2, 2, True)
    newest = f"{report['newest_checkpoint']['number']}:{report['newest_checkpoint']['digest']}"
    words = invoke("verify", "--expect", newest, settings=whole).stdout
    assert words.endswith(f"Newest checkpoint: {newest}\n")


def test_without_the_key_it_says_what_it_left_out(signed: Settings) -> None:
    settings = {**signed, "LEDGER_SIGNING_KEY": ""}

    assert verified(settings)[1]["signatures_checked"] is False
    assert "signatures were not checked" in invoke("verify", settings=settings).stdout


def test_every_ledger_table_has_something_to_tamper_with(signed: Settings) -> None:
    def look(owner: Owner) -> None:
        assert [table for table in LEDGER if not owner.value(f"SELECT count(*) FROM {table}")] == []

    as_owner(signed["DATABASE_URL"], look)


def others(value: Any) -> Iterator[object]:
    """A value that differs from this one by as little as possible, and one that differs by much."""
    match value:
        case int():
            yield from (value + 1, value ^ (1 << 62))
        case bytes():
            yield from (value[:-1] + bytes([value[-1] ^ 128]), value[:-1]) if value else (b"\0",)
        case str():
            yield from (f"{value} ", value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x")
        case _:
            raise AssertionError(value)


async def first_offence(url: str) -> Offence | CheckpointOffence | None:
    """What `verify` finds, without the way there."""
    reader = Reader(parse_url(url))
    try:
        reads, audits = Reads(reader, None, VirtualClock()), Audits(reader)
        report = await Verification(reads, audits, on_progress=lambda _: None, keys=signer().publics).run()
        return report.offence
    finally:
        await reader.close()


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_byte_flipped_in_any_column_is_named(signed: Settings, table: str, column: str) -> None:
    url = signed["DATABASE_URL"]
    path = sqlite_path(parse_url(url))
    keys = [key.name for key in TABLES[table].primary_key.columns]
    before: list[dict[str, Any]] = []
    as_owner(url, lambda owner: before.extend(map(dict, owner.rows(f"SELECT * FROM {table}"))))
    as_it_was = path.read_bytes()
    named = 0
    for row in _first_and_last(before):
        for other in others(row[column]):

            def change(owner: Owner, row: dict[str, Any] = row, other: object = other) -> None:
                where = " AND ".join(f"{key} = ?" for key in keys)
                owner.rows(f"UPDATE {table} SET {column} = ? WHERE {where}", other, *(row[key] for key in keys))

            path.write_bytes(as_it_was)
            try:
                as_owner(url, change)
            except sqlite3.IntegrityError:
                # Another row has that value, and unique keys are no conditions that can be lifted.
                continue
            assert asyncio.run(first_offence(url)) is not None, (row, other)
            named += 1
    assert named


def _first_and_last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[0], rows[-1]] if len(rows) > 1 else rows


@pytest.mark.parametrize("table", LEDGER)
def test_a_byte_flipped_in_any_column_is_named_on_postgresql(signed_postgresql: Settings, table: str) -> None:
    url = signed_postgresql["DATABASE_URL"]
    keys = [key.name for key in TABLES[table].primary_key.columns]
    rows: list[dict[str, Any]] = []
    order = ", ".join(keys)
    as_owner(url, lambda owner: rows.extend(map(dict, owner.rows(f"SELECT * FROM {table} ORDER BY {order}"))))
    last = rows[-1]

    def put(column: str, value: object, where: Sequence[object]) -> None:
        condition = " AND ".join(f"{key} = ?" for key in keys)
        as_owner(url, lambda owner: _run(owner, f"UPDATE {table} SET {column} = ? WHERE {condition}", value, *where))

    for column in (column for of_table, column in COLUMNS if of_table == table):
        # The value that differs by much meets no other row's.
        *_, other = others(last[column])
        put(column, other, [last[key] for key in keys])
        assert asyncio.run(first_offence(url)) is not None, column
        put(column, last[column], [other if key == column else last[key] for key in keys])
    assert asyncio.run(first_offence(url)) is None


def _run(owner: Owner, sql: str, *parameters: object) -> None:
    owner.rows(sql, *parameters)


def test_a_time_out_that_would_be_missed_is_named(signed: Settings) -> None:
    def put_off(owner: Owner) -> None:
        owner.rows("UPDATE credit_accounts SET next_timeout = ? WHERE held > 0", 253402300799000)

    as_owner(signed["DATABASE_URL"], put_off)

    assert offence_of(signed)["entry"] is None


def cut_the_tail(owner: Owner) -> None:
    """Take the last spend off an account's journal, and write the account and its grant back to match."""
    (last,) = owner.rows(
        "SELECT t.*, m.grant_number, m.amount AS moved FROM credit_transactions t JOIN credit_moves m"
        " ON m.account_id = t.account_id AND m.seq = t.seq JOIN credit_accounts a"
        " ON a.id = t.account_id AND a.version = t.seq WHERE t.kind = 'spend' AND t.amount = -1"
    )
    account, seq, moved = last["account_id"], last["seq"], last["moved"]
    (before,) = owner.rows("SELECT * FROM credit_transactions WHERE account_id = ? AND seq = ?", account, seq - 1)
    for table in ("credit_moves", "credit_transactions"):
        owner.rows(f"DELETE FROM {table} WHERE account_id = ? AND seq = ?", account, seq)
    owner.rows(
        "UPDATE credit_accounts SET version = version - 1, posted = ?, booked_at = ?, head = ? WHERE id = ?",
        *(before[name] for name in ("balance_after", "recorded_at", "hash", "account_id")),
    )
    owner.rows(
        "UPDATE credit_grants SET remaining = remaining + ?, spent = spent - ? WHERE account_id = ? AND number = ?",
        *(moved, moved, account, last["grant_number"]),
    )


def drop_checkpoints(owner: Owner, *numbers: int, with_heads: bool = True) -> None:
    """Take checkpoints away."""
    for number in numbers:
        owner.rows("DELETE FROM ledger_checkpoints WHERE number = ?", number)
        if with_heads:
            owner.rows("DELETE FROM ledger_heads WHERE checkpoint = ?", number)


def remove_an_account(owner: Owner) -> None:
    """Take an account away with all that belongs to it."""
    account = owner.value("SELECT min(account_id) FROM ledger_heads WHERE version < 4")
    for table in ("credit_notes", "credit_moves", "credit_transactions", "credit_grants"):
        owner.rows(f"DELETE FROM {table} WHERE account_id = ?", account)
    owner.rows("DELETE FROM credit_accounts WHERE id = ?", account)


def digest_at(settings: Settings, number: int) -> str:
    """A checkpoint's number and digest, as somebody noted them."""
    found = json.loads(invoke("checkpoint", "--list", "--json", settings=settings).stdout)
    (digest,) = [each["digest"] for each in found if each["number"] == number]
    return f"{number}:{digest}"


def test_a_tail_that_was_cut_off_is_missed_though_all_was_written_back(whole: Settings) -> None:
    as_owner(whole["DATABASE_URL"], cut_the_tail)

    offence = offence_of(whole)

    assert (offence["checkpoint"], offence["problem"]) == (2, "is missing: the checkpoint vouches for it")
    assert offence["entry"] > 2
    said = invoke("verify", settings=whole).stdout
    assert f"Broken: checkpoint 2, customer {offence['customer_id']}, account {offence['account_id']}, entry" in said
    # Nothing else would have seen it: without the checkpoint everything fits.
    as_owner(whole["DATABASE_URL"], lambda owner: drop_checkpoints(owner, 2))
    assert verified(whole)[0].code == 0


def test_a_tail_that_was_booked_anew_is_missed(signed: Settings) -> None:
    """The entry's place is taken by another, with the chain, the account and the grant in order."""
    as_owner(signed["DATABASE_URL"], cut_the_tail)
    asyncio.run(spend_again(signed["DATABASE_URL"]))

    offence = offence_of(signed)

    assert (offence["checkpoint"], offence["problem"]) == (2, "is another one than the checkpoint vouches for")


async def spend_again(url: str) -> None:
    """Have the server book another spend."""
    clock = VirtualClock()
    clock.advance(hours=1)
    database = Database.connect(url, clock=clock)
    await database.open()
    seeding = Seeding(database, clock)
    seeding.count = 1000
    await seeding.spend(ACME, 1)
    await database.close()


def test_an_account_that_was_removed_is_missed(whole: Settings) -> None:
    as_owner(whole["DATABASE_URL"], remove_an_account)

    offence = offence_of(whole)

    assert offence["problem"] == "is gone, account and all: the checkpoint vouches for it"
    assert (offence["checkpoint"], offence["customer_id"]) == (1, None)


@pytest.mark.parametrize(
    ("number", "with_heads", "problem"),
    [
        (1, True, "follows checkpoint 0: those between are missing"),
        (1, False, "follows checkpoint 0: those between are missing"),
        (2, False, "is missing, while heads that it vouches for are there"),
    ],
)
def test_a_checkpoint_that_was_removed_is_missed(
    whole: Settings, number: int, problem: str, *, with_heads: bool
) -> None:
    as_owner(whole["DATABASE_URL"], lambda owner: drop_checkpoints(owner, number, with_heads=with_heads))

    offence = offence_of(whole)

    assert (offence["checkpoint"], offence["problem"], offence["account_id"]) == (2, problem, None)


def test_a_digest_that_was_kept_outside_shows_what_no_key_does(whole: Settings) -> None:
    """The last checkpoints go with the tail that they vouch for: only who noted a digest can tell."""
    noted = digest_at(whole, 2)
    assert verified(whole, "--expect", noted)[0].code == 0

    def set_back(owner: Owner) -> None:
        cut_the_tail(owner)
        drop_checkpoints(owner, 2)

    as_owner(whole["DATABASE_URL"], set_back)

    assert verified(whole)[0].code == 0
    assert offence_of(whole, "--expect", noted)["problem"] == (
        "is missing: its digest was kept outside, but the last one is 1"
    )
    # Another checkpoint in its place, signed with the key itself, has another digest.
    asyncio.run(spend_again(whole["DATABASE_URL"]))
    assert invoke("checkpoint", settings=whole).code == 0
    assert verified(whole)[0].code == 0
    offence = offence_of(whole, "--expect", digest_at(whole, 1), "--expect", noted)
    assert (offence["checkpoint"], offence["problem"]) == (
        2,
        "has another digest than the one that was kept outside",
    )


def test_checkpoints_that_were_made_anew_without_the_key_are_not_ours(signed: Settings) -> None:
    def set_back(owner: Owner) -> None:
        cut_the_tail(owner)
        drop_checkpoints(owner, 1, 2)

    as_owner(signed["DATABASE_URL"], set_back)
    another = {**signed, "LEDGER_SIGNING_KEY": base64.b64encode(bytes(32)).decode()}
    assert invoke("checkpoint", settings=another).code == 0

    assert verified(another)[0].code == 0
    assert "which is none of ours" in offence_of(signed)["problem"]
    as_owner(
        signed["DATABASE_URL"],
        lambda owner: _run(owner, "UPDATE ledger_checkpoints SET key_id = ?", signer().key_id),
    )
    assert "its digest is another" in offence_of(signed)["problem"]


@pytest.mark.parametrize(
    "text", ["", "5", "5:", "5:abc", f":{'a' * 64}", f"-1:{'a' * 64}", f"5:{'g' * 64}", f"x:{'a' * 64}"]
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    ended = invoke("verify", "--expect", text, settings={})

    assert ended.code == 2
    assert "NUMBER:DIGEST" in ended.stderr


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE credit_transactions SET kind = 'gift' WHERE seq = 2", "entry 2"),
        ("UPDATE credit_transactions SET actor = CAST(X'ff' AS TEXT) WHERE seq = 2", "entry 2"),
        ("UPDATE credit_transactions SET recorded_at = 'soon' WHERE seq = 2", "entry 2"),
        ("UPDATE credit_transactions SET hash_version = 9 WHERE seq = 2", "entry 2"),
        ("UPDATE credit_grants SET origin = 'theft' WHERE number = 1", "the account"),
        ("UPDATE credit_accounts SET next_expiry = 4611686018427387904", "the account"),
        ("UPDATE ledger_checkpoints SET made_at = 4611686018427387904 WHERE number = 2", "checkpoint 2"),
    ],
)
def test_a_value_that_cannot_be_is_told_and_not_a_crash(signed: Settings, change: str, where: str) -> None:
    as_owner(signed["DATABASE_URL"], lambda owner: _run(owner, change))

    ended = invoke("verify", settings=signed)

    assert ended.code == 1
    assert ended.stdout.startswith("Broken: ")
    assert where in ended.stdout
