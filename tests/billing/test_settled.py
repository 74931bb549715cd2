"""What people are shown: everything that is due as if it were booked, and nothing of it written."""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.ledger.balance import standing
from billing.settled import due_entries, settled
from billing.state import CustomerState
from billing.values import HoldId, HoldState
from tests.billing.builders import History, day, grant
from tests.billing.requests import hold


def whole(history: History) -> CustomerState:
    """The customer with all grants and holds."""
    return replace(history.customer, grants=tuple(history.all_grants.values()), holds=tuple(history.all_holds.values()))


def with_a_hold_on_credits_that_expire(expires_at: datetime) -> History:
    """Five credits for ever, and three that expire, of which two are held for an hour."""
    history = History(hold_id=HoldId(7))
    history.install()
    history.do(grant(3, key="short", expires_at=expires_at))
    history.do(hold(2, key="h", lasts=timedelta(hours=1)))
    return history


def test_nothing_due_changes_nothing() -> None:
    state = whole(with_a_hold_on_credits_that_expire(day(12, 2)))

    assert settled(state, day(12, 1, 9)) == state
    assert due_entries(state, day(12, 1, 9)) == ()


def test_what_timed_out_returns_and_what_expired_is_gone() -> None:
    history = with_a_hold_on_credits_that_expire(day(12, 1, 9) + timedelta(minutes=30))
    state, later = whole(history), history.now + timedelta(hours=2)

    after = settled(state, later)

    assert [(entry.kind.value, entry.amount) for entry in due_entries(state, later)] == [
        ("expire", -1),
        ("release", 0),
        ("expire", -2),
    ]
    assert (after.account.posted, after.account.held) == (5, 0)
    assert [(each.remaining, each.held, each.expired) for each in after.grants] == [(5, 0, 0), (0, 0, 3)]
    assert [each.state for each in after.holds] == [HoldState.TIMED_OUT]
    assert standing(state, later) == standing(after, later)
    assert whole(history) == state


def test_time_never_runs_backwards() -> None:
    state = whole(with_a_hold_on_credits_that_expire(day(12, 2)))

    assert settled(state, day(1, 1)) == state
