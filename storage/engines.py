"""How the two databases are reached: addresses, connections and their settings."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.errors import UnsupportedDatabaseError

BUSY_SECONDS: Final = 15.0
"""How long a SQLite connection waits while another process writes."""

CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 30.0
"""No statement of ours takes long: one that takes longer than this has lost its server."""

READERS: Final = 4
"""Connections for reading, in one process."""


class _DriverConnection(Protocol):
    """The driver's connection, or SQLAlchemy's stand-in for an asynchronous one."""

    isolation_level: Literal["DEFERRED", "EXCLUSIVE", "IMMEDIATE"] | None

    def cursor(self) -> Any: ...  # noqa: ANN401 - two drivers' cursors


def parse_url(address: str) -> URL:
    """The address with the driver that this program uses.

    Raises:
        UnsupportedDatabaseError: It is no address, or one of another kind of database, or of one in memory.
    """
    try:
        url = make_url(address)
    except ArgumentError:
        raise UnsupportedDatabaseError("DATABASE_URL is no database address") from None
    match url.drivername.split("+")[0]:
        case "sqlite":
            if not url.database or url.database == ":memory:" or url.query:
                raise UnsupportedDatabaseError("a SQLite database must be a plain file")
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+asyncpg")
        case kind:
            raise UnsupportedDatabaseError(f"{kind} isn't supported")


def is_sqlite(url: URL) -> bool:
    """Whether the database is a SQLite file."""
    return url.drivername.startswith("sqlite")


def sqlite_path(url: URL) -> Path:
    """The file of a SQLite database."""
    assert url.database is not None
    return Path(url.database).absolute()


def sqlite_writer(url: URL) -> Engine:
    """A synchronous engine with one connection, whose every transaction begins as a writer.

    A transaction that began by reading could not become a writer once another process has written.
    """
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=1,
        max_overflow=0,
        # An error's text gets into the log; what it was about, a body or a name, must not.
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _set_up_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reader(url: URL) -> AsyncEngine:
    """An asynchronous engine for reading. Each transaction sees one state of the database."""
    if is_sqlite(url):
        engine = create_async_engine(
            url, pool_size=READERS, max_overflow=0, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
        )
        event.listen(engine.sync_engine, "do_connect", _make_private)
        event.listen(engine.sync_engine, "connect", _set_up_reader)
        event.listen(engine.sync_engine, "begin", _begin_deferred)
        return engine
    return create_async_engine(
        url,
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        connect_args=_postgres_arguments(),
    )


def postgres_writer(url: URL) -> AsyncEngine:
    """An engine with one connection, for the writer. READ COMMITTED: a statement sees what its locks waited for."""
    return create_async_engine(
        url, pool_size=1, max_overflow=0, hide_parameters=True, connect_args=_postgres_arguments()
    )


def _postgres_arguments() -> dict[str, object]:
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "server_settings": {"application_name": "tallyhook"},
    }


def _make_private(_dialect: object, _record: object, arguments: Sequence[Any], _parameters: object) -> None:
    """Let a new file be its owner's alone: it holds deliveries, names and notes. SQLite's files beside it follow it."""
    # What can't be made can't be opened either, and SQLite says so better.
    with suppress(OSError):
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL, 0o600))


def _set_pragmas(connection: _DriverConnection, pragmas: tuple[str, ...]) -> None:
    # The driver must not open transactions by itself: it would defer them.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_writer(connection: _DriverConnection, _record: object) -> None:
    _set_pragmas(
        connection,
        (
            # First, because switching a new file to WAL needs a lock that another process may hold just then.
            f"busy_timeout = {BUSY_SECONDS * 1000:.0f}",
            "journal_mode = WAL",
            # What was acknowledged survives a power cut; NORMAL would lose the last commits.
            "synchronous = FULL",
            "foreign_keys = ON",
            # Without this REPLACE deletes rows behind the triggers' back.
            "recursive_triggers = ON",
        ),
    )


def _set_up_reader(connection: _DriverConnection, _record: object) -> None:
    _set_pragmas(connection, (f"busy_timeout = {BUSY_SECONDS * 1000:.0f}", "query_only = ON"))


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
