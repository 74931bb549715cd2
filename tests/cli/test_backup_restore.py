"""`restore FILE`: what is damaged changes nothing, what is replaced is kept, and the product goes on working."""

import asyncio
import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.cli.failures import CommandError
from bot.cli.proving import Prover
from bot.cli.restoring import restore_into
from sandbox.clock import VirtualClock
from storage import migrating
from storage.backups import address_of, holds_data
from storage.file_lock import FileLock
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import converse, invoke
from tests.cli.test_verify import OF_ACME, tamper
from tests.storage.raw import execute, scalar

GRANT = ("credits", "grant", "github:@acme", "3", "--reason", "later", "--yes", "--json")


def available(settings: Settings) -> int:
    shown = invoke("customers", "show", "github:@acme", "--json", settings=settings)
    count: int = json.loads(shown.stdout)["credits"]["available"]
    return count


@pytest.fixture
def backup(seeded: Settings, tmp_path: Path) -> Path:
    """A backup of a database with two customers, once from each engine; the database isn't the one restored to."""
    ended = invoke("backup", "backup.db", settings=seeded)
    assert ended.code == 0
    return tmp_path / "backup.db"


def test_an_empty_place_is_filled(backup: Path, seeded: Settings, tmp_path: Path) -> None:
    restored = settings_for(f"sqlite:///{tmp_path}/deeper/new.db")

    as_json = invoke("restore", str(backup), "--json", settings=restored)

    record = json.loads(as_json.stdout)
    assert record.pop("made_at")
    assert record == {
        "file": str(backup),
        "revision": migrating.status(restored["DATABASE_URL"]).head,
        "migrated_from": None,
        "replaced": None,
        "accounts": 2,
        "entries": 4,
    }
    assert available(restored) == available(seeded)
    tables = asyncio.run(execute(restored["DATABASE_URL"], "SELECT name FROM sqlite_master WHERE name LIKE 'backup%'"))
    assert tables == []
    assert invoke(*GRANT, settings=restored).code == 0
    assert invoke("verify", settings=restored).code == 0


def test_a_postgresql_database_is_filled_and_goes_on(backup: Path, postgres_url: str) -> None:
    restored = settings_for(postgres_url)

    told = invoke("restore", str(backup), settings=restored)
    granted = invoke(*GRANT, settings=restored)

    assert told.code == 0
    assert "2 accounts with 4 entries" in told.stdout
    assert granted.code == 0
    assert invoke("verify", settings=restored).code == 0


def test_what_is_replaced_is_kept(backup: Path, tmp_path: Path) -> None:
    live = settings_for(f"sqlite:///{tmp_path}/live.db")
    invoke("restore", str(backup), settings=live)
    before = available(live)
    invoke(*GRANT, settings=live)

    plain = invoke("restore", str(backup), settings=live)
    unattended = invoke("restore", str(backup), "--force", settings=live)
    unchanged = available(live)
    done = invoke("restore", str(backup), "--force", "--yes", "--json", settings=live)

    assert (plain.code, unattended.code, done.code) == (1, 2, 0)
    assert "--force" in plain.stderr
    assert "--yes" in unattended.stderr
    assert unchanged == before + 3
    assert available(live) == before
    kept = Path(json.loads(done.stdout)["replaced"])
    assert f"kept as {kept}" in done.stderr
    assert available(settings_for(address_of(kept))) == before + 3
    assert not list(tmp_path.glob(".*partial"))


def test_a_no_changes_nothing(seeded_sqlite: Settings, tmp_path: Path) -> None:
    invoke("backup", "backup.db", settings=seeded_sqlite)
    invoke(*GRANT, settings=seeded_sqlite)
    before = available(seeded_sqlite)
    # A program of its own reads no settings file of the source tree's.
    arguments = ("restore", str(tmp_path / "backup.db"), "--force")

    refused, _ = converse(*arguments, settings=seeded_sqlite, answers={"[y/N]": "n"})
    after_no = available(seeded_sqlite)
    agreed, shown = converse(*arguments, settings=seeded_sqlite, answers={"[y/N]": "y"})

    assert (refused, after_no) == (1, before)
    assert agreed == 0, shown
    assert available(seeded_sqlite) == before - 3


def test_a_flipped_byte_is_refused_and_nothing_is_touched(backup: Path, tmp_path: Path) -> None:
    live = settings_for(f"sqlite:///{tmp_path}/live.db")
    invoke("restore", str(backup), settings=live)
    before = (tmp_path / "live.db").read_bytes()
    whole = backup.read_bytes()
    # A name in a row, the text of a trigger, and anything of the first page's.
    hits = [whole.rindex(b"acme"), whole.rindex(b"is only ever added to")]
    hits.append(random.Random(5).choice([place for place in range(100, 4096) if whole[place]]))

    for place in hits:
        backup.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        ended = invoke("restore", str(backup), "--force", "--yes", settings=live)
        assert "Traceback" not in ended.stderr
        assert ended.code == 1, place
        assert f"{backup} is damaged" in ended.stderr
        assert "Nothing was changed. Take another backup." in ended.stderr

    assert (tmp_path / "live.db").read_bytes() == before
    assert not list(tmp_path.glob("*replaced*")) + list(tmp_path.glob(".*partial"))


