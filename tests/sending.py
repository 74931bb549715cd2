"""Watching what goes to the database: what SQLAlchemy sends, and what the writer's transactions send themselves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from storage.transactions import Transaction

OnStatement = Callable[[Connection, str, Callable[[str], object]], None]
"""Gets the connection, the statement, and what executes another one before it. If it fails, nothing is sent."""


@contextmanager
def watched_sending(on_statement: OnStatement) -> Iterator[None]:
    """Have this called before each statement of any engine of this process."""
    send = Transaction._send  # noqa: SLF001 -- only here, for all tests that want to watch it

    def told_by_transaction(self: Transaction, text: str, values: Sequence[Any], *, is_many: bool = False) -> Any:
        on_statement(self._connection, text, lambda other: send(self, other, ()))
        return send(self, text, values, is_many=is_many)

    def told_by_engine(connection: Connection, cursor: Any, text: str, *_: object) -> None:
        on_statement(connection, text, cursor.execute)

    event.listen(Engine, "before_cursor_execute", told_by_engine)
    Transaction._send = told_by_transaction  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        Transaction._send = send  # type: ignore[method-assign]  # noqa: SLF001
        event.remove(Engine, "before_cursor_execute", told_by_engine)
