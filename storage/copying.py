"""Every row from one database to another, whichever engines the two are, and the proof that all of them arrived.

The tables are taken from the metadata, parents first, so that a new table is copied without being named here. Rows go
in by the order of their primary key: an account's entries come in the order in which they were booked, which the
journal's triggers demand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Table,
    bindparam,
    column,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy import table as named_table
from sqlalchemy.exc import DBAPIError

from billing.errors import BillingError
from storage.columns import metadata
from storage.failures import is_away
from storage.tables import IDS, OBSERVATIONS

BATCH_ROWS: Final = 1000
"""Rows that are in memory at once, and that go to the database in one call."""

OF_ONE_ENGINE: Final = frozenset({"sequences"})
"""Tables that PostgreSQL has something else for; what they hold is carried over by `_copy_numbers`."""

SERIES: Final[Sequence[str]] = (IDS.name, OBSERVATIONS.name)
"""Numbers that are given out once: sequences on PostgreSQL, rows of a table on SQLite."""

DIGEST_BITS: Final = 256

Progress = Callable[[str, int], None]
"""Gets a table's name and how many of its rows are done, now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a table holds: the number of its rows, and a digest of them all that doesn't depend on their order."""

    rows: int
    digest: str


class RowsNotCopiedError(BillingError):
    """A row can't be written where it should go, such as text with a zero character on PostgreSQL."""

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f"a row of {table} can't be copied: {reason}; nothing was kept of the copy. Correct that row, and try again"
        )
        self.table = table
        self.reason = reason


class ContentDiffersError(BillingError):
    """A bug, or a database that doesn't keep what it is given: the copy isn't like its original."""

    def __init__(self, table: str) -> None:
        super().__init__(f"the copy of {table} isn't like its original; nothing was kept of the copy. Try again")
        self.table = table


def shared_tables() -> Sequence[Table]:
    """The tables that both engines have, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in OF_ONE_ENGINE]


def filled_tables(connection: Connection) -> Sequence[str]:
    """The tables that have rows. A table that isn't there has none."""
    there = set(inspect(connection).get_table_names())
    return [
        table.name
        for table in shared_tables()
        if table.name in there
        and connection.execute(select(text("1")).select_from(named_table(table.name)).limit(1)).first()
    ]


def contents(
    connection: Connection, on_progress: Progress, *, leaving_out: Iterable[str] = ()
) -> Mapping[str, Content]:
    """What each table of the database holds, by its name, whatever revision the tables are of."""
    inspector = inspect(connection)
    found = {}
    for name in sorted(set(inspector.get_table_names()) - set(leaving_out)):
        columns = sorted(str(each["name"]) for each in inspector.get_columns(name))
        found[name] = _content(connection, name, columns, on_progress)
    return found


def require_like(original: Mapping[str, Content], copy: Mapping[str, Content]) -> None:
    """Hold a copy against its original.

    Raises:
        ContentDiffersError: A table has other rows, or is missing on one side.
    """
    for name in sorted((original.keys() | copy.keys()) - OF_ONE_ENGINE):
        if original.get(name) != copy.get(name):
            raise ContentDiffersError(name)


def copy_tables(source: Connection, target: Connection, on_progress: Progress) -> Mapping[str, Content]:
    """Copy everything into empty tables of the same revision, and hold both against each other; what was copied.

    Nothing is committed here: both transactions are the caller's.

    Raises:
        ContentDiffersError: The target doesn't hold what the source does.
        RowsNotCopiedError: The target refuses a row.
    """
    for table in shared_tables():
        _copy_table(source, target, table, on_progress)
    _copy_numbers(source, target)
    original = contents(source, on_progress)
    require_like(original, contents(target, on_progress))
    return {name: original[name] for name in original if name not in OF_ONE_ENGINE}


def lock_tables(connection: Connection) -> None:
    """Keep everybody else from writing until the transaction ends. On SQLite the transaction itself does."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in shared_tables())
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _content(connection: Connection, name: str, columns: Sequence[str], on_progress: Progress) -> Content:
    """Add up the digests of all rows: the engines sort text differently, so the order mustn't count."""
    statement: Executable = select(*(column(each) for each in columns)).select_from(named_table(name))
    rows = total = 0
    for batch in _batches(connection, statement):
        for row in batch:
            # A boolean is a number on SQLite. `ascii` tells text, bytes, numbers and None apart, in every Python alike.
            encoded = ascii([+value if isinstance(value, bool) else value for value in row]).encode()
            total += int.from_bytes(sha256(encoded).digest(), "big")
        rows += len(batch)
        on_progress(name, rows)
    return Content(rows=rows, digest=f"{total % 2**DIGEST_BITS:0{DIGEST_BITS // 4}x}")


def _batches(connection: Connection, statement: Executable) -> Iterator[Sequence[Any]]:
    """Return a query's rows a batch at a time; neither driver holds more of them."""
    result = connection.execute(statement, execution_options={"yield_per": BATCH_ROWS})
    yield from result.partitions()


def _copy_table(source: Connection, target: Connection, table: Table, on_progress: Progress) -> None:
    statement = _insertion(table, target.dialect)
    names = [each.name for each in table.columns]
    rows = 0
    for batch in _batches(source, select(table).order_by(*table.primary_key.columns)):
        try:
            target.execute(statement, [dict(zip(names, row, strict=True)) for row in batch])
        except DBAPIError as error:
            if is_away(error):
                raise
            raise RowsNotCopiedError(table.name, " ".join(str(error.orig).split())) from error
        rows += len(batch)
        on_progress(table.name, rows)


def _insertion(table: Table, dialect: Dialect) -> Executable:
    """Return what writes a row whole, its id included, which PostgreSQL gives out itself unless told otherwise."""
    if dialect.name != "postgresql":
        return insert(table)
    quote = dialect.identifier_preparer.quote
    columns = ", ".join(quote(each.name) for each in table.columns)
    values = ", ".join(f":{each.name}" for each in table.columns)
    return text(
        f"INSERT INTO {quote(table.name)} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})"  # noqa: S608 - names of ours
    ).bindparams(*(bindparam(each.name, type_=each.type) for each in table.columns))


def _copy_numbers(source: Connection, target: Connection) -> None:
    """Have the target go on counting where the source stopped, so that no number is given out a second time."""
    for name in SERIES:
        _continue_series(target, name, _last_of_series(source, name))
    if target.dialect.name == "postgresql":
        for table in shared_tables():
            for each in table.columns:
                if each.identity is not None:
                    _continue_identity(target, table, each.name)


def _last_of_series(connection: Connection, name: str) -> int:
    if connection.dialect.name == "sqlite":
        statement = text("SELECT value FROM sequences WHERE name = :name")
        return int(connection.execute(statement, {"name": name}).scalar_one())
    # Seen from outside the snapshot, as sequences are: never less than what the snapshot's rows were given.
    row = connection.execute(text(f"SELECT last_value, is_called FROM {name}")).one()  # noqa: S608 - a name of ours
    return int(row.last_value) if row.is_called else 0


def _continue_series(connection: Connection, name: str, last: int) -> None:
    if connection.dialect.name == "sqlite":
        statement = text("UPDATE sequences SET value = :last WHERE name = :name")
        connection.execute(statement, {"last": last, "name": name})
    elif last:
        connection.execute(select(func.setval(name, last)))


def _continue_identity(connection: Connection, table: Table, name: str) -> None:
    highest = connection.execute(select(func.max(table.c[name]))).scalar_one()
    if highest is not None:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, name), highest)))