def test_a_flipped_byte_leaves_postgresql_untouched(backup: Path, postgres_url: str) -> None:
    whole = backup.read_bytes()
    place = whole.index(b"acme")
    backup.write_bytes(whole[:place] + b"b" + whole[place + 1 :])

    ended = invoke("restore", str(backup), settings=settings_for(postgres_url))

    assert ended.code == 1
    assert "is damaged" in ended.stderr
    assert holds_data(postgres_url) == []


def test_data_that_came_while_nobody_looked_is_not_replaced(seeded_sqlite: Settings, tmp_path: Path) -> None:
    """What was empty when the person was asked may not be so any more."""
    invoke("backup", "backup.db", settings=seeded_sqlite)
    before = available(seeded_sqlite)
    prover = Prover(keys=(), clock=VirtualClock(), show=lambda _text: None)

    with pytest.raises(CommandError, match="has data by now"):
        restore_into(seeded_sqlite["DATABASE_URL"], tmp_path / "backup.db", replace=False, prover=prover)

    assert available(seeded_sqlite) == before
    assert not list(tmp_path.glob(".*partial"))


def test_postgresql_with_data_is_never_replaced(backup: Path, postgres_url: str) -> None:
    filled = settings_for(postgres_url)
    assert invoke("restore", str(backup), settings=filled).code == 0
    invoke(*GRANT, settings=filled)
    before = available(filled)

    ended = invoke("restore", str(backup), "--force", "--yes", settings=filled)

    assert ended.code == 1
    assert "Name an empty database" in ended.stderr
    assert available(filled) == before


def test_a_served_database_is_refused(seeded_sqlite: Settings, tmp_path: Path) -> None:
    invoke("backup", "backup.db", settings=seeded_sqlite)
    lock = FileLock(tmp_path / "tallyhook.db")
    lock.acquire()

    ended = invoke("restore", "backup.db", "--force", "--yes", settings=seeded_sqlite)

    lock.release()
    assert ended.code == 1
    assert "is in use by process" in ended.stderr
    assert invoke("restore", "backup.db", "--force", "--yes", settings=seeded_sqlite).code == 0


@pytest.mark.usefixtures("seeded_sqlite")
def test_a_copy_of_another_kind_is_checked_and_said_to_have_no_seal(tmp_path: Path) -> None:
    """What a replication tool or `cp` of a stopped server's file made."""
    shutil.copyfile(tmp_path / "tallyhook.db", tmp_path / "copy.db")
    shutil.copyfile(tmp_path / "tallyhook.db", tmp_path / "broken.db")
    tamper(
        address_of(tmp_path / "broken.db"),
        f"UPDATE credit_transactions SET actor = 'x' WHERE seq = 3 AND account_id = {OF_ACME}",
    )
    live = settings_for(f"sqlite:///{tmp_path}/live.db")

    broken = invoke("restore", "broken.db", settings=live)
    whole = invoke("restore", "copy.db", "--json", settings=live)

    assert broken.code == 1
    assert "entry 3: was changed" in broken.stderr
    assert "The database is untouched." in broken.stderr
    assert (whole.code, json.loads(whole.stdout)["made_at"]) == (0, None)
    assert "has no seal" in whole.stderr


def test_what_is_no_backup_is_told(seeded_sqlite: Settings, tmp_path: Path) -> None:
    before = (tmp_path / "tallyhook.db").read_bytes()
    (tmp_path / "words.db").write_text("no database " * 1000)
    with closing(sqlite3.connect(tmp_path / "another.db")) as another:
        another.execute("CREATE TABLE another (n)")
    with closing(sqlite3.connect(tmp_path / "unmigrated.db")) as unmigrated:
        unmigrated.execute("CREATE TABLE alembic_version (version_num TEXT)")

    for file, told in (
        ("absent.db", "There is no file absent.db"),
        ("words.db", "words.db is damaged"),
        ("another.db", "another.db is damaged: it has none of our tables"),
        ("unmigrated.db", "unmigrated.db is damaged: it has none of our tables"),
        ("tallyhook.db", "tallyhook.db is the database itself"),
    ):
        ended = invoke("restore", file, "--force", "--yes", settings=seeded_sqlite)
        assert ended.code == 1
        assert told in ended.stderr

    assert (tmp_path / "tallyhook.db").read_bytes() == before


def test_a_backup_of_a_newer_version_is_refused(seeded_sqlite: Settings, tmp_path: Path) -> None:
    shutil.copyfile(tmp_path / "tallyhook.db", tmp_path / "newer.db")
    asyncio.run(execute(address_of(tmp_path / "newer.db"), "UPDATE alembic_version SET version_num = '9999'"))

    ended = invoke("restore", "newer.db", "--force", "--yes", settings=seeded_sqlite)

    assert ended.code == 1
    assert "Run the version that made them." in ended.stderr


def test_a_database_that_cannot_be_read_is_replaced_and_kept(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "live.db").write_text("broken " * 1000)
    live = settings_for(f"sqlite:///{tmp_path}/live.db")

    refused = invoke("restore", str(backup), settings=live)
    done = invoke("restore", str(backup), "--force", "--yes", "--json", settings=live)

    assert refused.code == 1
    assert "it can't be read" in refused.stderr
    assert done.code == 0
    assert Path(json.loads(done.stdout)["replaced"]).read_text() == "broken " * 1000
    assert invoke("verify", settings=live).code == 0
    assert asyncio.run(scalar(live["DATABASE_URL"], "SELECT count(*) FROM customers")) == 2
