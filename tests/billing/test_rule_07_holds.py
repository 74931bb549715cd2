"""Rule 7: holds are allocated when made, count against what is available, and end by capture, release or time-out."""

from datetime import timedelta

import pytest

from billing.commands import KeyedCommand
from billing.decide.holds import LONGEST
from billing.errors import (
    HoldEndedError,
    HoldExceededError,
    HoldTooLongError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidTimeError,
    UnknownHoldError,
)
from billing.state import HoldShare
from billing.values import NEVER, HoldId, HoldState
from tests.billing.builders import History, day, grant, spend
from tests.billing.looks import figures, held, hold_of, moves, places, refusal, since, written
from tests.billing.requests import capture, extend, hold, release

HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def history() -> History:
    """Five credits that never expire, and three that do on the 10th: those burn first."""
    history = History()
    history.install()
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    return history


def test_rule_07_a_hold_lies_on_grants_in_burn_order(history: History) -> None:
    decision = history.do(hold(4, key="work", lasts=HOUR))
    made = hold_of(history)
    assert made.shares == (HoldShare(grant_number=2, amount=3), HoldShare(grant_number=1, amount=1))
    assert (made.state, made.made_at, made.expires_at) == (HoldState.OPEN, history.now, history.now + HOUR)
    assert (made.credits, made.units, made.reference) == (4, 4, "repository:7#12")
    assert figures(history) == (4, 4, 0)
    entry = history.journal[written(decision) - 1]
    assert (entry.kind, entry.amount, entry.held_after, entry.hold_id) == ("hold", 0, 4, made.id)
    assert moves(history, entry.seq) == [("grant", "held", 2, 3), ("grant", "held", 1, 1)]
    assert places(history, 2) == {"held": 3}
    assert history.customer.account.next_timeout == made.expires_at


def test_rule_07_what_is_held_cant_be_spent_held_or_revoked(history: History) -> None:
    history.do(hold(6, key="work"))
    for request in (spend(3, key="s"), hold(3, key="h")):
        error = refusal(history.do(request))
        assert isinstance(error, InsufficientCreditsError)
        assert (error.requested, error.available) == (3, 2)
    history.do(spend(2, key="rest"))
    assert figures(history) == (0, 6, 0)


def test_rule_07_a_hold_that_is_too_large_holds_nothing(history: History) -> None:
    assert isinstance(refusal(history.do(hold(9, key="work"))), InsufficientCreditsError)
    assert figures(history) == (8, 0, 0)
    assert not history.all_holds


def test_rule_07_a_capture_spends_all(history: History) -> None:
    work = held(history, history.do(hold(4, key="work")))
    decision = history.do(capture(work, 4, key="done"))
    entry = history.journal[written(decision) - 1]
    assert (entry.kind, entry.amount, entry.held_after, entry.hold_id) == ("capture", -4, 0, work)
    assert entry.reference == "repository:7#12"
    assert moves(history, entry.seq) == [("held", "used", 2, 3), ("held", "used", 1, 1)]
    assert figures(history) == (4, 0, 0)
    assert (hold_of(history).state, hold_of(history).captured) == (HoldState.CAPTURED, 4)


def test_rule_07_a_capture_of_part_returns_the_rest_in_the_order_of_the_shares(history: History) -> None:
    work = held(history, history.do(hold(6, key="work")))
    decision = history.do(capture(work, 4, key="done"))
    assert moves(history, written(decision)) == [
        ("held", "used", 2, 3),
        ("held", "used", 1, 1),
        ("held", "grant", 1, 2),
    ]
    assert (history.journal[-1].amount, figures(history)) == (-4, (4, 0, 0))
    assert hold_of(history).captured == 4


def test_rule_07_a_capture_within_the_first_share_returns_the_later_ones_whole(history: History) -> None:
    work = held(history, history.do(hold(6, key="work")))
    decision = history.do(capture(work, 2, key="done"))
    assert moves(history, written(decision)) == [
        ("held", "used", 2, 2),
        ("held", "grant", 2, 1),
        ("held", "grant", 1, 3),
    ]


def test_rule_07_no_more_is_captured_than_is_held(history: History) -> None:
    work = held(history, history.do(hold(4, key="work")))
    error = refusal(history.do(capture(work, 5, key="done")))
    assert isinstance(error, HoldExceededError)
    assert (error.hold_id, error.requested, error.held) == (work, 5, 4)
    assert figures(history) == (4, 4, 0)
    assert isinstance(refusal(history.do(capture(work, 0, key="nothing"))), InvalidAmountError)


