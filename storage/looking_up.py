"""Looking up rows by a list of ids, of any length."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Executable, Row

from storage.statements import padded_batches
from storage.transactions import Transaction


def rows_of(
    source: Transaction | Connection, statement: Executable, ids: Iterable[int], **others: int
) -> list[Row[Any]]:
    """The rows that this statement finds for these ids, looked up in batches; `others` are its further parameters."""
    found: list[Row[Any]] = []
    for batch in padded_batches(ids):
        found += source.execute(statement, {"ids": batch, **others}).all()
    return found
