"""Databases with the product's tables, on both engines: a template is migrated once and copied for each test."""

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from tests.postgres import Postgres, exclusively

TEMPLATE: Final = "tallyhook_template"
START: Final = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
"""When every test begins that has a frozen clock."""


@pytest.fixture(scope="session")
def sqlite_template(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody writes to, made once a session and shared by its workers."""
    directory = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        directory = directory.parent
    template = directory / "template.db"
    with exclusively(directory / "template.lock"):
        if not template.exists():
            fresh = directory / "fresh.db"
            migrating.upgrade(f"sqlite:///{fresh}")
            fresh.rename(template)
    return template


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a migrated SQLite file of the test's own."""
    path = tmp_path / "tallyhook.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


def _migrate(url: str) -> None:
    migrating.upgrade(url)


@pytest.fixture(scope="session")
def postgresql_template(postgres_server: Postgres) -> str:
    """The name of a migrated PostgreSQL database that nobody writes to, made once a session."""
    postgres_server.ensure_template(TEMPLATE, _migrate)
    return TEMPLATE


@pytest.fixture
def postgresql_url(postgres_server: Postgres, postgresql_template: str) -> Iterator[str]:
    """The address of a migrated PostgreSQL database of the test's own; it is dropped after the test."""
    database = postgres_server.create_database(template=postgresql_template)
    yield postgres_server.url(database)
    postgres_server.drop_database(database)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated database, once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands still between jumps."""
    return VirtualClock(START, frozen=True)


@pytest.fixture
async def database(database_url: str, clock: VirtualClock) -> AsyncIterator[Database]:
    """An open database, once on each engine, with the frozen clock."""
    opened = Database.connect(database_url, clock=clock)
    await opened.open()
    yield opened
    await opened.close()
