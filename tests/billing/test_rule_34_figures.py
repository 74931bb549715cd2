"""Rule 34: in a public repository figures are shown only if the account has chosen so; otherwise a word."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from billing.commands import Applied, Refused, ShowFigures
from billing.conversation import BalanceNow, Expiring, Level, PlanChange, balance_now, may_show_figures
from billing.errors import UnknownCustomerError
from billing.ledger.balance import available
from billing.state import CustomerState
from billing.values import Credits
from tests.billing.builders import (
    CUSTOMER_ID,
    FREE,
    MAX,
    PLANS,
    PRO,
    TEAM,
    UNKNOWN,
    History,
    day,
    grant,
    pending_end,
    pending_plan,
    spend,
    truth,
)
from tests.billing.requests import buy, hold, refund

BILLED = day(12, 20)
GRACE = timedelta(hours=72)


def installed() -> History:
    """A customer with the five credits of the default plan."""
    history = History()
    history.install()
    return history


def with_pro() -> History:
    """A customer without sign-up credits who has had Pro since November: 60 credits until the 20th."""
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), "changed")
    return history


def now_of(history: History) -> BalanceNow:
    """What can be told of the customer; nothing is booked for it."""
    before = history.customer
    told = balance_now(history.customer, PLANS, history.now)
    assert history.customer == before
    assert told.available == available(history.customer, history.now)
    return told


def chosen(state: CustomerState, *, shown: bool) -> CustomerState:
    """The customer after the choice."""
    return replace(state, customer=replace(state.customer, shows_figures=shown))


@pytest.mark.parametrize("shown", [True, False])
def test_rule_34_a_public_repository_shows_figures_only_if_the_account_has_chosen_so(*, shown: bool) -> None:
    state = chosen(installed().customer, shown=shown)
    assert may_show_figures(state, is_private=False) is shown
    assert may_show_figures(state, is_private=True)


def test_rule_34_figures_of_an_account_that_has_chosen_nothing_stay_private() -> None:
    assert not may_show_figures(installed().customer, is_private=False)
    assert not may_show_figures(None, is_private=False)
    assert may_show_figures(None, is_private=True)


def test_rule_34_the_choice_is_kept_and_can_be_taken_back() -> None:
    history = installed()
    before = history.customer
    for shown in (True, True, False):
        decision = history.do(ShowFigures(customer_id=CUSTOMER_ID, shown=shown))
        assert decision.outcome == Applied(customer_id=CUSTOMER_ID, entries=())
        assert history.customer == chosen(before, shown=shown)
    assert len(history.journal) == 1, "the choice is none of the ledger's business"


def test_rule_34_the_command_takes_nothing_that_is_not_kept() -> None:
    history = installed()
    decision = history.do(ShowFigures(customer_id=CUSTOMER_ID, shown=True))
    assert decision.state is not None
    kept = decision.state.customer
    assert {field.name for field in fields(ShowFigures)} == {"customer_id", "shown"}
    assert (kept.id, kept.shows_figures) == (CUSTOMER_ID, True)


def test_rule_34_nobody_chooses_for_a_customer_who_does_not_exist() -> None:
    decision = History().do(ShowFigures(customer_id=CUSTOMER_ID, shown=True))
    assert isinstance(decision.outcome, Refused)
    assert isinstance(decision.outcome.error, UnknownCustomerError)
    assert decision.state is None


def test_rule_34_what_is_held_is_told_apart_from_what_is_left() -> None:
    history = installed()
    history.do(hold(2, key="work"))
    told = now_of(history)
    assert (told.available, told.held, told.debt) == (Credits(3), Credits(2), Credits(0))


def test_rule_34_what_is_owed_is_told() -> None:
    history = installed()
    history.do(buy(6, key="order"))
    history.do(spend(9, key="a"))
    history.do(refund(2, 600, key="refund"))
    told = now_of(history)
    assert (told.available, told.held, told.debt) == (Credits(0), Credits(0), Credits(4))


@pytest.mark.parametrize(
    ("spent", "level"),
    [(0, Level.ENOUGH), (49, Level.ENOUGH), (50, Level.LOW), (59, Level.LOW), (60, Level.USED_UP)],
)
def test_rule_34_the_word_goes_by_what_the_plan_calls_low(spent: int, level: Level) -> None:
    history = with_pro()
    if spent:
        history.do(spend(spent, key="a"))
    assert now_of(history).level is level


@pytest.mark.parametrize(("spent", "level"), [(3, Level.ENOUGH), (4, Level.LOW), (5, Level.USED_UP)])
def test_rule_34_the_default_plan_has_words_of_its_own(spent: int, level: Level) -> None:
    history = installed()
    history.do(spend(spent, key="a"))
    assert now_of(history).level is level


def test_rule_34_without_a_threshold_nothing_is_low() -> None:
    history = History()
    history.follow(truth(MAX, billed_at=BILLED), "changed")
    history.do(spend(119, key="a"))
    assert now_of(history).level is Level.ENOUGH
    history.do(spend(1, key="b"))
    assert now_of(history).level is Level.USED_UP


def test_the_default_plan_gives_nothing_a_month() -> None:
    assert now_of(installed()) == BalanceNow(
        plan="Trial",
        available=Credits(5),
        level=Level.ENOUGH,
        expiring=None,
        monthly=Credits(0),
        renews_at=None,
        change=None,
        is_on_free_trial=False,
        is_unconfirmed=False,
        has_unknown_plan=False,
    )


def test_a_paid_plan_tells_what_it_gives_and_when_it_renews() -> None:
    assert now_of(with_pro()) == BalanceNow(
        plan="Pro",
        available=Credits(60),
        level=Level.ENOUGH,
        expiring=Expiring(credits=Credits(60), at=BILLED + GRACE),
        monthly=Credits(60),
        renews_at=BILLED,
        change=None,
        is_on_free_trial=False,
        is_unconfirmed=False,
        has_unknown_plan=False,
    )


def test_units_multiply_what_a_month_gives() -> None:
    history = History()
    history.follow(truth(TEAM, billed_at=BILLED, units=7), "changed")
    assert now_of(history).monthly == Credits(70)


def test_a_free_plan_of_the_marketplace_renews_nothing() -> None:
    history = installed()
    history.follow(truth(FREE), "changed")
    told = now_of(history)
    assert (told.plan, told.monthly, told.renews_at) == ("Trial", Credits(0), None)


def test_what_expires_next_is_told_of_all_grants_together() -> None:
    history = with_pro()
    soon = history.now + timedelta(days=2)
    history.do(grant(3, key="a", expires_at=soon))
    history.do(grant(4, key="b", expires_at=soon))
    history.do(grant(9, key="c"))
    assert now_of(history).expiring == Expiring(credits=Credits(7), at=soon)
    history.do(spend(7, key="d"))
    assert now_of(history).expiring == Expiring(credits=Credits(60), at=BILLED + GRACE)


def test_what_has_expired_is_told_no_more_though_nobody_booked_it() -> None:
    history = with_pro()
    soon = history.now + timedelta(days=2)
    history.do(grant(3, key="a", expires_at=soon))
    history.now = soon
    told = now_of(history)
    assert (told.available, told.expiring) == (Credits(60), Expiring(credits=Credits(60), at=BILLED + GRACE))


def test_a_clock_that_lags_does_not_bring_back_what_has_expired() -> None:
    history = with_pro()
    soon = history.now + timedelta(days=2)
    history.do(grant(3, key="a", expires_at=soon))
    history.now = soon
    history.do(spend(1, key="b"))
    history.now -= timedelta(days=1)
    told = now_of(history)
    assert (told.available, told.expiring) == (Credits(59), Expiring(credits=Credits(59), at=BILLED + GRACE))


def test_a_scheduled_change_is_told_by_the_catalogues_name() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_plan(MAX, BILLED)), "pending_change")
    told = now_of(history)
    assert told.change == PlanChange(plan="Max", at=BILLED)
    assert told.renews_at == BILLED


def test_a_scheduled_change_to_a_plan_that_the_catalogue_lacks_is_told_by_githubs_name() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_plan(UNKNOWN, BILLED)), "pending_change")
    assert now_of(history).change == PlanChange(plan="Plan 9999", at=BILLED)


def test_a_scheduled_end_is_told_and_nothing_renews_after_it() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_end(BILLED)), "pending_change")
    told = now_of(history)
    assert (told.change, told.renews_at) == (PlanChange(plan="", at=BILLED), None)


def test_a_scheduled_end_without_a_day_is_told_without_one() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_end(None)), "pending_change")
    told = now_of(history)
    assert (told.change, told.renews_at) == (PlanChange(plan="", at=None), None)


def test_months_go_on_until_a_later_end() -> None:
    history = with_pro()
    a_year_on = day(11, 20, year=2027)
    history.follow(truth(PRO, billed_at=a_year_on, pending=pending_end(a_year_on)), "pending_change")
    told = now_of(history)
    assert (told.change, told.renews_at) == (PlanChange(plan="", at=a_year_on), BILLED)


def test_a_month_that_github_does_not_show_as_paid_yet_is_told_by_its_day() -> None:
    history = with_pro()
    history.now = BILLED + timedelta(hours=5)
    told = now_of(history)
    assert told.renews_at == BILLED
    assert told.renews_at < history.now


def test_a_free_trial_is_told_and_nothing_renews_in_it() -> None:
    history = History()
    history.follow(truth(PRO, on_free_trial=True))
    told = now_of(history)
    assert (told.plan, told.is_on_free_trial, told.monthly, told.renews_at) == ("Pro", True, Credits(60), None)


def test_a_plan_that_github_does_not_show_is_told_as_unconfirmed() -> None:
    history = with_pro()
    history.follow(None, "changed", repeats=4)
    told = now_of(history)
    assert (told.plan, told.is_unconfirmed, told.renews_at) == ("Pro", True, None)


def test_an_ended_plan_is_told_no_more_but_its_credits_are() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    told = now_of(history)
    assert (told.plan, told.available, told.monthly, told.change) == ("Trial", Credits(60), Credits(0), None)
    assert told.expiring == Expiring(credits=Credits(60), at=BILLED + GRACE)


def test_a_plan_that_the_catalogue_does_not_know_is_told_as_such() -> None:
    history = with_pro()
    history.follow(truth(UNKNOWN, billed_at=BILLED), "changed")
    told = now_of(history)
    assert (told.plan, told.has_unknown_plan) == ("Pro", True)
    newcomer = History()
    newcomer.follow(truth(UNKNOWN))
    told = now_of(newcomer)
    assert (told.plan, told.has_unknown_plan, told.level) == ("Trial", True, Level.USED_UP)


def test_a_plan_before_its_first_period_renews_at_no_known_day() -> None:
    history = History()
    # GitHub shows a billing date that has passed: nothing is granted before it shows the next one.
    history.follow(truth(PRO, billed_at=history.now - timedelta(days=1)), "changed")
    told = now_of(history)
    assert (told.plan, told.monthly, told.renews_at) == ("Pro", Credits(60), None)