def test_rule_07_a_release_gives_everything_back(history: History) -> None:
    work = held(history, history.do(hold(4, key="work")))
    decision = history.do(release(work, key="given up"))
    entry = history.journal[written(decision) - 1]
    assert (entry.kind, entry.amount, entry.held_after, entry.actor) == ("release", 0, 0, "key:1")
    assert figures(history) == (8, 0, 0)
    assert hold_of(history).state is HoldState.RELEASED


def test_rule_07_a_hold_times_out_by_the_servers_clock(history: History) -> None:
    work = held(history, history.do(hold(4, key="work", lasts=HOUR)))
    timeout = history.now + HOUR
    history.now = timeout - MILLISECOND
    assert figures(history) == (4, 4, 0)
    history.now = timeout
    assert figures(history) == (8, 0, 0), "shown without being booked"
    assert history.lines()[-1] == ("hold", 0)
    history.wait(hours=2)
    history.do(spend(8, key="fix"))
    entry = history.journal[3]
    assert since(history, 3) == [("release", 0), ("spend", -8)]
    assert (entry.key, entry.actor, entry.occurred_at) == (f"timeout:{work}", "clock", timeout)
    assert hold_of(history).state is HoldState.TIMED_OUT
    assert history.customer.account.next_timeout == NEVER


def test_rule_07_time_outs_are_booked_in_their_order_and_the_next_is_remembered(history: History) -> None:
    third = held(history, history.do(hold(1, key="c", lasts=3 * HOUR)))
    second = held(history, history.do(hold(1, key="b", lasts=2 * HOUR)))
    first = held(history, history.do(hold(1, key="a1", lasts=HOUR)))
    twin = held(history, history.do(hold(1, key="a2", lasts=HOUR)))
    assert history.customer.account.next_timeout == day(12, 1, 10)
    history.wait(hours=2)
    history.do(spend(1, key="fix"))
    keys = [entry.key for entry in history.journal if entry.kind == "release"]
    assert keys == [f"timeout:{first}", f"timeout:{twin}", f"timeout:{second}"]
    assert history.customer.account.next_timeout == day(12, 1, 12)
    assert history.all_holds[third].state is HoldState.OPEN


def test_rule_07_a_bound_that_lies_too_early_is_put_right_when_it_is_met(history: History) -> None:
    work = held(history, history.do(hold(1, key="work", lasts=HOUR)))
    history.do(release(work, key="given up"))
    assert history.customer.account.next_timeout == day(12, 1, 10), "ending a hold looks at no other"
    history.wait(hours=2)
    history.do(spend(1, key="fix"))
    assert history.customer.account.next_timeout == NEVER


@pytest.mark.parametrize("state", [HoldState.CAPTURED, HoldState.RELEASED, HoldState.TIMED_OUT])
def test_rule_07_an_ended_hold_ends_once(history: History, state: HoldState) -> None:
    work = held(history, history.do(hold(4, key="work", lasts=HOUR)))
    match state:
        case HoldState.CAPTURED:
            history.do(capture(work, 1, key="end"))
        case HoldState.RELEASED:
            history.do(release(work, key="end"))
        case _:
            history.wait(hours=1)
    before = figures(history)
    for request in (capture(work, 1, key="x"), release(work, key="y"), extend(work, key="z")):
        error = refusal(history.do(request))
        assert isinstance(error, HoldEndedError)
        assert (error.hold_id, error.state) == (work, state.value)
    assert figures(history) == before


@pytest.mark.parametrize(
    "request_", [capture(HoldId(9), 1, key="k"), release(HoldId(9), key="k"), extend(HoldId(9), key="k")]
)
def test_rule_07_a_hold_that_isnt_there_is_unknown(history: History, request_: KeyedCommand) -> None:
    error = refusal(history.do(request_))
    assert isinstance(error, UnknownHoldError)
    assert error.hold_id == 9


def test_rule_07_what_returns_to_an_expired_grant_expires_with_it(history: History) -> None:
    history.now = day(12, 9)
    work = held(history, history.do(hold(4, key="work", lasts=timedelta(days=3))))
    history.now = day(12, 11)
    assert figures(history) == (4, 4, 0)
    history.do(release(work, key="given up"))
    assert since(history, 3) == [("release", 0), ("expire", -3)]
    assert history.journal[-1].occurred_at == day(12, 11), "that is when they returned"
    assert places(history, 2) == {"expired": 3}
    assert figures(history) == (5, 0, 0)


def test_rule_07_credits_held_in_time_can_be_captured_after_their_expiry(history: History) -> None:
    history.now = day(12, 9)
    work = held(history, history.do(hold(4, key="work", lasts=timedelta(days=3))))
    history.now = day(12, 11)
    history.do(capture(work, 2, key="done"))
    assert since(history, 3) == [("capture", -2), ("expire", -1)]
    assert places(history, 2) == {"spent": 2, "expired": 1}


