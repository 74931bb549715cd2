"""What references say of our own: words behind the caller's ids, by which an entry vouches for what isn't in its moves.

`terms:` are the digests of the terms of the grants that the entry makes, separated by commas; `hold:` is that of the
hold's; `until:` when the hold times out, in milliseconds; `reversed:` how much of a grant has to be given back.
"""

import re
from datetime import datetime
from typing import Final

from billing.ledger.entries import Entry
from billing.values import from_milliseconds, to_milliseconds

_OURS: Final = re.compile(
    r"(terms:[0-9a-f]{32}(,[0-9a-f]{32})*|hold:[0-9a-f]{32}|until:[0-9]+|reversed:[0-9]+)", re.ASCII
)
"""A word of our own. An id of the caller's that only begins like one has another form."""


def for_people(reference: str) -> str:
    """A reference without the words of our own, which tell people nothing; "" if nothing else is there."""
    return " ".join(each for each in reference.split(" ") if not _OURS.fullmatch(each))


def until(moment: datetime) -> str:
    """The word for when a hold times out."""
    return f"until:{to_milliseconds(moment)}"


def word(entry: Entry, name: str) -> str:
    """What the entry says under this name; "" if nothing. The last one counts, which is our own."""
    words = (each for each in reversed(entry.reference.split(" ")) if each.startswith(f"{name}:"))
    return next(words, "").partition(":")[2]


def terms_of(entry: Entry) -> list[str]:
    """The digests of the terms of the grants that the entry makes, in order."""
    return list(filter(None, word(entry, "terms").split(",")))


def timeout_of(entry: Entry) -> datetime | None:
    """When the hold times out that the entry makes or extends; None if it doesn't say."""
    milliseconds = word(entry, "until")
    return from_milliseconds(int(milliseconds)) if milliseconds.isdecimal() else None


def target_of(entry: Entry) -> int | None:
    """How much of its grant has to be given back altogether by this entry; None if it says nothing of that."""
    target = word(entry, "reversed")
    return int(target) if target.isdecimal() else None
