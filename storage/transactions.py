"""One database transaction, as the storage's functions see it: synchronous, the same on both engines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Executable, func, select

from storage.prepared import prepared
from storage.statements import register

CHANNEL: Final = "tallyhook_work"
"""Where PostgreSQL tells other processes that there is work."""

NOTIFY = register("transactions.notify", select(func.pg_notify(CHANNEL, "")), engines=("postgresql",))


class Transaction:
    """A transaction under way. What it holds is committed or rolled back by whoever began it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._after_commit: list[Callable[[], None]] = []
        self._is_announced = False
        self.is_sqlite = connection.dialect.name == "sqlite"

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Execute a registered statement; with a list of parameters, as one executemany."""
        if isinstance(parameters, Sequence):
            one = prepared(statement, self._connection.dialect, parameters[0], is_many=True)
            if one.returns_rows:
                # No driver returns rows of an executemany: SQLAlchemy makes one statement of them.
                return self._connection.execute(statement, parameters)
            return self._connection.exec_driver_sql(one.text, one.rows(parameters))
        parameters = parameters or {}
        one = prepared(statement, self._connection.dialect, parameters)
        return self._connection.exec_driver_sql(one.text, one.values(parameters))

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have something done once the transaction is durable, and not at all if it is rolled back."""
        self._after_commit.append(callback)

    def announce_work(self) -> None:
        """Have other processes woken at the commit. On SQLite they see the file change."""
        if not self.is_sqlite and not self._is_announced:
            self.execute(NOTIFY)
        self._is_announced = True

    def committed(self) -> None:
        """Tell whoever wanted to know of the commit."""
        for callback in self._after_commit:
            callback()
