"""Statements as JSON: one object, whose `entries` stand on a line each."""

import json
from typing import Any

from billing.ledger.chain import HASHED_FIELDS
from billing.ledger.entries import Entry, Move
from billing.ledger.statements import Statement
from bot.statements.values import (
    ENTRY_KINDS,
    HEADING,
    MOVE_KINDS,
    Form,
    StatementFile,
    StatementFormatError,
    heading,
    parsed,
    plain,
    read_heading,
    require_names,
    whole_number,
)


def json_form(statement: Statement, signature: bytes) -> Form:
    """Return how the statement is written as JSON."""
    lines = [f"{_json(name)}: {_json(plain(value))}" for name, value in heading(statement, signature)]
    opening = "{\n" + ",\n".join(lines) + ',\n"entries": [\n'
    return Form(opening=opening, entry=_entry, between=",\n", closing="\n]\n}\n")


def read_json(text: str) -> StatementFile:
    """Read a statement.

    Raises:
        StatementFormatError: it is none.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_repeats, parse_int=_whole_number)
    except (ValueError, RecursionError):
        raise StatementFormatError("", "isn't well-formed JSON") from None
    members = require_names(document, (*HEADING, "entries"), "")
    entries = members["entries"]
    if not isinstance(entries, list):
        raise StatementFormatError("", "has entries that aren't a list")
    return read_heading(members, (_read_entry(record, place) for place, record in enumerate(entries, start=1)))


def _entry(entry: Entry) -> str:
    record: dict[str, object] = {"hash_version": entry.hash_version}
    record |= {name: plain(getattr(entry, name)) for name in HASHED_FIELDS[entry.hash_version]}
    record["moves"] = [{name: getattr(move, name) for name in MOVE_KINDS} for move in entry.moves]
    record["hash"] = plain(entry.hash)
    return _json(record)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _read_entry(record: Any, place: int) -> Entry:  # noqa: ANN401 - JSON that anybody may have written
    where = f"number {place} of the entries"
    version = record.get("hash_version") if isinstance(record, dict) else None
    if type(version) is not int or version not in HASHED_FIELDS:
        raise StatementFormatError(where, "has no hash_version that is known")
    covered = HASHED_FIELDS[version]
    members = require_names(record, ("hash_version", *covered, "moves", "hash"), where)
    values = {name: parsed(name, ENTRY_KINDS[name], members[name], where) for name in (*covered, "hash")}
    if not isinstance(members["moves"], list):
        raise StatementFormatError(where, "has moves that aren't a list")
    values["moves"] = tuple(_read_move(move, where) for move in members["moves"])
    return Entry(**values, hash_version=version)


def _read_move(record: object, where: str) -> Move:
    members = require_names(record, MOVE_KINDS, where)
    return Move(**{name: parsed(name, kind, members[name], where) for name, kind in MOVE_KINDS.items()})


def _whole_number(text: str) -> int:
    """Refuse a number with another spelling, such as -0, that JSON allows."""
    try:
        return whole_number(text)
    except ValueError:
        raise StatementFormatError("", "has a malformed whole number") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that is named twice: one program would show the one, another check the other."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StatementFormatError("", "has an object that names a member twice")
    return members
