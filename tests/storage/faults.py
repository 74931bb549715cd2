"""Failures put before a chosen statement, or at the commit, of the real engine; and what reaches the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import QueuePool

from tests.sending import watched_sending

READ_ONLY = ("PRAGMA", "EXPLAIN")


class InjectedError(Exception):
    """What a test lets happen."""


@dataclass
class Traffic:
    """What the writer has sent, transaction by transaction; and what is to fail."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0
    fail_at: int | None = None
    fail_at_commit: int | None = None

    def on_statement(self, connection: Connection, sql: str, _execute: object) -> None:
        if not is_writer(connection) or sql.startswith(READ_ONLY):
            return
        self.statements.append(sql)
        if len(self.statements) == self.fail_at:
            raise InjectedError(f"before statement {self.fail_at}: {sql[:60]}")

    def on_commit(self, connection: Connection) -> None:
        if not is_writer(connection):
            return
        self.commits += 1
        if self.commits == self.fail_at_commit:
            raise InjectedError(f"at commit {self.commits}")


def is_writer(connection: Connection) -> bool:
    """Whether this is the writer's connection; readers have another engine."""
    pool = connection.engine.pool
    return connection.dialect.driver == "pysqlite" or (isinstance(pool, QueuePool) and pool.size() == 1)


@contextmanager
def watched(traffic: Traffic) -> Iterator[Traffic]:
    """Watch what every writer of this process sends."""
    event.listen(Engine, "commit", traffic.on_commit)
    try:
        with watched_sending(traffic.on_statement):
            yield traffic
    finally:
        event.remove(Engine, "commit", traffic.on_commit)
