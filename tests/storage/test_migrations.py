"""The tables as the migrations leave them: those of the program, guarded, and gone without a trace on the way back."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from storage import migrating
from storage.columns import metadata
from storage.engines import parse_url, postgres_writer, sqlite_writer
from storage.errors import DatabaseInUseError, SchemaOutdatedError, UnsupportedDatabaseError
from storage.file_lock import FileLock
from storage.migrations.comparison import comparison
from tests.storage.raw import engine_of, execute

GUARDED = (
    *("charges", "credit_accounts", "credit_grants", "credit_holds", "credit_moves", "credit_transactions"),
    *("hold_shares", "ledger_checkpoints", "ledger_heads", "refusals"),
)
TRIGGERS = {
    engine: sorted(
        [
            *("credit_transactions_no_gap", "refusals_no_second"),
            *(f"{table}_no_{change}" for table in GUARDED for change in changes),
        ]
    )
    for engine, changes in (
        ("sqlite", ("update", "delete", "replace")),
        ("postgresql", ("update", "delete", "truncate")),
    )
}
LIST_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O' ORDER BY tgname",
}
LIST_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    "postgresql": (
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace ORDER BY 1"
    ),
}


def run(url: str, work: Callable[[Connection], object]) -> object:
    """Run `work` on a connection of its own."""
    parsed = parse_url(url)
    if url.startswith("sqlite"):
        engine = sqlite_writer(parsed)
        with engine.begin() as connection:
            result = work(connection)
        engine.dispose()
        return result

    async def on_postgres() -> object:
        engine = postgres_writer(parsed)
        async with engine.begin() as connection:
            result = await connection.run_sync(work)
        await engine.dispose()
        return result

    return asyncio.run(on_postgres())


def listed(url: str, queries: dict[str, str]) -> list[str]:
    rows = asyncio.run(execute(url, queries[engine_of(url)]))
    return [str(row[0]) for row in rows]


def test_every_revision_goes_up_and_down_and_up_again_and_guards_the_journal(empty_url: str) -> None:
    expected = TRIGGERS[engine_of(empty_url)]

    assert migrating.status(empty_url).current is None
    assert migrating.upgrade(empty_url).is_current
    assert listed(empty_url, LIST_TRIGGERS) == expected
    tables = listed(empty_url, LIST_TABLES)
    assert not migrating.downgrade(empty_url, "base").is_current
    assert listed(empty_url, LIST_TRIGGERS) == []
    assert listed(empty_url, LIST_TABLES) == ["alembic_version"]
    assert migrating.upgrade(empty_url).is_current
    assert listed(empty_url, LIST_TRIGGERS) == expected
    assert listed(empty_url, LIST_TABLES) == tables


def test_what_a_database_holds_outlives_the_way_up_and_down(empty_url: str) -> None:
    """Revision 0002 puts a column into a table that has rows."""
    migrating.upgrade(empty_url, "0001")
    asyncio.run(
        execute(
            empty_url,
            "INSERT INTO customers (id, github_account_id, github_login, source, created_at) "
            "VALUES (1, 7, 'octocat', 'github_installation', 5)",
            "INSERT INTO credit_accounts (id, customer_id, unit, next_expiry, head) VALUES (2, 1, 'credit', 9, 'head')",
        )
    )
    show = "SELECT github_login, shows_figures FROM customers JOIN credit_accounts ON customer_id = customers.id"

    migrating.upgrade(empty_url)
    assert [tuple(row) for row in asyncio.run(execute(empty_url, show))] == [("octocat", False)]
    asyncio.run(execute(empty_url, "UPDATE customers SET shows_figures = true"))
    migrating.downgrade(empty_url, "0001")
    migrating.upgrade(empty_url)
    assert [tuple(row) for row in asyncio.run(execute(empty_url, show))] == [("octocat", False)]


# SQLite can't be asked for the index on lower(github_login); it is compared on PostgreSQL.
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index:UserWarning")
# SQLAlchemy stumbles over constraints that hold for new rows only.
@pytest.mark.filterwarnings("ignore:Can't validate argument 'dialect_options':sqlalchemy.exc.SAWarning")
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index:sqlalchemy.exc.SAWarning")
def test_the_migrated_tables_are_those_of_the_program(database_url: str) -> None:
    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts=comparison(connection.dialect.name))
        return compare_metadata(context, metadata)

    assert run(database_url, differences) == []


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    with pytest.raises(Exception, match="0099"):
        migrating.upgrade(empty_url, "0099")
    asyncio.run(execute(empty_url, "CREATE TABLE alarms (in_the_way INTEGER)"))

    with pytest.raises(Exception, match="alarms"):
        migrating.upgrade(empty_url)

    assert migrating.status(empty_url).current is None
    assert [name for name in listed(empty_url, LIST_TABLES) if name != "alembic_version"] == ["alarms"]


def test_a_database_of_another_version_is_refused_with_the_way_out(database_url: str) -> None:
    migrating.status(database_url).require_current()
    asyncio.run(execute(database_url, "UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaOutdatedError, match="run the version that made them"):
        migrating.status(database_url).require_current()


def test_a_database_without_tables_names_the_command(empty_url: str) -> None:
    with pytest.raises(SchemaOutdatedError, match="tallyhook migrate"):
        migrating.status(empty_url).require_current()


def test_asking_for_the_status_makes_no_file(tmp_path: Path) -> None:
    migrating.status(f"sqlite:///{tmp_path}/none.db")

    assert list(tmp_path.iterdir()) == []


def test_a_served_file_is_not_migrated(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "served.db")
    lock.acquire()

    with pytest.raises(DatabaseInUseError, match="stop that one first"):
        migrating.upgrade(f"sqlite:///{tmp_path}/served.db")

    lock.release()
    assert migrating.upgrade(f"sqlite:///{tmp_path}/served.db").is_current


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "mysql://user:hunter2@host/name"],
)
def test_other_addresses_are_refused_without_telling_them(address: str) -> None:
    with pytest.raises(UnsupportedDatabaseError) as refusal:
        parse_url(address)

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_name_of_postgresql_means_our_driver(kind: str) -> None:
    url = parse_url(f"{kind}://user:secret@db.example/name")

    assert url.render_as_string(hide_password=False) == "postgresql+asyncpg://user:secret@db.example/name"
