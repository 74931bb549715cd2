"""Calendar arithmetic of billing: months that end on an anchor day, in UTC, and shares of them.

An anchor day of 29 to 31 means the last day of a month that has no such day.
"""

import calendar
from datetime import UTC, date, datetime, time

FULL_DAY = time(tzinfo=UTC)


def utc_date(moment: datetime) -> date:
    """The calendar day of this moment in UTC."""
    return moment.astimezone(UTC).date()


def midnight(day: date) -> datetime:
    """The moment at which this day begins in UTC."""
    return datetime.combine(day, FULL_DAY)


def anchor_in(year: int, month: int, anchor_day: int) -> date:
    """The anchor of this month."""
    return date(year, month, min(anchor_day, calendar.monthrange(year, month)[1]))


def anchor_after(day: date, anchor_day: int) -> date:
    """The first anchor that lies after this day."""
    anchor = anchor_in(day.year, day.month, anchor_day)
    if anchor > day:
        return anchor
    years, months = divmod(day.month, 12)
    return anchor_in(day.year + years, months + 1, anchor_day)


def anchor_before(day: date, anchor_day: int) -> date:
    """The last anchor that lies before this day."""
    anchor = anchor_in(day.year, day.month, anchor_day)
    if anchor < day:
        return anchor
    years, months = divmod(day.month - 2, 12)
    return anchor_in(day.year + years, months + 1, anchor_day)


def anchor_day_of(billing_date: date, *, known: int) -> int:
    """The anchor day that a billing date shows.

    `known` is the one known so far, 0 if none. It stays when the date is its anchor in that month: of an account that
    is billed on the 31st, the 28th of February tells nothing new.
    """
    if known and anchor_in(billing_date.year, billing_date.month, known) == billing_date:
        return known
    return billing_date.day


def month_at(now: datetime, *, since: datetime, anchor_day: int) -> tuple[datetime, datetime]:
    """The month of a chain in which `now` lies: its start and end.

    The chain's months run from anchor to anchor, the first from `since`, where the chain has come to.
    """
    today = utc_date(now)
    end = anchor_after(today, anchor_day)
    return max(midnight(anchor_before(end, anchor_day)), since), midnight(end)


def days_in_month_to(end: date, anchor_day: int) -> int:
    """How many days the full month has that ends at this anchor."""
    return (end - anchor_before(end, anchor_day)).days


def prorated(amount: int, *, days_left: int, days: int) -> int:
    """The share of a month's amount for the days left of it, rounded up in the customer's favour."""
    return -(-amount * days_left // days)
