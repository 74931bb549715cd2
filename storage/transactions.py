"""One database transaction, as the storage's functions see it: synchronous, the same on both engines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Executable, func, select
from sqlalchemy.exc import DBAPIError

from storage.prepared import Prepared, PreparedTogether, prepared, prepared_together
from storage.results import UNCOUNTED, Result
from storage.statements import BATCH, register

CHANNEL: Final = "tallyhook_work"
"""Where PostgreSQL tells other processes that there is work."""

NOTIFY = register("transactions.notify", select(func.pg_notify(CHANNEL, "")), engines=("postgresql",))


class Transaction:
    """A transaction under way. What it holds is committed or rolled back by whoever began it.

    Statements go straight to the driver's cursor (docs/decisions/0081-the-writer-speaks-to-the-driver.md).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection: Final = connection
        self.is_sqlite: Final = connection.dialect.name == "sqlite"
        driver: Any = connection.connection.dbapi_connection
        self._driver = driver
        self._cursor = driver.cursor()
        self._after_commit: list[Callable[[], None]] = []
        self._is_announced = False

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Result:
        """Execute a registered statement, for one row of parameters or for many.

        For many it is one executemany; a statement that returns rows writes a batch of them at once instead, and
        returns what all batches wrote.
        """
        dialect = self._connection.dialect
        if isinstance(parameters, Sequence):
            many = prepared(statement, dialect, parameters[0], is_many=True)
            if not many.returns_rows:
                self._send(many.text, many.rows(parameters), is_many=True)
                # What SQLite counts then, PostgreSQL doesn't.
                return Result((), UNCOUNTED)
            found: list[Any] = []
            for start in range(0, len(parameters), BATCH):
                rows = parameters[start : start + BATCH]
                together = prepared_together(statement, dialect, rows)
                found += self._found(together, self._send(together.text, together.values(rows)))
            return Result(found, len(found))
        parameters = parameters or {}
        one = prepared(statement, dialect, parameters)
        return self._found(one, self._send(one.text, one.values(parameters)))

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

    def _send(self, text: str, values: Sequence[Any], *, is_many: bool = False) -> Sequence[Sequence[Any]]:
        """Have the driver execute a statement, once or for many rows of values, and fetch all that it finds.

        Fetching is part of it: SQLite goes on with the statement for each row.

        Raises:
            DBAPIError: It failed; as SQLAlchemy tells it, the values left out.
        """
        cursor = self._cursor
        try:
            if is_many:
                cursor.executemany(text, values)
                return ()
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else ()
        except self._driver_errors as error:
            raise self._as_told(error, text) from error

    def _found(self, one: Prepared | PreparedTogether, rows: Sequence[Sequence[Any]]) -> Result:
        cursor = self._cursor
        return Result(one.named(cursor.description, rows) if cursor.description else (), cursor.rowcount)

    @property
    def _driver_errors(self) -> type[Exception]:
        return self._connection.dialect.loaded_dbapi.Error

    def _as_told(self, error: Any, text: str) -> Exception:  # noqa: ANN401 - two drivers' errors
        """The driver's error as SQLAlchemy raises it, and the connection given up if it is lost."""
        dialect = self._connection.dialect
        is_lost = dialect.is_disconnect(error, self._driver, self._cursor)
        if is_lost:
            self._connection.invalidate(error)
        told: Exception = DBAPIError.instance(
            text,
            None,
            error,
            self._driver_errors,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=dialect,
        )
        return told
