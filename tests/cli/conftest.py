"""Databases with customers in them, and the program's settings that lead there."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.arch.tree import ROOT
from tests.cli.seeding import seed

Settings = Mapping[str, str]


def settings_for(url: str) -> Settings:
    """The settings of a command that needs the database and the plans only."""
    return {"DATABASE_URL": url, "PLANS_FILE": str(ROOT / "plans.toml")}


@pytest.fixture
def settings(database_url: str) -> Settings:
    """An empty database with the product's tables, on each engine."""
    return settings_for(database_url)


@pytest.fixture
def seeded(settings: Settings) -> Settings:
    """A database with two customers, on each engine."""
    asyncio.run(seed(settings["DATABASE_URL"]))
    return settings


@pytest.fixture
def seeded_sqlite(sqlite_url: str) -> Settings:
    """A SQLite file with two customers."""
    asyncio.run(seed(sqlite_url))
    return settings_for(sqlite_url)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a settings file that happens to lie in the source tree."""
    monkeypatch.chdir(tmp_path)
