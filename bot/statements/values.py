"""A statement's values as text, each with one spelling only, and what a file can be wrong about.

What is read may come from anybody. So nothing may stand in a file that the signature doesn't cover.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, get_type_hints

from billing.ledger.entries import Entry, Move
from billing.ledger.statements import FORMAT, Statement

HEADING: Final = ("format", *(field.name for field in fields(Statement)), "signature")
"""What stands before the entries, in this order."""

_INT: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_BYTES: Final = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)


class StatementFormatError(Exception):
    """A file isn't a statement of this format. `where` is the place in it, "" for what stands before the entries."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(problem)
        self.where = where
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFile:
    """A statement as it was read. `entries` can be gone through once, and raises when one is malformed."""

    statement: Statement
    signature: bytes
    entries: Iterator[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one statement is written: what comes before its entries, each of them, between them, and after."""

    opening: str
    entry: Callable[[Entry], str]
    between: str
    closing: str


def _kinds_of(record: type) -> Mapping[str, Any]:
    """The classes of a record's fields, behind the names that some types have of their own."""
    return {name: getattr(kind, "__supertype__", kind) for name, kind in get_type_hints(record).items()}


STATEMENT_KINDS: Final = _kinds_of(Statement)
ENTRY_KINDS: Final = _kinds_of(Entry)
MOVE_KINDS: Final = _kinds_of(Move)


def heading(statement: Statement, signature: bytes) -> list[tuple[str, object]]:
    """All that stands before the entries."""
    own = [(field.name, getattr(statement, field.name)) for field in fields(statement)]
    return [("format", FORMAT), *own, ("signature", signature)]


def read_heading(values: Mapping[str, Any], entries: Iterator[Entry]) -> StatementFile:
    """The statement with this heading.

    Raises:
        StatementFormatError: something in it is malformed.
    """
    if values["format"] != FORMAT:
        raise StatementFormatError("", f"isn't a {FORMAT}")
    own = {name: parsed(name, kind, values[name], "") for name, kind in STATEMENT_KINDS.items()}
    signature: bytes = parsed("signature", bytes, values["signature"], "")
    return StatementFile(statement=Statement(**own), signature=signature, entries=entries)


def plain(value: object) -> object:
    """A value as JSON has it: bytes as hexadecimal digits, moments in UTC to the millisecond."""
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _:
            return value


def parsed(name: str, kind: Any, value: object, where: str) -> Any:  # noqa: ANN401 - any kind of value
    """A value of JSON as the domain has it.

    Raises:
        StatementFormatError: it isn't spelled in the one way that there is for it.
    """
    try:
        return _parsed(kind, value)
    except ValueError:
        raise StatementFormatError(where, f"has a malformed {name}") from None


def whole_number(text: str) -> int:
    """The whole number in decimal.

    Raises:
        ValueError: it isn't spelled so.
    """
    if _INT.fullmatch(text) is None:
        raise ValueError
    return int(text)


def require_names(record: object, names: Iterable[str], where: str) -> dict[str, Any]:
    """The object, if it has exactly these members: what isn't signed must not stand beside what is.

    Raises:
        StatementFormatError: it hasn't.
    """
    if not isinstance(record, dict):
        raise StatementFormatError(where, "isn't an object")
    missing, strange = sorted(set(names) - set(record)), sorted(set(record) - set(names))
    if missing:
        raise StatementFormatError(where, f"lacks {missing[0]}")
    if strange:
        raise StatementFormatError(where, f"has {strange[0]!r}, which isn't of this format")
    return record


def _parsed(kind: Any, value: object) -> object:  # noqa: ANN401 - any kind of value
    if kind is int:
        # Neither a float nor a bool, and no number longer than a column holds.
        return whole_number(str(value) if type(value) is int else "")
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - the file is wrong, not a type
    # JSON can escape half of a pair of surrogates, which is no text and has no hash: the error is a ValueError, too.
    value.encode()
    if kind is bytes:
        return bytes.fromhex(_matched(_BYTES, value))
    if kind is datetime:
        return datetime.fromisoformat(_matched(_TIME, value))
    return kind(value)


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError
    return text