def test_rule_07_a_time_out_after_the_expiry_returns_nothing(history: History) -> None:
    history.now = day(12, 9, 12)
    history.do(hold(4, key="work"))
    history.now = day(12, 12)
    assert figures(history) == (5, 0, 0)
    history.do(spend(1, key="fix"))
    assert since(history, 3) == [("release", 0), ("expire", -3), ("spend", -1)]
    timed_out, expired = history.journal[3:5]
    assert (timed_out.occurred_at, expired.occurred_at) == (day(12, 10, 12), day(12, 10, 12)), "as the credits returned"


def test_rule_07_a_grant_can_expire_twice(history: History) -> None:
    history.do(hold(1, key="work", lasts=timedelta(days=20)))
    history.now = day(12, 11)
    history.do(spend(1, key="fix"))
    history.now = day(12, 22)
    history.do(spend(1, key="fix:2"))
    assert [entry.key for entry in history.journal if entry.kind == "expire"] == ["expire:2:4", "expire:2:7"]


def test_rule_07_a_hold_can_be_extended_within_its_bound(history: History) -> None:
    work = held(history, history.do(hold(4, key="work", lasts=HOUR)))
    decision = history.do(extend(work, key="longer", lasts=2 * HOUR))
    entry = history.journal[written(decision) - 1]
    assert (entry.kind, entry.amount, entry.moves, entry.hold_id) == ("extend", 0, (), work)
    assert hold_of(history).expires_at == day(12, 1, 11)
    history.wait(hours=1)
    assert figures(history) == (4, 4, 0)
    history.do(extend(work, key="not shorter", lasts=MILLISECOND))
    assert hold_of(history).expires_at == day(12, 1, 11), "it is never shortened"
    history.wait(hours=1)
    assert figures(history) == (8, 0, 0)


def test_rule_07_no_hold_lasts_longer_than_thirty_days(history: History) -> None:
    error = refusal(history.do(hold(4, key="too long", lasts=LONGEST + MILLISECOND)))
    assert isinstance(error, HoldTooLongError)
    assert error.latest_at == history.now + LONGEST == day(12, 31, 9)
    work = held(history, history.do(hold(4, key="work", lasts=LONGEST)))
    history.wait(days=10)
    error = refusal(history.do(extend(work, key="longer", lasts=timedelta(days=20, milliseconds=1))))
    assert isinstance(error, HoldTooLongError)
    assert error.latest_at == day(12, 31, 9)
    assert isinstance(refusal(history.do(extend(work, key="for ever", lasts=timedelta.max))), HoldTooLongError)
    history.do(extend(work, key="just so", lasts=timedelta(days=20)))
    assert hold_of(history).expires_at == day(12, 31, 9)


@pytest.mark.parametrize("lasts", [timedelta(0), -HOUR, timedelta(microseconds=999)])
def test_rule_07_a_hold_lasts_for_some_time(history: History, lasts: timedelta) -> None:
    assert isinstance(refusal(history.do(hold(4, key="k", lasts=lasts))), InvalidTimeError)
    work = held(history, history.do(hold(4, key="k")))
    assert isinstance(refusal(history.do(extend(work, key="e", lasts=lasts))), InvalidTimeError)


def test_rule_07_holds_end_at_whole_milliseconds(history: History) -> None:
    odd = timedelta(hours=1, microseconds=1_900)
    work = held(history, history.do(hold(4, key="k", lasts=odd)))
    assert hold_of(history).expires_at == history.now + HOUR + MILLISECOND
    history.do(extend(work, key="e", lasts=odd + HOUR))
    assert hold_of(history).expires_at == history.now + 2 * HOUR + MILLISECOND


def test_rule_05_time_outs_are_booked_before_a_new_account_event(history: History) -> None:
    history.do(hold(4, key="work", lasts=HOUR))
    history.now = day(12, 11)
    history.install(2)
    assert since(history, 3) == [], "nothing moves, so nothing is booked"
    history.do(grant(1, key="more"))
    assert since(history, 3) == [("release", 0), ("expire", -3), ("grant", 1)]


def test_rule_07_a_hold_can_be_extended_to_its_very_bound(history: History) -> None:
    work = held(history, history.do(hold(4, key="work")))
    history.do(extend(work, key="at once", lasts=LONGEST))
    assert hold_of(history).expires_at == day(12, 31, 9)
    other = held(history, history.do(hold(1, key="other")))
    history.wait(hours=1)
    history.do(extend(other, key="later", lasts=LONGEST - HOUR))
    assert hold_of(history).expires_at == day(12, 31, 9)


def test_rule_07_a_hold_says_what_it_is_about(history: History) -> None:
    seq = written(history.do(hold(4, key="work", reference="repository:9#3")))
    assert history.journal[seq - 1].reference.startswith("repository:9#3 until:")
