"""What holds for every test of the storage."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, TextClause, event
from sqlalchemy.sql.elements import ClauseElement

from storage.results import Result
from storage.statements import REGISTRY
from storage.transactions import Transaction
from tests.database import TEMPLATE
from tests.postgres import Postgres
from tests.storage.raw import engine_of


@pytest.fixture(autouse=True)
def only_registered_statements(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No statement is executed that isn't in the registry, where the test of plans would miss it."""
    if "database" not in request.fixturenames:
        yield
        return
    # Migrations execute others, before the test begins.
    request.getfixturevalue("database_url")
    registered = {id(each.statement) for each in REGISTRY.values()}
    strangers: list[str] = []

    def look(_connection: object, statement: ClauseElement, *_: object) -> None:
        is_ours = id(statement) in registered or isinstance(statement, TextClause)
        if not is_ours and "alembic_version" not in str(statement):
            strangers.append(str(statement))

    def look_and_execute(self: Transaction, statement: ClauseElement, parameters: Any = None) -> Result:
        look(None, statement)
        return execute(self, statement, parameters)

    execute: Callable[..., Result] = Transaction.execute
    monkeypatch.setattr(Transaction, "execute", look_and_execute)
    event.listen(Engine, "before_execute", look)
    yield
    event.remove(Engine, "before_execute", look)
    assert strangers == []


@pytest.fixture
def twin_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of another database of the same engine."""
    if engine_of(database_url) == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "twin.db")
        yield f"sqlite:///{tmp_path}/twin.db"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = server.create_database(template=TEMPLATE)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
