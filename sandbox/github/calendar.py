"""GitHub's billing dates: one day of the month for each account, shared by everything it pays for."""

import calendar
from datetime import UTC, datetime, timedelta

from sandbox.github.model import BillingCycle

TRIAL_DAYS = 14
"""A free trial always lasts fourteen days (GitHub documentation, "About free trials")."""


def midnight(moment: datetime) -> datetime:
    """Return the start of this moment's day in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _on_billing_day(year: int, month: int, billing_day: int) -> datetime:
    """Return the billing date of a month; the 31st becomes the month's last day."""
    last = calendar.monthrange(year, month)[1]
    return datetime(year, month, min(billing_day, last), tzinfo=UTC)


def billing_date_after(moment: datetime, *, billing_day: int) -> datetime:
    """Return the first monthly billing date that lies after this moment's day."""
    day = midnight(moment)
    date = _on_billing_day(day.year, day.month, billing_day)
    if date > day:
        return date
    # The first of a month plus 32 days always lies in the next one.
    following = day.replace(day=1) + timedelta(days=32)
    return _on_billing_day(following.year, following.month, billing_day)


def first_billing_date(moment: datetime, *, billing_day: int, cycle: BillingCycle) -> datetime:
    """Return when something bought now is charged again.

    GitHub charges the first cycle only up to the account's own billing date, so it is a short one: up to a month, or
    the year that ends on the account's last billing date within twelve months.
    """
    if cycle == "monthly":
        return billing_date_after(moment, billing_day=billing_day)
    day = midnight(moment)
    same_month = _on_billing_day(day.year + 1, day.month, billing_day)
    if same_month <= _on_billing_day(day.year + 1, day.month, day.day):
        return same_month
    before = day.replace(day=1) - timedelta(days=1)
    return _on_billing_day(before.year + 1, before.month, billing_day)


def renewal_date(previous: datetime, *, billing_day: int, cycle: BillingCycle) -> datetime:
    """Return the billing date that follows one."""
    if cycle == "monthly":
        return billing_date_after(previous, billing_day=billing_day)
    return _on_billing_day(previous.year + 1, previous.month, billing_day)
