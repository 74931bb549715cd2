"""Statements as CSV: names and values, an empty row, the entries' columns, and a row an entry.

Every cell stands in quotes and every row ends in CR LF. Keys, references and actors may come from whoever calls: a
text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with an
apostrophe, so that reading takes exactly one away.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from billing.ledger.chain import HASHED_FIELDS
from billing.ledger.entries import Entry, Move
from billing.ledger.statements import Statement
from bot.statements.values import (
    ENTRY_KINDS,
    HEADING,
    MOVE_KINDS,
    STATEMENT_KINDS,
    Form,
    StatementFile,
    StatementFormatError,
    heading,
    parsed,
    plain,
    read_heading,
    whole_number,
)

_COVERED: Final = dict.fromkeys(name for version in sorted(HASHED_FIELDS) for name in HASHED_FIELDS[version])
COLUMNS: Final = ("hash_version", *_COVERED, "moves", "hash")
"""The entries' columns. One that the hash of an entry's version doesn't cover is left empty."""

MARK: Final = "'"
FORMULAS: Final = tuple("=+-@\t\r\n")
"""How texts begin that spreadsheets take for formulas, or that reach one behind white space."""

_VERSIONS: Final = {str(version): version for version in HASHED_FIELDS}
_MOVE: Final = re.compile(r"([0-9]+):([a-z]+):([a-z]+):([0-9]+):([0-9]+)", re.ASCII)
_LONGEST_CELL: Final = 2**31 - 1


def csv_form(statement: Statement, signature: bytes) -> Form:
    """Return how the statement is written as CSV."""
    rows = [_row((name, _as_cell(value))) for name, value in heading(statement, signature)]
    return Form(opening="".join(rows) + "\r\n" + _row(COLUMNS), entry=_entry, between="", closing="")


def read_csv(text: str) -> StatementFile:
    """Read a statement.

    Raises:
        StatementFormatError: it is none.
    """
    csv.field_size_limit(_LONGEST_CELL)
    rows = _rows(text)
    values: dict[str, Any] = {}
    for name in HEADING:
        row = next(rows, [])
        if len(row) != len((name, "value")) or row[0] != name:
            raise StatementFormatError("", f"has no row {name} where that should be")
        values[name] = _value(name, STATEMENT_KINDS.get(name, bytes), row[1], "")
    if next(rows, None) != [] or next(rows, None) != list(COLUMNS):
        raise StatementFormatError("", "has no empty row and row of columns before its entries")
    return read_heading(values, (_read_entry(row, place) for place, row in enumerate(rows, start=1)))


def _entry(entry: Entry) -> str:
    cells = {name: _as_cell(getattr(entry, name)) for name in HASHED_FIELDS[entry.hash_version]}
    cells |= {"hash_version": str(entry.hash_version), "hash": entry.hash.hex()}
    cells["moves"] = " ".join(":".join(str(getattr(move, name)) for name in MOVE_KINDS) for move in entry.moves)
    return _row(cells.get(name, "") for name in COLUMNS)


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _as_cell(value: object) -> str:
    text = str(plain(value))
    return MARK + text if isinstance(value, str) and text.startswith((*FORMULAS, MARK)) else text


def _rows(text: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error:
        raise StatementFormatError("", "isn't well-formed CSV") from None


def _read_entry(row: list[str], place: int) -> Entry:
    where = f"number {place} of the entries"
    if len(row) != len(COLUMNS):
        raise StatementFormatError(where, f"has {len(row)} cells where {len(COLUMNS)} should be")
    cells = dict(zip(COLUMNS, row, strict=True))
    version = _VERSIONS.get(cells["hash_version"])
    if version is None:
        raise StatementFormatError(where, "has no hash_version that is known")
    own = (*HASHED_FIELDS[version], "hash")
    for name in COLUMNS:
        if cells[name] and name not in {*own, "hash_version", "moves"}:
            raise StatementFormatError(where, f"has a {name}, which its hash doesn't cover")
    values = {
        name: parsed(name, ENTRY_KINDS[name], _value(name, ENTRY_KINDS[name], cells[name], where), where)
        for name in own
    }
    moves = cells["moves"].split(" ") if cells["moves"] else []
    values["moves"] = tuple(_read_move(text, where) for text in moves)
    return Entry(**values, hash_version=version)


def _read_move(text: str, where: str) -> Move:
    parts = _MOVE.fullmatch(text)
    if parts is None:
        raise StatementFormatError(where, "has malformed moves")
    values = {
        name: _value("moves", kind, part, where)
        for (name, kind), part in zip(MOVE_KINDS.items(), parts.groups(), strict=True)
    }
    return Move(**values)


def _value(name: str, kind: Any, cell: str, where: str) -> Any:  # noqa: ANN401 - any kind of value
    """A cell's value as JSON would have it."""
    if kind is int:
        try:
            return whole_number(cell)
        except ValueError:
            raise StatementFormatError(where, f"has a malformed {name}") from None
    if issubclass(kind, str):
        if cell.startswith(FORMULAS):
            raise StatementFormatError(where, f"has a {name} that a spreadsheet would take for a formula")
        bare = cell.removeprefix(MARK)
        if bare != cell and not bare.startswith((*FORMULAS, MARK)):
            raise StatementFormatError(where, f"has a {name} with an apostrophe before it that isn't called for")
        return bare
    return cell
