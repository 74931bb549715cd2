"""What holds for every test of the storage."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, TextClause, event
from sqlalchemy.sql.elements import ClauseElement

from storage.statements import REGISTRY


@pytest.fixture(autouse=True)
def only_registered_statements(request: pytest.FixtureRequest) -> Iterator[None]:
    """No statement is executed that isn't in the registry, where the test of plans would miss it."""
    if "database" not in request.fixturenames:
        yield
        return
    # Migrations execute others, before the test begins.
    request.getfixturevalue("database_url")
    registered = {id(each.statement) for each in REGISTRY.values()}
    strangers: list[str] = []

    def look(_connection: Connection, statement: ClauseElement, *_: object) -> None:
        is_ours = id(statement) in registered or isinstance(statement, TextClause)
        if not is_ours and "alembic_version" not in str(statement):
            strangers.append(str(statement))

    event.listen(Engine, "before_execute", look)
    yield
    event.remove(Engine, "before_execute", look)
    assert strangers == []
