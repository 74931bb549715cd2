"""Statements as the driver takes them: their text, and in which order their values come.

SQLAlchemy keeps compiled statements itself, but it works out their lists, types and values anew each time. In a batch
of 64 spends that took longer than the database took to write them; so what never changes is worked out once.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Dialect, Executable, Insert
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from storage.statements import BATCH

Parameters = Mapping[str, Any]
Values = tuple[Any, ...]

_Key = tuple[Executable, str, tuple[str, ...], tuple[int, ...], bool]


class _Finding:
    """A statement's text, and how the rows that it finds are looked at.

    Attributes:
        text: what the driver is given.
    """

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self._as_row: Callable[[Iterable[Any]], Any] | None = None

    def named(self, description: Iterable[Sequence[Any]], found: Iterable[Iterable[Any]]) -> Sequence[Any]:
        """The rows that it found, with their columns as attributes, by the driver's description of them."""
        if self._as_row is None:
            names = [column[0] for column in description]
            assert len({*names}) == len(names), "of two columns of one name the second couldn't be reached"
            # What is no name in Python, such as an SQL function's, is reached by its place. The checkers would rather
            # know the columns before.
            row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
            self._as_row = row._make
        return [*map(self._as_row, found)]


class Prepared(_Finding):
    """One statement for one engine, with lists of certain lengths.

    Attributes:
        returns_rows: whether it is one that writes and returns what it wrote.
    """

    def __init__(self, compiled: SQLCompiler, parameters: Parameters) -> None:
        expanded = compiled.construct_expanded_state(dict(parameters))
        assert expanded.positiontup is not None, "both drivers take values by position"
        super().__init__(expanded.statement)
        self.returns_rows: Final = bool(compiled.effective_returning)
        in_lists = {
            one: (name, place)
            for name, names in expanded.parameter_expansion.items()
            for place, one in enumerate(names)
        }
        self._sources = [_source(name, in_lists, parameters, expanded.parameters) for name in expanded.positiontup]
        self._at_once = _at_once(expanded.positiontup, parameters)

    def values(self, parameters: Parameters) -> Values:
        """The statement's values, in its order."""
        return tuple([source(parameters) for source in self._sources])

    def rows(self, rows: Sequence[Parameters]) -> list[Values]:
        """The values of each execution of many."""
        return [*map(self._at_once or self.values, rows)]


class PreparedTogether(_Finding):
    """One statement for one engine that writes so many rows at once, of two columns or more, and returns some of each.

    No driver returns rows of an executemany.
    """

    def __init__(self, compiled: SQLCompiler, columns: int, rows: int) -> None:
        expanded = compiled.construct_expanded_state(None)
        assert expanded.positiontup is not None, "both drivers take values by position"
        super().__init__(expanded.statement)
        names = expanded.positiontup
        self._row = itemgetter(*[name.removesuffix("_m0") for name in names[:columns]])
        self._rest = tuple(expanded.parameters[name] for name in names[columns * rows :])

    def values(self, rows: Sequence[Parameters]) -> Values:
        """All values of all rows, and the statement's own."""
        return (*chain.from_iterable(map(self._row, rows)), *self._rest)


_PREPARED: Final[dict[_Key, Prepared]] = {}
_TOGETHER: Final[dict[tuple[Executable, str, tuple[str, ...], int], PreparedTogether]] = {}


def prepared(statement: Executable, dialect: Dialect, parameters: Parameters, *, is_many: bool = False) -> Prepared:
    """The registered statement as this engine's driver takes it, with values of these names and lists of these lengths.

    There are as many as there are registered statements, times the few lengths that lists are padded to.
    """
    lengths = tuple([len(value) if isinstance(value, list) else -1 for value in parameters.values()])
    key = (statement, dialect.name, tuple(parameters), lengths, is_many)
    found = _PREPARED.get(key)
    if found is None:
        compiled = _compiled(statement, dialect, column_keys=list(parameters), for_executemany=is_many)
        found = _PREPARED[key] = Prepared(compiled, parameters)
    return found


def prepared_together(statement: Executable, dialect: Dialect, rows: Sequence[Parameters]) -> PreparedTogether:
    """The registered statement as it writes so many rows at once, which are no more than a batch."""
    assert len(rows) <= BATCH, "each number of rows is a statement that is kept"
    key = (statement, dialect.name, tuple(rows[0]), len(rows))
    found = _TOGETHER.get(key)
    if found is None:
        assert isinstance(statement, Insert)
        compiled = _compiled(statement.values([*map(dict, rows)]), dialect)
        found = _TOGETHER[key] = PreparedTogether(compiled, len(rows[0]), len(rows))
    return found


def _compiled(statement: Executable, dialect: Dialect, **options: Any) -> SQLCompiler:  # noqa: ANN401 - SQLAlchemy's own
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=dialect, **options)
    assert isinstance(compiled, SQLCompiler)
    return compiled


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
