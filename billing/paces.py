"""Paces: how fast something may be done, and when the next place is free.

GitHub slows down whoever writes too fast and asks for a second between two writes; an installation may make 80 writes a
minute and 500 an hour (docs.github.com: "Best practices for using the REST API", "Rate limits for the REST API").
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from billing.values import value


@value
class Limit:
    """At most `count` in any `seconds`."""

    count: int
    seconds: int


WRITES_OF_INSTALLATION: Final = (
    Limit(count=2, seconds=2),
    Limit(count=80, seconds=60),
    Limit(count=500, seconds=3600),
)
"""What we write in the name of one installation.

On average one a second; two may follow each other at once, because a reaction and an answer belong together.
"""

CONFUSED_IN_REPOSITORY: Final = (Limit(count=3, seconds=3600),)
"""How often we show in one repository that somebody isn't answered (rule 33)."""


def earliest(now: datetime, limits: Sequence[Limit], nth_last: Callable[[int], datetime | None]) -> datetime:
    """When the next one may be, from `now` on: never before the last one, and within every limit.

    Args:
        now: the time.
        limits: all of them hold.
        nth_last: when the last one (1), the one before it (2) and so on was or will be; None if there weren't so many.
    """
    bounds = [(1, timedelta())] + [(limit.count, timedelta(seconds=limit.seconds)) for limit in limits]
    places = ((nth_last(count), pause) for count, pause in bounds)
    return max([now, *(place + pause for place, pause in places if place is not None)])
