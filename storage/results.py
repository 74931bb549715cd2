"""What a statement of the writer came to."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

UNCOUNTED: Final = -1
"""Stands for how many rows were changed where a statement was executed for many: the drivers don't agree on it."""


class Result:
    """Rows, all at once, with their columns as attributes; and how many rows were changed.

    A function that iterates, or asks for all, the first or one scalar, reads alike in the writer's transactions and on
    a reader's connection, whose rows are SQLAlchemy's. Those take ten times as long to look at
    (docs/decisions/0081-the-writer-speaks-to-the-driver.md).
    """

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """All rows."""
        return self._rows

    def first(self) -> Any | None:  # noqa: ANN401 - a row has the columns that its statement names
        """The first row; None if there is none."""
        return self._rows[0] if self._rows else None

    def scalars(self) -> Sequence[Any]:
        """What stands in the first column of each row."""
        return [row[0] for row in self._rows]

    def scalar(self) -> Any:  # noqa: ANN401 - whatever the column holds
        """What stands in the first column of the first row; None if there is no row."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:  # noqa: ANN401 - whatever the column holds
        """What stands in the first column of the only row."""
        ((one, *_),) = self._rows
        return one
