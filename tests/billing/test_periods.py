"""Calendar arithmetic: anchors, their clamps, and shares of months."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import (
    anchor_after,
    anchor_before,
    anchor_day_of,
    anchor_in,
    days_in_month_to,
    midnight,
    month_at,
    prorated,
    utc_date,
)

DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))
ANCHOR_DAYS = st.integers(1, 31)


@pytest.mark.parametrize(
    ("day", "anchor_day", "before", "after"),
    [
        (date(2027, 1, 31), 31, date(2026, 12, 31), date(2027, 2, 28)),
        (date(2028, 1, 31), 31, date(2027, 12, 31), date(2028, 2, 29)),
        (date(2027, 2, 28), 31, date(2027, 1, 31), date(2027, 3, 31)),
        (date(2028, 2, 29), 29, date(2028, 1, 29), date(2028, 3, 29)),
        (date(2026, 12, 5), 5, date(2026, 11, 5), date(2027, 1, 5)),
        (date(2026, 12, 4), 5, date(2026, 11, 5), date(2026, 12, 5)),
        (date(2026, 1, 3), 5, date(2025, 12, 5), date(2026, 1, 5)),
    ],
)
def test_rule_13_the_31st_becomes_the_months_last(day: date, anchor_day: int, before: date, after: date) -> None:
    assert (anchor_before(day, anchor_day), anchor_after(day, anchor_day)) == (before, after)


@given(day=DAYS, anchor_day=ANCHOR_DAYS)
def test_anchors_lie_around_a_day_with_none_between(day: date, anchor_day: int) -> None:
    before, after = anchor_before(day, anchor_day), anchor_after(day, anchor_day)
    assert before < day < after
    for anchor in (before, after):
        last = calendar.monthrange(anchor.year, anchor.month)[1]
        assert anchor.day == min(anchor_day, last)
    between = anchor_after(before, anchor_day)
    assert between == (day if between == day else after)


@given(start=DAYS, anchor_day=ANCHOR_DAYS)
def test_a_chain_of_anchors_has_no_gap_and_no_drift(start: date, anchor_day: int) -> None:
    anchors = [anchor_after(start, anchor_day)]
    for _ in range(48):
        anchors.append(anchor_after(anchors[-1], anchor_day))
    for earlier, later in pairwise(anchors):
        assert anchor_before(later, anchor_day) == earlier
        assert 28 <= (later - earlier).days <= 31
        assert (later - earlier).days == days_in_month_to(later, anchor_day)
    assert {anchor.day for anchor in anchors if anchor.day != anchor_day} <= {28, 29, 30}
    assert len({(anchor.year, anchor.month) for anchor in anchors}) == len(anchors)


@given(
    now=st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 -- zoned beside
    back=st.timedeltas(timedelta(0), timedelta(days=400)),
    anchor_day=ANCHOR_DAYS,
)
def test_the_month_that_holds_now_begins_at_an_anchor_or_where_the_chain_came_to(
    now: datetime, back: timedelta, anchor_day: int
) -> None:
    since = midnight(utc_date(now - back))
    start, end = month_at(now, since=since, anchor_day=anchor_day)
    assert since <= start <= now < end
    assert start in (since, midnight(anchor_before(utc_date(end), anchor_day)))
    assert end == midnight(anchor_in(end.year, end.month, anchor_day))


@given(amount=st.integers(0, 10_000), days=st.integers(28, 31), data=st.data())
def test_a_share_is_rounded_up_and_never_above_the_whole(amount: int, days: int, data: st.DataObject) -> None:
    days_left = data.draw(st.integers(0, days))
    share = prorated(amount, days_left=days_left, days=days)
    assert share * days >= amount * days_left > (share - 1) * days
    assert share <= amount
    assert prorated(amount, days_left=days, days=days) == amount


@pytest.mark.parametrize(
    ("billing_date", "known", "anchor_day"),
    [
        (date(2027, 2, 28), 31, 31),
        (date(2027, 2, 28), 0, 28),
        (date(2027, 3, 31), 28, 31),
        (date(2027, 3, 5), 31, 5),
    ],
)
def test_a_clamped_billing_date_moves_no_anchor(billing_date: date, known: int, anchor_day: int) -> None:
    assert anchor_day_of(billing_date, known=known) == anchor_day


def test_days_are_days_in_utc() -> None:
    late = datetime(2026, 12, 4, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert utc_date(late) == date(2026, 12, 5)
    assert midnight(date(2026, 12, 5)) == datetime(2026, 12, 5, tzinfo=UTC)
