"""What the tables are built from: names of constraints, and the few kinds of columns.

Times are whole milliseconds since 1970 in UTC, 0 where there is none; amounts are whole credits. No column that is
sorted by can be NULL, because the engines order NULL differently.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, MetaData, Text, text

from billing.values import from_milliseconds, to_milliseconds

Values = dict[str, Any]
"""A row to be written, by column."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite gives out ascending numbers by itself only in a column that it knows as INTEGER."""


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """A check that a text column holds one of these words."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def number(name: str, *, default: int | None = 0) -> Column[int]:
    """A column of whole numbers: an amount, a count, a time, or an id without a table."""
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else text(str(default)))


def words(name: str, *, default: str | None = "") -> Column[str]:
    """A column of text."""
    return Column(name, Text, nullable=False, server_default=None if default is None else text(f"'{default}'"))


def optional_moment(milliseconds: int) -> datetime | None:
    """The moment in a column of times; 0 stands for none."""
    return from_milliseconds(milliseconds) if milliseconds else None


def optional_milliseconds(moment: datetime | None) -> int:
    """The moment as a column of times keeps it."""
    return 0 if moment is None else to_milliseconds(moment)
