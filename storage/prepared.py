"""Statements as the driver takes them: their text, and in which order their values come.

SQLAlchemy keeps compiled statements itself, but it works out their lists, types and values anew each time. In a batch
of 64 spends that took longer than the database took to write them; so what never changes is worked out once.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Mapping[str, Any]
Values = tuple[Any, ...]

_Key = tuple[Executable, str, tuple[str, ...], tuple[int, ...], bool]


class Prepared:
    """One statement for one engine, with lists of certain lengths.

    Attributes:
        text: what the driver is given.
        returns_rows: whether it is one that writes and returns what it wrote.
    """

    def __init__(self, compiled: SQLCompiler, parameters: Parameters) -> None:
        expanded = compiled.construct_expanded_state(dict(parameters))
        assert expanded.positiontup is not None, "both drivers take values by position"
        self.text: Final = expanded.statement
        self.returns_rows: Final = bool(compiled.effective_returning)
        in_lists = {
            one: (name, place)
            for name, names in expanded.parameter_expansion.items()
            for place, one in enumerate(names)
        }
        self._sources = [_source(name, in_lists, parameters, expanded.parameters) for name in expanded.positiontup]
        self._at_once = _at_once(expanded.positiontup, parameters)
        self._as_row: Callable[[Iterable[Any]], Any] | None = None

    def values(self, parameters: Parameters) -> Values:
        """The statement's values, in its order."""
        return tuple([source(parameters) for source in self._sources])

    def rows(self, rows: Sequence[Parameters]) -> list[Values]:
        """The values of each execution of many."""
        return [*map(self._at_once or self.values, rows)]

    def named(self, description: Iterable[Sequence[Any]], found: Iterable[Iterable[Any]]) -> Sequence[Any]:
        """The rows that it found, with their columns as attributes, by the driver's description of them."""
        if self._as_row is None:
            # What is no name in Python, such as an SQL function's, is reached by its place.
            # Its columns aren't known before, which is what both checkers dislike.
            row: Any = namedtuple("Row", [column[0] for column in description], rename=True)  # type: ignore[misc]  # noqa: PYI024
            self._as_row = row._make
        return [*map(self._as_row, found)]


_PREPARED: Final[dict[_Key, Prepared]] = {}


def prepared(statement: Executable, dialect: Dialect, parameters: Parameters, *, is_many: bool = False) -> Prepared:
    """The registered statement as this engine's driver takes it, with values of these names and lists of these lengths.

    There are as many as there are registered statements, times the few lengths that lists are padded to.
    """
    lengths = tuple([len(value) if isinstance(value, list) else -1 for value in parameters.values()])
    key = (statement, dialect.name, tuple(parameters), lengths, is_many)
    found = _PREPARED.get(key)
    if found is None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=dialect, column_keys=list(parameters), for_executemany=is_many)
        assert isinstance(compiled, SQLCompiler)
        found = _PREPARED[key] = Prepared(compiled, parameters)
    return found


def _source(
    name: str, in_lists: Mapping[str, tuple[str, int]], given: Parameters, constants: Parameters
) -> Callable[[Parameters], Any]:
    """Where the value of a name comes from: a place in a list, what is given, or the statement itself."""
    if name in in_lists:
        of, place = in_lists[name]
        return lambda parameters: parameters[of][place]
    if name in given:
        return itemgetter(name)
    constant = constants[name]
    return lambda _: constant


def _at_once(names: Sequence[str], given: Parameters) -> Callable[[Parameters], Values] | None:
    """How all values are taken in one go, where all are given; of one alone that would be no tuple."""
    is_possible = len(names) > 1 and all(name in given for name in names)
    return itemgetter(*names) if is_possible else None
