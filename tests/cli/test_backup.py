"""`backup FILE`: everything as it stood at one moment, on both engines, in a file that is whole or absent."""

import asyncio
import json
from pathlib import Path

import pytest

from storage import migrating
from storage.backups import address_of
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import invoke
from tests.cli.seeding import seed
from tests.cli.test_verify import OF_ACME, tamper
from tests.storage.raw import execute, scalar


def listed(directory: Path) -> set[str]:
    """The files that are no database of the test's own, nor beside one."""
    return {path.name for path in directory.iterdir() if not path.name.startswith("tallyhook.db")}


def test_a_backup_is_a_database_with_everything_in_it(seeded: Settings, tmp_path: Path) -> None:
    as_json = invoke("backup", "one.db", "--json", settings=seeded)
    words = invoke("backup", "two.db", settings=seeded)

    assert (as_json.code, words.code) == (0, 0), as_json.stderr + words.stderr
    record = json.loads(as_json.stdout)
    rows = record.pop("rows")
    assert (rows["customers"], rows["credit_transactions"], rows["billing_events"]) == (2, 4, 3)
    assert record.keys() == {"file", "bytes", "made_at", "revision", "accounts", "entries"}
    assert (record["file"], record["accounts"], record["entries"]) == ("one.db", 2, 4)
    assert record["bytes"] == (tmp_path / "one.db").stat().st_size
    assert "2 accounts with 4 entries" in words.stdout
    assert "everything holds" in words.stdout
    assert listed(tmp_path) == {"one.db", "two.db"}
    assert (tmp_path / "one.db").stat().st_mode & 0o777 == 0o600

    copied = settings_for(address_of(tmp_path / "one.db"))
    for command in (("customers", "show", "github:@acme"), ("credits", "statement", "github:@acme")):
        here = invoke(*command, "--json", settings=seeded)
        there = invoke(*command, "--json", settings=copied)
        assert here.code == 0
        assert there.stdout == here.stdout


def test_an_existing_file_is_replaced_only_by_force(seeded_sqlite: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("an older one")

    refused = invoke("backup", "backup.db", settings=seeded_sqlite)
    kept = file.read_text()
    forced = invoke("backup", "backup.db", "--force", settings=seeded_sqlite)

    assert refused.code == 1
    assert "--force" in refused.stderr
    assert kept == "an older one"
    assert forced.code == 0
    assert invoke("verify", settings=settings_for(address_of(file))).code == 0


def test_the_database_itself_and_places_that_are_none_are_refused(seeded_sqlite: Settings, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "tallyhook.db")
    (tmp_path / "directory").mkdir()
    before = (tmp_path / "tallyhook.db").read_bytes()

    for file, told in (
        ("tallyhook.db", "is the database itself"),
        ("link.db", "is the database itself"),
        ("directory", "is there already"),
        ("none/backup.db", "There is no directory none"),
    ):
        ended = invoke("backup", file, "--force", settings=seeded_sqlite)
        assert ended.code == 1
        assert told in ended.stderr

    assert (tmp_path / "tallyhook.db").read_bytes() == before


def test_a_broken_ledger_replaces_no_good_backup(seeded: Settings, tmp_path: Path) -> None:
    invoke("backup", "backup.db", settings=seeded)
    good = (tmp_path / "backup.db").read_bytes()
    tamper(
        seeded["DATABASE_URL"],
        f"UPDATE credit_transactions SET actor = 'x' WHERE seq = 3 AND account_id = {OF_ACME}",
    )

    ended = invoke("backup", "backup.db", "--force", settings=seeded)

    assert ended.code == 1
    assert "entry 3: was changed" in ended.stderr
    assert "No backup was written" in ended.stderr
    assert (tmp_path / "backup.db").read_bytes() == good
    assert listed(tmp_path) == {"backup.db"}


def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    ended = invoke("backup", "backup.db", settings={"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})

    assert ended.code == 1
    assert "has no tables yet" in ended.stderr
    assert listed(tmp_path) == set()


def test_older_tables_are_backed_up_before_they_are_migrated(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/tallyhook.db"
    migrating.upgrade(address, "0001")
    asyncio.run(
        execute(
            address,
            "INSERT INTO customers (id, github_account_id, github_login, source, created_at) "
            "VALUES (1, 7, 'octocat', 'github_installation', 5)",
        )
    )

    ended = invoke("backup", "backup.db", "--json", settings=settings_for(address))

    assert json.loads(ended.stdout)["revision"] == "0001"
    assert migrating.status(address).current == "0001"
    assert asyncio.run(scalar(address_of(tmp_path / "backup.db"), "SELECT version_num FROM alembic_version")) == "0001"
    restored = f"sqlite:///{tmp_path}/restored.db"
    told = invoke("restore", "backup.db", settings=settings_for(restored))
    assert told.code == 0
    assert "It was at revision 0001 and was brought to" in told.stderr
    assert migrating.status(restored).is_current
    assert asyncio.run(scalar(restored, "SELECT github_login FROM customers")) == "octocat"


def test_older_tables_on_postgresql_want_their_own_version(postgres_url: str, tmp_path: Path) -> None:
    migrating.upgrade(postgres_url, "0001")

    ended = invoke("backup", "backup.db", settings=settings_for(postgres_url))

    assert ended.code == 1
    assert "Run `tallyhook migrate`." in ended.stderr
    assert listed(tmp_path) == set()


def test_newer_tables_want_a_newer_program(database_url: str, tmp_path: Path) -> None:
    asyncio.run(execute(database_url, "UPDATE alembic_version SET version_num = '9999'"))

    ended = invoke("backup", "backup.db", settings=settings_for(database_url))

    assert ended.code == 1
    assert "Run the version that made them." in ended.stderr
    assert listed(tmp_path) == set()


@pytest.mark.parametrize("arguments", [(), ("backup.db", "--to-url", "postgresql://u:secret-word@127.0.0.1:9/x")])
def test_it_takes_one_of_two(arguments: tuple[str, ...]) -> None:
    ended = invoke("backup", *arguments, settings={"DATABASE_URL": "sqlite:///none.db"})

    assert ended.code == 2
    assert "either FILE or --to-url" in ended.stderr


def test_seeding_twice_makes_different_backups_alike(seeded_sqlite: Settings, postgresql_url: str) -> None:
    """The engine that a database lives on doesn't show in its backup."""
    asyncio.run(seed(postgresql_url))

    here = json.loads(invoke("backup", "here.db", "--json", settings=seeded_sqlite).stdout)
    there = json.loads(invoke("backup", "there.db", "--json", settings=settings_for(postgresql_url)).stdout)

    assert here["rows"] == there["rows"]
