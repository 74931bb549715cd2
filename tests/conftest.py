"""What every test may ask for: a real PostgreSQL, a real browser, and property tests that repeat.

The databases that hold the product's tables are made in `tests/database.py`; here are the empty ones.
"""

import os
import shutil
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.async_api import Page, async_playwright
from xdist.workermanage import WorkerController

from tests.log_state import log_state_kept
from tests.postgres import Postgres, SharedPostgres, durable_server, new_directory

pytest_plugins = ["tests.database"]

SHARED_POSTGRES = pytest.StashKey[SharedPostgres]()

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium refuses to run its own sandbox as root; the rest keeps it from calling home."""

# A property test takes the time it takes. What CI tries is the same on every run, what a contributor tries is new;
# `--hypothesis-profile=thorough` tries twenty times as much.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile("ci" if os.environ.get("CI") else "local")


class QuietWeakKeys(weakref.WeakKeyDictionary[Any, Any]):
    """Forgets its dead keys without running a line of Python.

    While lines are traced, CPython 3.11 never gets past the first line of a call that it makes for a dead thread if
    another thread dies meanwhile. The tracer keeps such a dictionary for each thread, whose greenlet is its key.
    """

    def __init__(self) -> None:
        super().__init__()
        vars(self)["_remove"] = self.data.__delitem__  # type: ignore[attr-defined]


if sys.gettrace() is not None and sys.version_info < (3, 12):
    weakref.WeakKeyDictionary = QuietWeakKeys  # type: ignore[misc, assignment]


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a place for its one PostgreSQL server, which starts when the first test asks for it."""
    told: dict[str, str] | None = getattr(config, "workerinput", None)
    if told is None:
        config.stash[SHARED_POSTGRES] = SharedPostgres(directory=new_directory(), owner_pid=os.getpid())
    else:
        config.stash[SHARED_POSTGRES] = SharedPostgres(
            directory=Path(told["postgres_directory"]), owner_pid=int(told["postgres_owner_pid"])
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell an xdist worker where the session's server is."""
    shared = node.config.stash[SHARED_POSTGRES]
    node.workerinput["postgres_directory"] = str(shared.directory)
    node.workerinput["postgres_owner_pid"] = str(shared.owner_pid)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, however the session ended; only the process that owns it does."""
    shared = config.stash.get(SHARED_POSTGRES, None)
    if shared is not None and shared.owner_pid == os.getpid():
        shared.close()


@pytest.fixture(autouse=True)
def _log_state_kept() -> Iterator[None]:
    """What a test sets up for logging, or the program that it runs, no other test sees."""
    with log_state_kept():
        yield


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Postgres:
    """The session's PostgreSQL server, shared by all workers. It is fast and forgets on a crash."""
    return pytestconfig.stash[SHARED_POSTGRES].server()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of a fresh, empty database, `postgresql+asyncpg://…`; it is dropped after the test."""
    database = postgres_server.create_database()
    yield postgres_server.url(database)
    postgres_server.drop_database(database)


@pytest.fixture
def durable_postgres() -> Iterator[Postgres]:
    """A server of the test's own that flushes to the disk: for tests that `kill` and `relaunch` it."""
    with durable_server() as server:
        yield server


@pytest.fixture
def durable_postgres_url(durable_postgres: Postgres) -> str:
    """The address of a fresh, empty database that survives a crash of its server."""
    return durable_postgres.url(durable_postgres.create_database())


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser that tests drive, found on the PATH.

    Without one they fail, unless `TALLYHOOK_NO_BROWSER=1` says to leave them out.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    if os.environ.get("TALLYHOOK_NO_BROWSER") == "1":
        pytest.skip("TALLYHOOK_NO_BROWSER=1: tests that need a browser are left out")
    pytest.fail(
        "no browser found: install one (Debian: apt-get install chromium), "
        "or set TALLYHOOK_NO_BROWSER=1 to leave its tests out"
    )


@pytest.fixture
async def browser_page(chromium_path: Path) -> AsyncIterator[Page]:
    """An empty page in a fresh browser that keeps nothing from the test before."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield await browser.new_page()
        await browser.close()
