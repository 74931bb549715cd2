"""Every statement that this package can execute, by name.

Statements are built once, when their module is imported, so that they are compiled once; a test explains each of them
on both engines and refuses one that would read a growing table from end to end. Lists in `IN (…)` are padded to a few
lengths, so that the database keeps its plans too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import BindParameter, Executable, bindparam

Engine = Literal["sqlite", "postgresql"]
Statement = TypeVar("Statement", bound=Executable)
Value = TypeVar("Value")

BOTH: Final[tuple[Engine, ...]] = ("sqlite", "postgresql")

BATCH: Final = 64
"""The most that is looked up, claimed or committed at once."""

LENGTHS: Final = (1, 4, 16, BATCH)
"""The lengths that lists are padded to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A statement, and the engines that it is for."""

    statement: Executable
    engines: tuple[Engine, ...]


REGISTRY: Final[dict[str, Registered]] = {}


def register(name: str, statement: Statement, *, engines: tuple[Engine, ...] = BOTH) -> Statement:
    """Note the statement under its name, and return it."""
    assert name not in REGISTRY, name
    REGISTRY[name] = Registered(statement=statement, engines=engines)
    return statement


def listed(name: str) -> BindParameter[Any]:
    """A parameter for `IN (…)` that takes one of the lists of `padded_batches`."""
    return bindparam(name, expanding=True)


def padded_batches(values: Iterable[Value]) -> Iterator[list[Value]]:
    """The values in lists of one of the `LENGTHS`, the last value repeated where there are too few."""
    iterator = iter(values)
    while batch := list(islice(iterator, BATCH)):
        length = next(length for length in LENGTHS if length >= len(batch))
        yield batch + batch[-1:] * (length - len(batch))
