"""Rule 1: whole numbers only; times exact to the millisecond."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.errors import InvalidAmountError, TemporaryFailureError
from billing.paces import Limit
from billing.values import Credits, copied, from_milliseconds, to_milliseconds, to_the_millisecond
from tests.billing.builders import grant


@pytest.mark.parametrize("count", [-1, 1.0, "1", True, None])
def test_rule_01_credits_are_whole_numbers_of_zero_or_more(count: object) -> None:
    with pytest.raises(InvalidAmountError) as caught:
        Credits(count)  # type: ignore[arg-type]
    assert caught.value.value is count


def test_credits_add_up_and_never_fall_below_zero() -> None:
    assert Credits(2) + Credits(3) == Credits(5)
    assert Credits(5) - Credits(5) == Credits(0)
    assert Credits(1)
    assert not Credits(0)
    assert Credits(1) < Credits(2)
    with pytest.raises(InvalidAmountError):
        Credits(1) - Credits(2)


def test_times_survive_the_way_through_milliseconds() -> None:
    moment = datetime(2026, 12, 24, 18, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=1)))
    exact = to_the_millisecond(moment)
    assert exact == datetime(2026, 12, 24, 17, 30, 1, 999_000, tzinfo=UTC)
    assert from_milliseconds(to_milliseconds(moment)) == exact


def test_a_copy_says_the_same_until_it_is_changed() -> None:
    given = grant(3, key="given")
    copy = copied(given)
    assert copy == given
    copy.actor = "clock"  # type: ignore[misc]
    assert copy == replace(given, actor="clock")
    assert given == grant(3, key="given")
    with pytest.raises(AttributeError, match="amounts"):
        copy.amounts = Credits(4)  # type: ignore[attr-defined]


def test_a_temporary_failure_tells_when_to_come_back() -> None:
    failure = TemporaryFailureError("GitHub limits us", retry_after_seconds=60)
    assert (failure.reason, failure.retry_after_seconds) == ("GitHub limits us", 60)


def test_values_are_frozen_by_the_type_checker() -> None:
    one, other = Limit(count=2, seconds=60), Limit(count=2, seconds=60)
    assert one == other
    assert len({one, other}) == 1

    # Would the checker let these pass, it would call the remarks behind them needless, and the build would fail.
    one.count = 3  # type: ignore[misc]
    Limit(2, 60)  # type: ignore[call-arg]

    # Python itself only knows which fields there are.
    assert one != other
    with pytest.raises(AttributeError):
        one.minutes = 1  # type: ignore[attr-defined]
