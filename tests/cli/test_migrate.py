"""`migrate`: forward, back and where it stands, and databases that can't be reached, on both engines."""

import json
from pathlib import Path

import pytest

from tests.cli.running import invoke


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables; the SQLite file isn't even there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/var/new.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


def test_forward_status_and_back(empty_url: str) -> None:
    settings = {"DATABASE_URL": empty_url}

    before = invoke("migrate", "--status", "--json", settings=settings)
    forward = invoke("migrate", "--json", settings=settings)
    again = invoke("migrate", settings=settings)
    status = invoke("migrate", "--status", settings=settings)
    unattended = invoke("migrate", "--down", "base", settings=settings)
    back = invoke("migrate", "--down", "base", "--yes", "--json", settings=settings)
    after = invoke("customers", "list", settings=settings)

    assert before.code == 1
    assert json.loads(before.stdout) | {"head": ""} == {
        "current": None,
        "head": "",
        "is_current": False,
        "is_newer": False,
    }
    head = json.loads(before.stdout)["head"]
    assert (forward.code, json.loads(forward.stdout)["current"]) == (0, head)
    assert (again.code, again.stdout) == (0, f"revision {head}; this version needs {head}\n")
    assert "up to date" in again.stderr
    assert status.code == 0
    assert unattended.code == 2
    assert "--yes" in unattended.stderr
    assert (back.code, json.loads(back.stdout)["current"]) == (0, None)
    assert after.code == 1
    assert "Run `tallyhook migrate`." in after.stderr


def test_status_makes_no_file(tmp_path: Path) -> None:
    invoke("migrate", "--status", settings={"DATABASE_URL": "sqlite:///var/none.db"})

    assert list(tmp_path.iterdir()) == []


def test_an_unknown_revision_is_told(sqlite_url: str) -> None:
    ended = invoke("migrate", "--down", "nonsense", "--yes", settings={"DATABASE_URL": sqlite_url})

    assert ended.code == 1
    assert "nonsense" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_two_ways_at_once_are_refused(sqlite_url: str) -> None:
    ended = invoke("migrate", "--down", "base", "--status", settings={"DATABASE_URL": sqlite_url})

    assert ended.code == 2


@pytest.mark.parametrize("arguments", [("migrate",), ("migrate", "--status"), ("customers", "list"), ("verify",)])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:a-secret-word@127.0.0.1:9/none",
        "sqlite:////proc/nowhere/tallyhook.db",
        "sqlite:////dev/null/tallyhook.db",
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(url: str, arguments: tuple[str, ...]) -> None:
    ended = invoke(*arguments, settings={"DATABASE_URL": url})

    assert ended.code == 1
    assert len(ended.stderr.splitlines()) == 2 or arguments == ("migrate", "--status")
    assert "a-secret-word" not in ended.stderr + ended.stdout


def test_a_database_that_does_not_exist_is_told(postgres_url: str) -> None:
    ended = invoke("customers", "list", settings={"DATABASE_URL": f"{postgres_url}_absent"})

    assert ended.code == 1
    assert "does not exist" in ended.stderr
    assert "Check DATABASE_URL" in ended.stderr


def test_an_address_of_no_database_is_told() -> None:
    ended = invoke("customers", "list", settings={"DATABASE_URL": "mysql://host/name"})

    assert ended.code == 1
    assert "DATABASE_URL must begin with" in ended.stderr
