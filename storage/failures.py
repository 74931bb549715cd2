"""Telling apart what a database's failures mean: run it again at once, come back later, or a bug."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from billing.errors import TemporaryFailureError

CONTENTION: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the transaction lost against another one, whatever it did."""

TAKEN: Final = "23505"
"""A unique key that is there already. Where it wasn't a moment ago, a second look decides anew."""

AWAY: Final = ("08", "25006", "28", "3D", "53", "57", "58")
"""Beginnings of SQLSTATEs that are about the server and not about our statement: connection, read-only after a
failover, authorization, no such database, resources, operator's intervention, system."""

SQLITE_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
    }
)
"""The file can't be reached or written just now."""

PRIMARY_CODE: Final = 0xFF
"""The part of a SQLite error code that names its kind; the rest is detail."""


def is_conflict(error: Exception) -> bool:
    """Whether the transaction may have lost against another one, so that it is worth running again at once."""
    return is_contended(error) or (isinstance(error, DBAPIError) and _sqlstate(error) == TAKEN)


def is_contended(error: Exception) -> bool:
    """Whether the transaction lost against another one."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in CONTENTION


def is_away(error: Exception) -> bool:
    """Whether the database can't be used right now, whatever is asked of it."""
    if not isinstance(error, DBAPIError):
        # The drivers let these through while they connect, and when a command takes too long.
        return isinstance(error, OSError | PoolTimeoutError)
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in SQLITE_AWAY
    sqlstate = _sqlstate(error)
    return error.connection_invalidated or sqlstate is None or sqlstate.startswith(AWAY)


def as_temporary(error: Exception) -> TemporaryFailureError:
    """The failure as the rest of the program knows it. The driver's text stays out: it may hold what we sent."""
    detail = type(error).__name__
    if isinstance(error, DBAPIError):
        detail = _sqlstate(error) or type(error.orig).__name__
        if isinstance(error.orig, sqlite3.Error):
            detail = str(error.orig)
    return TemporaryFailureError(f"the database is away: {detail}")


def _sqlstate(error: DBAPIError) -> str | None:
    sqlstate: str | None = getattr(error.orig, "sqlstate", None)
    return sqlstate


def _sqlite_code(error: sqlite3.Error) -> int:
    # Errors of the module itself, such as a wrong number of parameters, carry none.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    return code & PRIMARY_CODE
