"""Moments as people write them."""

from datetime import UTC, datetime

from billing.values import to_the_millisecond
from bot.cli.failures import WrongUseError


def moment_of(text: str, *, option: str) -> datetime:
    """Return the moment, to the millisecond. A day is its beginning in UTC; a time needs its zone.

    Raises:
        WrongUseError: it is none; the option that is wrong is named.
    """
    way_out = f"Give a day or a time with its zone by {option}, such as 2026-11-20 or 2026-11-20T14:05Z."
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"{text!r} is no time.", way_out) from error
    if moment.tzinfo is None and len(text) > len("2026-11-20"):
        raise WrongUseError(f"{text!r} doesn't say in which zone.", way_out)
    try:
        return to_the_millisecond(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError as error:
        raise WrongUseError(f"{text!r} is no time.", way_out) from error
