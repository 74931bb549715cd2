"""A transaction's statements: how the driver gets them, and how what they find comes back."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.effects import ENQUEUE
from storage.engines import parse_url
from storage.results import UNCOUNTED, Result
from storage.statements import BATCH
from storage.transactions import Transaction
from storage.transactors import PostgresTransactor, SqliteTransactor, Transactor
from tests.sending import watched_sending
from tests.storage.raw import engine_of

FAILS_ON_THE_SECOND_ROW = {
    # The number that has no positive one.
    "sqlite": "SELECT abs(n) AS n FROM (SELECT 1 AS n UNION ALL SELECT -9223372036854775808)",
    "postgresql": "SELECT 1 / n AS n FROM (VALUES (1), (0)) AS given (n)",
}
COLUMNS = ("topic", "key", "dedupe_key", "payload", "created_at", "run_at")


def effect(number: int, **more: Any) -> Mapping[str, Any]:
    return {**dict(zip(COLUMNS, ("test", "one", f"test:{number}", b"", 1, number), strict=True)), **more}


@pytest.fixture
def transactor(database_url: str) -> Iterator[Transactor]:
    url = parse_url(database_url)
    transactor = SqliteTransactor(url) if engine_of(database_url) == "sqlite" else PostgresTransactor(url)
    yield transactor
    transactor.close()


def test_a_row_that_fails_while_it_is_fetched_is_a_database_error(transactor: Transactor, database_url: str) -> None:
    statement = text(FAILS_ON_THE_SECOND_ROW[engine_of(database_url)])

    with pytest.raises(DBAPIError):
        transactor.run(lambda transaction: transaction.execute(statement))

    # The values that a statement had stay out of its error.
    with pytest.raises(DBAPIError) as told:
        transactor.run(lambda transaction: transaction.execute(ENQUEUE, effect(1, run_at=None, key="of nobody's")))
    assert "of nobody's" not in str(told.value.statement) + repr(told.value.params)

    assert transactor.run(lambda transaction: transaction.execute(text("SELECT 2 AS n"))).scalar_one() == 2


def test_rows_that_are_written_together_come_back_whatever_their_number_and_columns(transactor: Transactor) -> None:
    def enqueue(transaction: Transaction, *rows: Mapping[str, Any]) -> list[str]:
        return sorted(row.dedupe_key for row in transaction.execute(ENQUEUE, rows))

    def work(transaction: Transaction) -> None:
        assert enqueue(transaction, effect(1), effect(2)) == ["test:1", "test:2"]
        assert enqueue(transaction, effect(2), effect(3)) == ["test:3"]
        assert enqueue(transaction, effect(4, state="dead"), effect(5, state="done")) == ["test:4", "test:5"]
        assert enqueue(transaction, effect(6)) == ["test:6"]
        states = transaction.execute(text("SELECT dedupe_key, state FROM effects ORDER BY run_at"))
        assert [(row.dedupe_key, row.state) for row in states][3:5] == [("test:4", "dead"), ("test:5", "done")]

    transactor.run(work)


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 2 * BATCH + 3])
def test_any_number_of_rows_is_written_and_told_of_a_batch_at_a_time(transactor: Transactor, count: int) -> None:
    """Each number of rows is a statement that is kept, so there is a bound."""
    rows = [effect(number) for number in range(count)]
    sent: list[str] = []

    def work(transaction: Transaction) -> None:
        with watched_sending(lambda _connection, statement, _other: sent.append(statement)):
            result = transaction.execute(ENQUEUE, rows)
        assert sorted(result.scalars()) == sorted(row["dedupe_key"] for row in rows)
        assert result.rowcount == count
        assert len(sent) == -(-count // BATCH)

    transactor.run(work)


def test_how_many_rows_were_changed_is_told_where_both_drivers_know(transactor: Transactor) -> None:
    change = text("UPDATE effects SET attempts = attempts + 1 WHERE dedupe_key = :name")

    def work(transaction: Transaction) -> None:
        transaction.execute(ENQUEUE, [effect(1), effect(2)])
        assert transaction.execute(change, {"name": "test:1"}).rowcount == 1
        assert transaction.execute(change, {"name": "test:3"}).rowcount == 0
        assert transaction.execute(change, [{"name": "test:1"}, {"name": "test:2"}]).rowcount == UNCOUNTED

    transactor.run(work)


def test_a_result_is_looked_at_as_elsewhere() -> None:
    none, one, two = (Result([(number, "x") for number in range(count)], count) for count in range(3))

    assert (none.first(), none.scalar(), none.scalars(), none.all()) == (None, None, [], [])
    assert (one.first(), one.scalar(), one.scalar_one(), [*one]) == ((0, "x"), 0, 0, [(0, "x")])
    assert two.scalars() == [0, 1]
    for either in (none, two):
        with pytest.raises(ValueError, match="unpack"):
            either.scalar_one()
