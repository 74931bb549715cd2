"""Reads one table of a TOML file strictly: keys are asked for by name and type; what nobody asked for is refused."""

import difflib
from collections.abc import Mapping, Sequence

from billing.errors import InvalidPlanCatalogError


class Table:
    """A table of the file, with its place for error messages."""

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self.place = place
        self._values = values
        self._asked: set[str] = set()

    def fault(self, key: str, problem: str) -> InvalidPlanCatalogError:
        """The error to raise about this key."""
        return InvalidPlanCatalogError(f"{self.place}: {key}", problem)

    def text(self, key: str, *, absent: str | None = None) -> str:
        """A string that isn't blank; `absent` when the key isn't there, if it may be."""
        value = self._get(key, 'a text in quotes, such as "Pro"', absent)
        if type(value) is not str or (value != absent and not value.strip()):
            raise self._wrong(key, 'a text in quotes, such as "Pro"', value)
        return value

    def choice(self, key: str, choices: Sequence[str], *, absent: str) -> str:
        """One of a few words; `absent` when the key isn't there."""
        wanted = " or ".join(f'"{each}"' for each in choices)
        value = self._get(key, wanted, absent)
        if type(value) is not str or value not in (*choices, absent):
            raise self._wrong(key, wanted, value)
        return value

    def whole(self, key: str, *, absent: int | None = None) -> int:
        """A whole number, zero or more; `absent` when the key isn't there, if it may be."""
        return self._whole(key, self._get(key, "a whole number, zero or more", absent))

    def whole_or_none(self, key: str) -> int | None:
        """A whole number, zero or more; None when the key isn't there."""
        self._asked.add(key)
        return self._whole(key, self._values[key]) if key in self._values else None

    def wholes(self, key: str) -> tuple[int, ...]:
        """A list of different whole numbers, zero or more each; empty when the key isn't there."""
        wanted = "a list of whole numbers, such as [10, 0]"
        value = self._get(key, wanted, [])
        if not isinstance(value, list):
            raise self._wrong(key, wanted, value)
        numbers = tuple(self._whole(key, each) for each in value)
        if len(set(numbers)) != len(numbers):
            raise self.fault(key, f"names a number twice: {value!r}")
        return numbers

    def tables(self, key: str) -> dict[str, "Table"]:
        """The tables below this key, such as all the `[plans.…]`; none when the key isn't there."""
        wanted = f"made of tables, such as [{key}.pro]"
        value = self._get(key, wanted, {})
        if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
            raise self._wrong(key, wanted, value)
        return {name: Table(f"{self.place}: {key}.{name}", values) for name, values in value.items()}

    def refuse_the_rest(self) -> None:
        """Refuse keys that nobody asked for, with the likely spelling."""
        for key in self._values:
            if key not in self._asked:
                likely = difflib.get_close_matches(key, self._asked, n=1)
                hint = f"did you mean {likely[0]}?" if likely else f"known are {', '.join(sorted(self._asked))}"
                raise self.fault(key, f"is not a key of this table; {hint}")

    def _get(self, key: str, wanted: str, absent: object | None) -> object:
        self._asked.add(key)
        value = self._values.get(key, absent)
        if value is None:
            raise self.fault(key, f"is missing; it must be {wanted}")
        return value

    def _whole(self, key: str, value: object) -> int:
        # `type` and not `isinstance`: TOML's true and false are ints to Python.
        if type(value) is not int or value < 0:
            raise self._wrong(key, "a whole number, zero or more", value)
        return value

    def _wrong(self, key: str, wanted: str, value: object) -> InvalidPlanCatalogError:
        return self.fault(key, f"must be {wanted}, not {value!r}")
