"""`backup --to-url`: from SQLite to PostgreSQL whole, and back, with the same rows and a product that goes on."""

import asyncio
import json
from pathlib import Path

import pytest

from sandbox.clock import VirtualClock
from storage.backups import address_of, holds_data
from storage.copying import shared_tables
from storage.database import Database
from storage.file_lock import FileLock
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import invoke
from tests.cli.seeding import ACME, Seeding, user
from tests.cli.test_verify import OF_ACME, tamper
from tests.storage.raw import dump, execute

NAMES = [table.name for table in shared_tables()]


def dumped(url: str) -> dict[str, list[tuple[object, ...]]]:
    return asyncio.run(dump(url, NAMES))


async def _go_on(url: str, count: int) -> None:
    """What a server does next: new customers, deliveries, grants and spends."""
    clock = VirtualClock()
    database = Database.connect(url, clock=clock)
    await database.open()
    seeding = Seeding(database, clock, count=count)
    await seeding.spend(ACME, 2)
    await seeding.install(user(9000 + count, f"new-{count}"), installation_id=9000 + count)
    await seeding.buy(user(9000 + count, f"new-{count}"))
    await seeding.spend(user(9000 + count, f"new-{count}"), 1)
    await database.close()


def go_on(url: str, count: int) -> None:
    asyncio.run(_go_on(url, count))
    assert invoke("verify", settings=settings_for(url)).code == 0


def test_there_and_back_with_work_in_between(seeded_sqlite: Settings, postgres_url: str, tmp_path: Path) -> None:
    sqlite_url = seeded_sqlite["DATABASE_URL"]
    there, back = settings_for(postgres_url), settings_for(address_of(tmp_path / "back.db"))
    before = dumped(sqlite_url)

    moved = invoke("backup", "--to-url", postgres_url, "--json", settings=seeded_sqlite)

    assert moved.code == 0, moved.stderr
    record = json.loads(moved.stdout)
    assert (record["accounts"], record["entries"]) == (2, 4)
    assert {name: record["rows"][name] for name in NAMES} == {name: len(rows) for name, rows in before.items()}
    assert "Set DATABASE_URL" in moved.stderr
    assert dumped(postgres_url) == before
    assert dumped(sqlite_url) == before

    go_on(postgres_url, 100)
    worked = dumped(postgres_url)
    assert worked != before
    assert invoke("backup", "moved.db", settings=there).code == 0
    assert invoke("restore", "moved.db", settings=back).code == 0
    assert dumped(back["DATABASE_URL"]) == worked

    go_on(back["DATABASE_URL"], 200)
    logins = asyncio.run(execute(back["DATABASE_URL"], "SELECT github_login FROM customers"))
    assert {login for (login,) in logins} == {"acme", "octocat", "new-100", "new-200"}


def test_a_key_is_remembered_on_the_other_engine(seeded_sqlite: Settings, postgres_url: str) -> None:
    grant = ("credits", "grant", "github:@acme", "3", "--reason", "x", "--key", "once", "--yes", "--json")
    first = json.loads(invoke(*grant, settings=seeded_sqlite).stdout)

    invoke("backup", "--to-url", postgres_url, settings=seeded_sqlite)
    again = json.loads(invoke(*grant, settings=settings_for(postgres_url)).stdout)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["entries"] == first["entries"]


def test_a_target_with_data_is_refused(seeded_sqlite: Settings, postgresql_url: str) -> None:
    assert invoke("backup", "--to-url", postgresql_url, settings=seeded_sqlite).code == 0
    before = dumped(postgresql_url)

    again = invoke("backup", "--to-url", postgresql_url, settings=seeded_sqlite)

    assert again.code == 1
    assert "The target holds data already, in " in again.stderr
    assert dumped(postgresql_url) == before


def test_a_broken_ledger_is_not_moved(seeded_sqlite: Settings, postgresql_url: str) -> None:
    tamper(
        seeded_sqlite["DATABASE_URL"],
        f"UPDATE credit_transactions SET actor = 'x' WHERE seq = 3 AND account_id = {OF_ACME}",
    )

    ended = invoke("backup", "--to-url", postgresql_url, settings=seeded_sqlite)

    assert ended.code == 1
    assert "entry 3: was changed" in ended.stderr
    assert "Nothing was moved." in ended.stderr
    assert holds_data(postgresql_url) == []


def test_a_served_database_is_not_moved(seeded_sqlite: Settings, postgresql_url: str, tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "tallyhook.db")
    lock.acquire()

    ended = invoke("backup", "--to-url", postgresql_url, settings=seeded_sqlite)

    lock.release()
    assert ended.code == 1
    assert "is in use by process" in ended.stderr
    assert holds_data(postgresql_url) == []


def test_other_directions_name_the_way(seeded: Settings, sqlite_url: str, postgresql_url: str) -> None:
    is_sqlite = seeded["DATABASE_URL"].startswith("sqlite")
    target = sqlite_url if is_sqlite else postgresql_url

    ended = invoke("backup", "--to-url", target, settings=seeded)

    assert ended.code == 2
    assert "`tallyhook restore FILE`" in ended.stderr


@pytest.mark.parametrize("target", ["mysql://u:secret-word@host/x", "postgresql://u:secret-word@127.0.0.1:9/x"])
def test_a_target_that_cannot_be_reached_is_told_without_its_password(seeded_sqlite: Settings, target: str) -> None:
    ended = invoke("backup", "--to-url", target, settings=seeded_sqlite)
    by_environment = invoke("backup", settings={**seeded_sqlite, "TO_DATABASE_URL": target})

    assert ended.code in {1, 2}
    assert (by_environment.code, by_environment.stderr) == (ended.code, ended.stderr)
    assert "--to-url" in ended.stderr
    assert "DATABASE_URL, and that" not in ended.stderr
    assert "secret-word" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
