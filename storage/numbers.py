"""Numbers that are given out once: ids of customers and accounts, and the numbers of observations.

They come from the database, before anything is asked or written, so that two processes never draw the same and the
later one draws the higher (docs/decisions/0008-numbers-from-the-database.md).
"""

from typing import Final, Literal

from sqlalchemy import bindparam, func, select, update

from storage.statements import register
from storage.tables import IDS, OBSERVATIONS, sequences
from storage.transactions import Transaction

Series = Literal["ids", "observations"]

DRAW_ON_SQLITE = register(
    "numbers.draw",
    update(sequences)
    .where(sequences.c.name == bindparam("series"))
    .values(value=sequences.c.value + bindparam("count"))
    .returning(sequences.c.value),
    engines=("sqlite",),
)

_LAST = func.generate_series(1, bindparam("count")).table_valued("number")
DRAW_ON_POSTGRESQL: Final = {
    "ids": register("numbers.draw_ids", select(IDS.next_value()).select_from(_LAST), engines=("postgresql",)),
    "observations": register(
        "numbers.draw_observations", select(OBSERVATIONS.next_value()).select_from(_LAST), engines=("postgresql",)
    ),
}


def draw(transaction: Transaction, series: Series, count: int) -> list[int]:
    """Fresh numbers, ascending. What a transaction drew before it was rolled back may stay unused."""
    if not count:
        return []
    if transaction.is_sqlite:
        last: int = transaction.execute(DRAW_ON_SQLITE, {"series": series, "count": count}).scalar_one()
        return list(range(last - count + 1, last + 1))
    return list(transaction.execute(DRAW_ON_POSTGRESQL[series], {"count": count}).scalars())
