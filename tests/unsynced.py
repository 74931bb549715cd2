"""SQLite files that reach the disk when they do, for tests of which none is about a machine that loses its power.

The program waits for the disk at each commit. A test of what it decides waits for nothing but that, thousands of
times; what one connection wrote, the others see all the same, also after the program was ended in the midst of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool

_DONE = "unsynced"


@contextmanager
def unsynced() -> Iterator[None]:
    """Have no SQLite engine of this process wait for the disk that lends a connection meanwhile."""
    event.listen(Pool, "checkout", _stop_syncing)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", _stop_syncing)


def _stop_syncing(connection: object, entry: ConnectionPoolEntry, _lent: object) -> None:
    # When it is lent, and not when it is made: by then the engine has set it up in its own way. Only the writer has
    # such a connection; readers have asynchronous ones.
    if isinstance(connection, sqlite3.Connection) and _DONE not in entry.info:
        connection.execute("PRAGMA synchronous = OFF")
        entry.info[_DONE] = True
