"""A few rows in every table that there is, with values that could get lost on the way to another engine."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, LargeBinary, Table, Text, insert

from storage.copying import shared_tables
from storage.engines import parse_url, sqlite_writer

ROWS: Final = 5

# What the tables' conditions and keys ask for; the other columns get what their type and the row's number make.
VALUES: Final[Mapping[str, Mapping[str, object]]] = {
    "charges": {"state": "pending"},
    "credit_accounts": {"held": 0, "debt": 0},
    "credit_grants": {
        "origin": "signup",
        "category": "promotional",
        "amount": 7,
        "remaining": 7,
        "held": 0,
        "spent": 0,
        "expired": 0,
        "revoked": 0,
        "taken": 0,
        "owed": 0,
        "reversed": 0,
    },
    "credit_holds": {"state": "open", "captured": 0},
    "credit_notes": {"seq": 1},
    "credit_moves": {"seq": 1},
    "credit_transactions": {"kind": "grant", "seq": 1, "held_after": 0, "reverses": 0, "previous_hash": bytes(32)},
    "installations": {"state": "active"},
    "subscriptions": {"state": "active"},
    "billing_events": {"state": "done"},
    "effects": {"state": "dead"},
}
BINARY: Final = bytes(range(256))


def fill_all(url: str) -> None:
    """Put rows into every table of a SQLite database."""
    engine = sqlite_writer(parse_url(url))
    with engine.begin() as connection:
        for table in shared_tables():
            connection.execute(insert(table), [_row(table, number) for number in range(1, ROWS + 1)])
        _draw_numbers(connection)
    engine.dispose()


def _row(table: Table, number: int) -> dict[str, Any]:
    # Ids with holes between them, so that a row's number isn't its place.
    fixed = VALUES.get(table.name, {})
    return {each.name: fixed.get(each.name, _value(each, number)) for each in table.columns}


def _value(column: Column[Any], number: int) -> object:
    name = column.name
    match column.type:
        case Boolean():
            return number % 2 == 0
        case LargeBinary():
            # The one column that may be without a value.
            # A key stands for one entry or one refusal: no two tables hold the same.
            return None if name == "body" and number == 1 else BINARY + column.table.name.encode() + bytes([number])
        case Text():
            return f"{name} {number}: 'é' \\ \"漢字\" \N{LINE SEPARATOR}\n\N{GRINNING FACE}"
        case _:
            return number * 1000


def _draw_numbers(connection: Connection) -> None:
    connection.exec_driver_sql("UPDATE sequences SET value = 90000 + length(name)")
