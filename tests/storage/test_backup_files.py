"""Backups as files: whole at one moment, sealed, damaged in every way, and put in place without a moment between."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import migrating
from storage.backup_files import (
    STEP_PAGES,
    DamagedFileError,
    FileNotCopiedError,
    FileOpenElsewhereError,
    copy_file,
    fold,
    publish,
    replace_database,
    workshop,
)
from storage.backups import address_of, holds_data
from storage.copying import shared_tables
from storage.seals import Examined, break_seal, examine, seal
from tests.storage.filling import ROWS, fill_all
from tests.storage.raw import dump, execute

MADE_AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
FLIPS = 200
NAMES = [table.name for table in shared_tables()]


def unheard(*_: object) -> None:
    """Nobody looks at the progress."""


def dumped(file: Path) -> dict[str, list[tuple[object, ...]]]:
    return asyncio.run(dump(address_of(file), NAMES))


def change(file: Path, statement: str) -> None:
    """Change a file behind everybody's back."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        assert connection.execute(statement).rowcount != 0


@pytest.fixture
def live(sqlite_template: Path, tmp_path: Path) -> Path:
    """A SQLite database with rows in every table."""
    path = tmp_path / "tallyhook.db"
    shutil.copyfile(sqlite_template, path)
    fill_all(address_of(path))
    return path


@pytest.fixture
def backup(live: Path, tmp_path: Path) -> Path:
    """A sealed backup of it."""
    file = tmp_path / "backup.db"
    copy_file(live, file, unheard)
    seal(file, MADE_AT, unheard)
    return file


def with_journal_mode(file: Path) -> int:
    """What the file's header says of its journal: 1 for none beside it, 2 for a write-ahead log."""
    return file.read_bytes()[18]


def test_a_copy_holds_everything_in_one_private_file(live: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(live)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("INSERT INTO pings (route) VALUES ('not merged yet')")
        server.commit()
        told: list[int] = []
        copy_file(live, tmp_path / "copy.db", told.append)

    assert dumped(tmp_path / "copy.db") == dumped(live)
    assert with_journal_mode(tmp_path / "copy.db") == 1
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert told[-1] == 100
    assert {path.name for path in tmp_path.glob("copy*")} == {"copy.db"}


def test_a_copy_is_of_one_moment_though_others_write_meanwhile(tmp_path: Path) -> None:
    """Each commit adds a row to both tables: a copy that mixes moments has more of one than of the other."""
    source = tmp_path / "source.db"
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE first (n INTEGER PRIMARY KEY, filling BLOB)")
        writer.execute("CREATE TABLE last (n INTEGER PRIMARY KEY)")
        rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 7000) "
        writer.execute(f"INSERT INTO first {rows}SELECT n, zeroblob(5000) FROM n")
        writer.execute(f"INSERT INTO last {rows}SELECT n FROM n")
        writer.commit()
        steps: list[int] = []

        def write_meanwhile(per_cent: int) -> None:
            steps.append(per_cent)
            writer.execute("INSERT INTO first (filling) VALUES (zeroblob(5000))")
            writer.execute("INSERT INTO last DEFAULT VALUES")
            writer.commit()

        copy_file(source, tmp_path / "copy.db", write_meanwhile)
        written = writer.execute("SELECT count(*) FROM last").fetchone()

    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        counts = copy.execute("SELECT (SELECT count(*) FROM first), (SELECT count(*) FROM last)").fetchone()
    assert len(steps) > 2, f"it was copied in one step of {STEP_PAGES} pages"
    assert counts == (7000, 7000)
    assert written == (7000 + len(steps),)


def test_a_whole_backup_says_when_it_was_made_and_what_it_holds(backup: Path) -> None:
    examined = examine(backup, backup, unheard)

    assert examined.schema.is_current
    assert examined.seal is not None
    assert examined.seal.made_at == MADE_AT
    assert {name: examined.seal.tables[name].rows for name in NAMES} == dict.fromkeys(NAMES, ROWS)


def test_without_its_seal_a_backup_is_a_database_like_any_other(backup: Path, live: Path) -> None:
    break_seal(backup)

    assert examine(backup, backup, unheard).seal is None
    assert dumped(backup) == dumped(live)
    tables = "SELECT name FROM sqlite_master ORDER BY name"
    assert asyncio.run(execute(address_of(backup), tables)) == asyncio.run(execute(address_of(live), tables))


def is_damaged(file: Path) -> bool:
    try:
        examine(file, file, unheard)
    except DamagedFileError:
        return True
    return False


def test_a_flipped_byte_is_seen_wherever_it_changes_anything(backup: Path, tmp_path: Path) -> None:
    chance = random.Random(28)
    whole, rows = backup.read_bytes(), dumped(backup)
    flipped = tmp_path / "flipped.db"
    refused = 0
    # Half of so small a database is room without anything in it, all zeros.
    places = [place for place, byte in enumerate(whole) if byte]
    for place in chance.sample(places, FLIPS):
        flipped.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        if is_damaged(flipped):
            refused += 1
        else:
            # It fell into what is left of what was deleted, or says nothing about the rows.
            assert dumped(flipped) == rows, place

    assert refused > FLIPS / 2


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE customers SET github_login = 'mallory' WHERE id = 2000", "table customers holds other rows"),
        ("DELETE FROM pings WHERE at = 2000", "table pings holds other rows"),
        ("UPDATE sequences SET value = 1 WHERE name = 'ids'", "table sequences holds other rows"),
        ("DROP TRIGGER credit_transactions_no_update", "a table, an index or a trigger was changed"),
        ("DROP INDEX effects_due_idx", "a table, an index or a trigger was changed"),
        ("CREATE TABLE one_more (n)", "a table, an index or a trigger was changed"),
        ("UPDATE backup_seal SET document = replace(document, 'pings', 'rings')", "its seal was changed"),
        ("DELETE FROM backup_seal", "its seal was changed"),
        ("DELETE FROM customers WHERE id = 2000", "refers to one of customers that isn't there"),
        ("DROP TABLE alembic_version", "it has none of our tables"),
    ],
)
def test_what_was_changed_is_named(backup: Path, statement: str, problem: str) -> None:
    change(backup, statement)

    with pytest.raises(DamagedFileError, match=problem):
        examine(backup, backup, unheard)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def write_words(file: Path) -> None:
    file.write_bytes(b"This is no database. " * 1000)


