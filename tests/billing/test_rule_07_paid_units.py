"""Rule 7: what the credits don't cover is held as paid units; each one captured is granted, spent and charged."""

from dataclasses import replace

import pytest

from billing.commands import PaidTerms
from billing.errors import InsufficientCreditsError, InvalidAmountError
from billing.state import Charge
from billing.values import Category, HoldState, Origin
from tests.billing.builders import ACCOUNT_ID, History, grant, spend
from tests.billing.looks import figures, held, hold_of, moves, places, refusal, written
from tests.billing.requests import capture, hold, paid, release


@pytest.fixture
def history() -> History:
    """Five credits."""
    history = History()
    history.install()
    return history


def test_rule_07_what_the_credits_dont_cover_is_held_as_paid_units(history: History) -> None:
    history.do(hold(7, key="work", terms=paid(3, 2900)))
    made = hold_of(history)
    assert (made.credits, made.paid_units, made.price_cents, made.units) == (5, 2, 2900, 7)
    assert figures(history) == (0, 5, 0)


def test_rule_07_a_hold_that_credits_cover_has_no_paid_units(history: History) -> None:
    history.do(hold(5, key="work", terms=paid(3, 2900)))
    made = hold_of(history)
    assert (made.credits, made.paid_units, made.price_cents) == (5, 0, 0)


def test_rule_07_money_pays_for_no_more_than_it_may(history: History) -> None:
    error = refusal(history.do(hold(9, key="work", terms=paid(3))))
    assert isinstance(error, InsufficientCreditsError)
    assert (error.requested, error.available) == (9, 5)
    assert not history.all_holds


def test_rule_07_a_hold_of_paid_units_alone_moves_no_credits(history: History) -> None:
    history.do(spend(5, key="all"))
    decision = history.do(hold(2, key="work", terms=paid(2)))
    assert moves(history, written(decision)) == []
    assert (hold_of(history).shares, hold_of(history).paid_units) == ((), 2)
    history.do(release(hold_of(history).id, key="given up"))
    assert (history.lines()[-1], hold_of(history).state) == (("release", 0), HoldState.RELEASED)


def test_rule_07_each_captured_paid_unit_is_granted_spent_and_charged_in_one_entry(history: History) -> None:
    work = held(history, history.do(hold(7, key="work", terms=paid(2, 2900))))
    decision = history.do(capture(work, 7, key="done"))
    seq = written(decision)
    assert moves(history, seq) == [
        ("held", "used", 1, 5),
        ("issued", "grant", 2, 1),
        ("grant", "used", 2, 1),
        ("issued", "grant", 3, 1),
        ("grant", "used", 3, 1),
    ]
    assert history.journal[-1].amount == -5
    unit = history.all_grants[2]
    assert (unit.origin, unit.category, unit.amount, unit.spent) == (Origin.CHARGED, Category.PAID, 1, 1)
    first = Charge(
        hold_id=work,
        number=1,
        account_id=ACCOUNT_ID,
        seq=seq,
        grant_number=2,
        amount_cents=2900,
        created_at=history.now,
    )
    assert history.charges == [first, replace(first, number=2, grant_number=3)]
    assert decision.charges == tuple(history.charges)
    assert (hold_of(history).captured, figures(history)) == (7, (0, 0, 0))


def test_rule_07_credits_available_by_then_pay_first(history: History) -> None:
    work = held(history, history.do(hold(8, key="work", terms=paid(3))))
    history.do(grant(2, key="gift"))
    decision = history.do(capture(work, 8, key="done"))
    assert moves(history, written(decision)) == [
        ("held", "used", 1, 5),
        ("grant", "used", 2, 2),
        ("issued", "grant", 3, 1),
        ("grant", "used", 3, 1),
    ]
    assert [charge.number for charge in history.charges] == [1]
    assert places(history, 2) == {"spent": 2}


def test_rule_07_credits_are_captured_before_paid_units(history: History) -> None:
    work = held(history, history.do(hold(7, key="work", terms=paid(2))))
    history.do(capture(work, 4, key="done"))
    assert history.charges == []
    assert figures(history) == (1, 0, 0)


def test_rule_07_usage_is_hold_and_capture_in_one(history: History) -> None:
    decision = history.do(replace(spend(7, key="fix"), paid=paid(2, 1500)))
    seq = written(decision)
    entry = history.journal[seq - 1]
    assert (entry.kind, entry.amount) == ("spend", -5)
    assert moves(history, seq)[0] == ("grant", "used", 1, 5)
    made = hold_of(history)
    assert (entry.hold_id, made.paid_units, made.captured, made.state) == (made.id, 2, 2, HoldState.CAPTURED)
    assert [(charge.hold_id, charge.number, charge.amount_cents) for charge in history.charges] == [
        (made.id, 1, 1500),
        (made.id, 2, 1500),
    ]
    assert history.balance.held == 0


def test_rule_07_a_spend_that_credits_cover_charges_nothing(history: History) -> None:
    history.do(replace(spend(5, key="fix"), paid=paid(2)))
    assert (history.charges, history.all_holds) == ([], {})


def test_rule_07_a_spend_beyond_what_money_may_pay_for_is_refused(history: History) -> None:
    assert isinstance(refusal(history.do(replace(spend(8, key="fix"), paid=paid(2)))), InsufficientCreditsError)
    assert figures(history) == (5, 0, 0)


@pytest.mark.parametrize("terms", [paid(-1), paid(1, -1), PaidTerms(units=True, price_cents=1)])
def test_rule_07_terms_are_whole_numbers(history: History, terms: PaidTerms) -> None:
    for request in (hold(7, key="k", terms=terms), replace(spend(7, key="k"), paid=terms)):
        assert isinstance(refusal(history.do(request)), InvalidAmountError)


def test_rule_07_what_a_paid_spend_is_about_stands_with_its_units(history: History) -> None:
    history.do(replace(spend(7, key="fix", reference="repository:9#3"), paid=paid(2)))
    assert hold_of(history).reference == "repository:9#3"


def test_rule_07_one_request_is_about_fifty_paid_units_at_most(history: History) -> None:
    """Each is a grant and a charge of its own, in one entry."""
    for request in (hold(7, key="k", terms=paid(51)), replace(spend(7, key="k"), paid=paid(51))):
        error = refusal(history.do(request))
        assert isinstance(error, InvalidAmountError)
        assert error.value == 51
    history.do(replace(spend(55, key="k"), paid=paid(50)))
    assert len(history.charges) == 50
