"""Reading JSON from outside so that nothing in it makes us fail.

GitHub's own examples break its own schemas: fields are missing, null, or of another type than described. A model here
has a default for every field; a value that doesn't fit its field counts as missing, and all the others are still read.
"""

import json
import re
import types
import typing
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from billing.values import to_the_millisecond

Model = TypeVar("Model", bound=msgspec.Struct)

JsonText = bytes | bytearray
"""JSON as it came, in UTF-8."""

LARGEST_ID: Final = 2**63 - 1
"""What a database column of 64 bits holds."""

LARGEST_COUNT: Final = 2**31 - 1
"""More seats, cents or units than this are nonsense, and their product would leave 64 bits."""

NAME: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,100}")
"""A login or a repository's name. It becomes part of an address, in which nothing else may be."""

LONGEST_TEXT: Final = 255
"""Longer than any login, plan name or enumeration value of GitHub's."""

FIRST_YEAR: Final = 2008
"""GitHub opened in 2008: no date of its own lies before."""

LAST_YEAR: Final = 2999
"""Leaves calendar arithmetic room before Python's last year."""


def read(model: type[Model], text: JsonText) -> Model:
    """Read a JSON text into a model; what doesn't fit its field counts as missing.

    Raises:
        ValueError: when the text is no JSON at all, which the edge refuses before anything is recorded.
    """
    try:
        return msgspec.json.decode(text, type=model)
    except msgspec.DecodeError:
        # Also a ValidationError. The slow way is taken only by what the model doesn't fit. Unlike msgspec, the standard
        # library reads unpaired surrogates, which JSON allows.
        return convert(model, json.loads(text))


def read_all(model: type[Model], text: JsonText) -> list[Model]:
    """Read a JSON array into models, alike. What isn't an array has nothing in it.

    Raises:
        ValueError: when the text is no JSON at all.
    """
    values = json.loads(text)
    return [convert(model, value) for value in values] if isinstance(values, list) else []


def convert(model: type[Model], value: object) -> Model:
    """Make a model of what JSON was read into, field by field."""
    known = {}
    if isinstance(value, dict):
        for field in msgspec.structs.fields(model):
            if field.encode_name in value:
                try:
                    known[field.name] = _fitting(field.type, value[field.encode_name])
                except (msgspec.ValidationError, UnicodeEncodeError):
                    # The latter is msgspec's word for a text with an unpaired surrogate where an object should be.
                    continue
    return model(**known)


def _fitting(kind: object, value: object) -> object:
    """Return the value as this kind, nested models repaired in their turn.

    Raises:
        msgspec.ValidationError: when it doesn't fit.
    """
    choices = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct) and isinstance(value, dict):
            return convert(choice, value)
    fitting: object = msgspec.convert(value, type=kind)
    return fitting


def an_id(value: int | None) -> int | None:
    """Return a number that can be an id at GitHub, else None."""
    return value if value is not None and 0 < value <= LARGEST_ID else None


def a_count(value: int | None) -> int | None:
    """Return a number that can be a count of something, else None."""
    return value if value is not None and 0 <= value <= LARGEST_COUNT else None


def a_text(value: str | None) -> str:
    """Return a short text that can be stored and shown, else "".

    PostgreSQL stores no NUL, and neither engine an unpaired surrogate; neither is printable.
    """
    return value if value is not None and len(value) <= LONGEST_TEXT and value.isprintable() else ""


def a_name(value: str | None) -> str:
    """Return a text that can be a login or a repository's name, else ""."""
    return value if value is not None and NAME.fullmatch(value) else ""


def a_moment(value: str | None) -> datetime | None:
    """Return the moment that an ISO 8601 text names, in UTC to the millisecond, else None.

    GitHub writes `2017-10-25T00:00:00+00:00` in deliveries and `2021-05-06T07:00:00Z` in answers. A text without a zone
    is taken as UTC.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return to_the_millisecond(moment) if FIRST_YEAR <= moment.year <= LAST_YEAR else None