def spoil_text(file: Path) -> None:
    change(file, "UPDATE customers SET github_login = CAST(x'ff' AS TEXT) WHERE id = 2000")


@pytest.mark.parametrize("damage", [cut, empty, write_words, spoil_text])
def test_what_is_no_whole_database_is_refused(backup: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    def read() -> Examined:
        copy_file(backup, tmp_path / "copy.db", unheard)
        return examine(tmp_path / "copy.db", backup, unheard)

    damage(backup)

    with pytest.raises(DamagedFileError, match=r"backup.db is damaged: .*; nothing was changed. Take another backup"):
        read()


def test_an_absent_file_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotCopiedError, match="unable to open"):
        copy_file(tmp_path / "absent.db", tmp_path / "copy.db", unheard)


def test_a_write_protected_backup_can_be_read(backup: Path, tmp_path: Path) -> None:
    backup.chmod(0o400)

    copy_file(backup, tmp_path / "copy.db", unheard)

    assert examine(tmp_path / "copy.db", backup, unheard).seal is not None


def test_a_workshop_leaves_nothing_behind(tmp_path: Path) -> None:
    for error in (None, KeyboardInterrupt):
        try:
            with workshop(tmp_path / "final.db") as draft:
                assert draft.parent.parent == tmp_path
                assert draft.parent.stat().st_mode & 0o777 == 0o700
                migrating.upgrade(address_of(draft))
                if error is not None:
                    raise error
                publish(draft, tmp_path / "final.db")
        except KeyboardInterrupt:
            assert error is not None
        assert [path.name for path in tmp_path.iterdir()] == ["final.db"]


def test_a_replaced_database_is_kept_with_what_lay_beside_it(live: Path, backup: Path, tmp_path: Path) -> None:
    # A killed server leaves its latest commits in the log beside the file.
    with closing(sqlite3.connect(live)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("INSERT INTO pings (route) VALUES ('the latest')")
        server.commit()
        log = tmp_path / "tallyhook.db-wal"
        left = log.read_bytes()
        before = dumped(live)
    break_seal(backup)
    live.with_name(log.name).write_bytes(left)
    content = dumped(backup)
    assert content != before

    kept = replace_database(backup, live)

    assert kept == tmp_path / "tallyhook-replaced-1.db"
    assert dumped(kept) == before
    assert dumped(live) == content
    assert not log.exists()
    assert holds_data(address_of(live)) == holds_data(address_of(kept))


def test_names_of_those_that_are_kept_are_not_taken_twice(live: Path, backup: Path) -> None:
    another = backup.with_name("another.db")
    shutil.copyfile(backup, another)

    kept = [replace_database(draft, live) for draft in (backup, another)]

    assert [path.name for path in kept if path] == ["tallyhook-replaced-1.db", "tallyhook-replaced-2.db"]


def test_a_new_database_replaces_nothing(backup: Path, tmp_path: Path) -> None:
    assert replace_database(backup, tmp_path / "new.db") is None
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    assert len(dumped(tmp_path / "new.db")["pings"]) == ROWS


@pytest.fixture
def open_elsewhere(live: Path) -> Iterator[None]:
    """A connection of another's, as of a command that runs just now."""
    with closing(sqlite3.connect(live)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM pings").fetchone()
        yield


@pytest.mark.usefixtures("open_elsewhere")
def test_a_database_that_is_open_elsewhere_is_not_replaced(live: Path, backup: Path) -> None:
    with pytest.raises(FileOpenElsewhereError, match="another process has"):
        replace_database(backup, live, patience_seconds=0.05)

    assert backup.exists()
    assert list(live.parent.glob("*replaced*")) == []


def test_a_damaged_database_is_replaced_and_kept_as_it_is(live: Path, backup: Path, tmp_path: Path) -> None:
    live.write_bytes(b"no database" * 1000)
    for ending in ("-wal", "-journal"):
        (tmp_path / f"tallyhook.db{ending}").write_bytes(b"no log")

    kept = replace_database(backup, live)

    assert kept is not None
    assert kept.read_bytes() == b"no database" * 1000
    assert [path.name for path in tmp_path.glob("tallyhook.db*")] == ["tallyhook.db"]
    assert len(dumped(live)["pings"]) == ROWS


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_the_new_database_belongs_to_whom_the_old_one_did(live: Path, backup: Path, mode: int) -> None:
    live.chmod(mode)
    if os.geteuid() == 0:
        os.chown(live, 65534, 65534)
    owner = (live.stat().st_uid, live.stat().st_gid)

    replace_database(backup, live)

    assert (live.stat().st_uid, live.stat().st_gid) == owner
    assert live.stat().st_mode & 0o7777 == mode


def test_folding_what_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "words.db").write_bytes(b"words" * 1000)

    with pytest.raises(sqlite3.DatabaseError):
        fold(tmp_path / "words.db", patience_seconds=0)
