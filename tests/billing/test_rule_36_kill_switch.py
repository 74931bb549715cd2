"""Rule 36: while billing is off nothing is refused for want of credits, nothing is owed, and no charge is started."""

from dataclasses import replace

import pytest

from billing.commands import Refused
from billing.errors import IdempotencyConflictError, InsufficientCreditsError, InvalidKeyError
from tests.billing.builders import History, revoke, spend
from tests.billing.looks import figures, held, hold_of, moves, refusal, since, written
from tests.billing.requests import buy, capture, hold, paid, release, usage


@pytest.fixture
def history() -> History:
    """Five credits, and billing is off."""
    history = History(is_billing_on=False)
    history.install()
    return history


def test_rule_36_a_spend_takes_what_is_there_and_the_rest_is_waived(history: History) -> None:
    seq = written(history.do(spend(7, key="fix")))
    assert since(history, 1) == [("spend", -5), ("waive", 0)]
    spent, waived = history.journal[-2:]
    assert (spent.seq, spent.key) == (seq, "fix")
    assert (waived.key, waived.actor) == (f"waive:{waived.seq}", spent.actor)
    assert waived.reference == f"repository:7#12 entry:{seq}"
    assert moves(history, waived.seq) == [("waived", "used", 0, 2)]
    assert figures(history) == (0, 0, 0)


def test_rule_36_where_nothing_is_left_the_waiver_carries_the_key(history: History) -> None:
    history.do(spend(5, key="all"))
    seq = written(history.do(spend(3, key="fix")))
    waived = history.journal[seq - 1]
    assert (waived.kind, waived.key, waived.reference) == ("waive", "fix", "repository:7#12")
    assert moves(history, seq) == [("waived", "used", 0, 3)]


def test_rule_36_a_spend_that_credits_cover_is_as_ever(history: History) -> None:
    history.do(spend(5, key="fix"))
    assert since(history, 1) == [("spend", -5)]


def test_rule_36_no_charge_is_started(history: History) -> None:
    history.do(replace(spend(7, key="fix"), paid=paid(2)))
    work = held(history, history.do(hold(2, key="work", terms=paid(2))))
    assert (hold_of(history).paid_units, hold_of(history).price_cents, hold_of(history).waived_units) == (0, 0, 2)
    history.do(capture(work, 2, key="done"))
    assert history.charges == []


def test_rule_36_a_hold_takes_what_is_there_and_waives_the_rest_when_captured(history: History) -> None:
    work = held(history, history.do(hold(7, key="work")))
    made = hold_of(history)
    assert (made.credits, made.waived_units, made.units) == (5, 2, 7)
    # It was made while billing was off: it is never billed later.
    history.is_billing_on = True
    history.do(buy(9, key="pack"))
    seq = written(history.do(capture(work, 7, key="done")))
    assert moves(history, seq) == [("held", "used", 1, 5), ("waived", "used", 0, 2)]
    assert (figures(history), history.charges) == ((9, 0, 0), [])


def test_rule_36_a_hold_of_waived_units_alone_can_be_released(history: History) -> None:
    history.do(spend(5, key="all"))
    work = held(history, history.do(hold(2, key="work")))
    seq = written(history.do(release(work, key="given up")))
    assert moves(history, seq) == []


def test_rule_36_paid_units_held_before_are_waived_at_capture() -> None:
    history = History()
    history.install()
    work = held(history, history.do(hold(8, key="work", terms=paid(3))))
    history.is_billing_on = False
    history.do(buy(1, key="one"))
    seq = written(history.do(capture(work, 8, key="done")))
    assert moves(history, seq) == [("held", "used", 1, 5), ("grant", "used", 2, 1), ("waived", "used", 0, 2)]
    assert history.charges == []


def test_rule_36_late_usage_is_waived_instead_of_owed(history: History) -> None:
    seq = written(history.do(usage(7, key="late", at=history.now)))
    assert since(history, 1) == [("spend", -5), ("waive", 0)]
    assert (history.journal[-1].reference, seq) == ("repository:7#12 entry:2", 2)
    seq = written(history.do(usage(2, key="later", at=history.now)))
    assert (history.journal[seq - 1].kind, history.journal[seq - 1].key) == ("waive", "later")
    assert figures(history) == (0, 0, 0)


def test_rule_36_idempotency_and_conflicts_work_as_ever(history: History) -> None:
    first = history.do(spend(7, key="fix")).outcome
    again = history.do(spend(7, key="fix")).outcome
    assert again == replace(first, replayed=True)  # type: ignore[arg-type]
    conflict = history.do(spend(8, key="fix")).outcome
    assert isinstance(conflict, Refused)
    assert isinstance(conflict.error, IdempotencyConflictError)
    assert isinstance(refusal(history.do(spend(1, key="signup"))), InvalidKeyError)
    assert len(history.journal) == 3


def test_rule_36_a_refusal_kept_from_before_stays_the_answer() -> None:
    history = History()
    history.install()
    history.do(spend(7, key="fix"))
    history.is_billing_on = False
    assert isinstance(refusal(history.do(spend(7, key="fix"))), InsufficientCreditsError)


def test_rule_36_taking_credits_back_is_no_usage(history: History) -> None:
    assert isinstance(refusal(history.do(revoke(7, key="r"))), InsufficientCreditsError)
