"""GitHub's billing dates: the account's own day of the month, short first cycles, months' ends."""

from datetime import UTC, datetime

import pytest

from sandbox.github.calendar import billing_date_after, first_billing_date, renewal_date
from sandbox.github.model import BillingCycle


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("bought", "billing_day", "cycle", "expected"),
    [
        ("2026-01-10T12:00", 25, "monthly", "2026-01-25"),
        ("2026-01-10T12:00", 11, "monthly", "2026-01-11"),
        ("2026-01-10T12:00", 10, "monthly", "2026-02-10"),
        ("2026-01-10T00:00", 10, "monthly", "2026-02-10"),
        ("2026-01-10T23:59", 1, "monthly", "2026-02-01"),
        ("2026-01-31T12:00", 31, "monthly", "2026-02-28"),
        ("2026-02-10T12:00", 31, "monthly", "2026-02-28"),
        ("2028-02-10T12:00", 31, "monthly", "2028-02-29"),
        ("2026-02-28T12:00", 31, "monthly", "2026-03-31"),
        ("2026-12-31T12:00", 5, "monthly", "2027-01-05"),
        ("2026-01-10T12:00", 10, "yearly", "2027-01-10"),
        ("2026-01-10T12:00", 25, "yearly", "2026-12-25"),
        ("2026-01-10T12:00", 5, "yearly", "2027-01-05"),
        ("2026-03-10T12:00", 31, "yearly", "2027-02-28"),
        ("2028-02-29T12:00", 29, "yearly", "2029-02-28"),
    ],
)
def test_the_first_cycle_ends_on_the_accounts_own_day(
    bought: str, billing_day: int, cycle: BillingCycle, expected: str
) -> None:
    assert first_billing_date(day(bought), billing_day=billing_day, cycle=cycle) == day(expected)


def test_months_ends_come_back_to_the_31st() -> None:
    dates = [day("2026-01-31")]
    for _ in range(4):
        dates.append(renewal_date(dates[-1], billing_day=31, cycle="monthly"))
    assert dates[1:] == [day("2026-02-28"), day("2026-03-31"), day("2026-04-30"), day("2026-05-31")]


def test_years_renew_on_the_same_day() -> None:
    assert renewal_date(day("2028-02-29"), billing_day=29, cycle="yearly") == day("2029-02-28")
    assert renewal_date(day("2026-12-25"), billing_day=25, cycle="yearly") == day("2027-12-25")


def test_a_billing_date_lies_after_the_day() -> None:
    assert billing_date_after(day("2026-01-10T00:00"), billing_day=10) == day("2026-02-10")
