"""Missed grants are found by what is stored, and made up for once, whichever comes first."""

from dataclasses import replace
from datetime import datetime

import pytest

from billing.commands import Backfilled, BackfillGrants, MissingGrant, Refused
from billing.errors import UnknownCustomerError
from billing.state import Period, Subscription
from billing.values import NEVER, Credits, CustomerId, HoldState, Origin, Provider, SubscriptionState
from tests.billing.builders import (
    ACCOUNT_ID,
    CUSTOMER_ID,
    FREE,
    PRO,
    ROLLING,
    History,
    day,
    grant,
    note,
    pending_end,
    spend,
    truth,
)
from tests.billing.looks import figures, hold_of, since
from tests.billing.requests import hold, usage

BACKFILL = BackfillGrants(customer_id=CUSTOMER_ID, is_dry_run=False, note=note("granted late: our outage"))
DRY_RUN = replace(BACKFILL, is_dry_run=True)


def backfilled(history: History, command: BackfillGrants = BACKFILL) -> Backfilled:
    """What the backfill found."""
    outcome = history.do(command).outcome
    assert isinstance(outcome, Backfilled)
    return outcome


def without_signup() -> History:
    """A customer with an installation who never got the sign-up credits, by some fault."""
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    other = History()
    other.install()
    history.state = replace(history.customer, installations=other.customer.installations)
    return history


def with_pro(*, billed_at: datetime | None = None, plan: int = PRO) -> History:
    """A customer whose month runs to the 20th; now is the 15th."""
    history = History()
    history.follow(truth(plan, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 15)
    if billed_at is not None:
        change(history, next_billing_date=billed_at)
    return history


def change(history: History, **fields: object) -> None:
    """Store something else of the subscription, as a fault or an answer without its consequence would."""
    subscription: Subscription = replace(history.subscription, **fields)  # type: ignore[arg-type]
    history.state = replace(history.customer, subscriptions=(subscription,))


def test_nothing_is_missing_where_everything_was_granted() -> None:
    history = with_pro()
    history.install()
    assert backfilled(history) == Backfilled(customer_id=CUSTOMER_ID, missing=(), entries=())
    assert backfilled(history, DRY_RUN).missing == ()
    assert len(history.journal) == 2


def test_nobody_has_nothing_to_be_made_up_for() -> None:
    outcome = History().do(replace(BACKFILL, customer_id=CustomerId(99))).outcome
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, UnknownCustomerError)


def test_sign_up_credits_that_were_never_granted() -> None:
    history = without_signup()
    expected = MissingGrant(
        origin=Origin.SIGNUP,
        amount=Credits(5),
        expires_at=NEVER,
        key="signup",
        reference="plan:trial installation:1",
    )
    dry = backfilled(history, DRY_RUN)
    assert (dry.missing, dry.entries, history.journal) == ((expected,), (), [])
    done = backfilled(history)
    assert (done.missing, done.entries) == ((expected,), (1,))
    entry = history.journal[0]
    assert (entry.key, entry.actor, entry.occurred_at) == ("signup", "operator", history.now)
    assert history.notes[1].text == "granted late: our outage"
    assert history.customer.customer.signup_at == history.now
    assert backfilled(history).missing == ()
    history.install(2)
    assert figures(history) == (5, 0, 0), "the ordinary grant has the same key and comes no more"


def test_an_entry_without_a_note_has_none() -> None:
    history = without_signup()
    backfilled(history, replace(BACKFILL, note=None))
    assert (history.notes, history.journal[0].note_hash) == ({}, b"")


def test_what_is_due_is_booked_before_the_sign_up_credits() -> None:
    history = without_signup()
    history.do(grant(3, key="a", expires_at=day(12, 3)))
    history.now = day(12, 4)
    backfilled(history)
    assert history.lines() == [("grant", 3), ("expire", -3), ("grant", 5)]


def test_withheld_sign_up_credits_stay_withheld() -> None:
    history = without_signup()
    history.state = replace(history.customer, customer=replace(history.customer.customer, signup_withheld=True))
    assert backfilled(history).missing == ()


def test_without_an_installation_no_sign_up_credits_are_due() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    assert backfilled(history).missing == ()


def test_a_plan_without_sign_up_credits_owes_none() -> None:
    history = without_signup()
    default = replace(history.plans.default, signup_credits=0)
    history.plans = replace(history.plans, plans={**history.plans.plans, "trial": default})
    assert backfilled(history).missing == ()


def test_a_period_that_lacks_credits_gets_them_once() -> None:
    history = with_pro()
    period: Period = history.period
    change(history, period=replace(period, granted=45))
    done = backfilled(history)
    assert [(each.origin, each.amount.count, each.expires_at) for each in done.missing] == [
        (Origin.PLAN, 15, day(12, 23))
    ]
    assert done.missing[0].key == history.journal[-1].key
    assert done.missing[0].key.endswith(":2"), "the second grant of this period"
    assert done.missing[0].reference == "plan:pro"
    assert (history.period.granted, history.period.grants) == (60, 2)
    assert backfilled(history).missing == ()


def test_a_month_that_runs_by_the_next_billing_date_but_never_began() -> None:
    history = with_pro(billed_at=day(1, 20, year=2027))
    history.do(spend(10, key="s"))
    history.now = day(12, 25)
    assert figures(history) == (0, 0, 0), "the month before has expired"
    (missing,) = backfilled(history, DRY_RUN).missing
    assert (missing.amount, missing.expires_at) == (Credits(60), day(1, 23, year=2027))
    done = backfilled(history)
    assert since(history, 2) == [("expire", -50), ("grant", 60)]
    assert done.entries == (3, 4)
    assert (history.period.starts_at, history.period.ends_at) == (day(12, 20), day(1, 20, year=2027))
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    assert figures(history) == (60, 0, 0), "a delivery that comes after all grants nothing twice"


def test_only_the_month_that_holds_now_is_granted() -> None:
    history = with_pro(billed_at=day(11, 20, year=2027))
    history.now = day(3, 1, year=2027)
    done = backfilled(history)
    assert [each.amount.count for each in done.missing] == [60]
    assert history.period.starts_at == day(2, 20, year=2027)


def test_a_month_that_may_not_be_paid_waits() -> None:
    history = with_pro()
    history.now = day(12, 21)
    assert backfilled(history).missing == ()


def test_a_paid_year_ends() -> None:
    history = with_pro(billed_at=day(2, 20, year=2027))
    history.now = day(2, 21, year=2027)
    assert backfilled(history).missing == ()


@pytest.mark.parametrize("state", [SubscriptionState.TRIALING, SubscriptionState.UNCONFIRMED, SubscriptionState.ENDED])
def test_what_the_provider_has_to_show_again_first_waits(state: SubscriptionState) -> None:
    history = with_pro(billed_at=day(1, 20, year=2027))
    change(history, state=state, period=replace(history.period, granted=45))
    assert backfilled(history).missing == ()


def test_a_plan_that_is_not_in_the_catalogue_waits() -> None:
    history = with_pro()
    change(history, period=replace(history.period, granted=45), unmapped_plan_id=9999)
    assert backfilled(history).missing == ()
    change(history, unmapped_plan_id=0, plan="gone")
    assert backfilled(history).missing == ()


def test_a_subscription_without_a_period_waits_for_its_provider() -> None:
    history = with_pro()
    change(history, period=None)
    assert backfilled(history).missing == ()


def test_what_would_have_expired_by_now_is_not_granted() -> None:
    history = with_pro()
    change(history, period=replace(history.period, granted=45))
    history.now = day(12, 22, 23)
    assert [each.amount.count for each in backfilled(history, DRY_RUN).missing] == [15]
    history.now = day(12, 23)
    assert backfilled(history).missing == ()


def test_an_end_that_is_known_ends_the_credits_with_the_period() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20), pending=pending_end(day(12, 20))), effective_at=day(11, 20))
    change(history, period=replace(history.period, granted=45))
    (missing,) = backfilled(history).missing
    assert missing.expires_at == day(12, 20)


def test_what_rolls_over_does_so_as_ever() -> None:
    history = with_pro(billed_at=day(1, 20, year=2027), plan=ROLLING)
    history.now = day(12, 21)
    done = backfilled(history)
    assert since(history, 1) == [("expire", -60), ("grant", 25), ("grant", 60)]
    assert [each.amount.count for each in done.missing] == [60], "what rolled over was granted before"


def test_sign_up_and_plan_are_made_up_for_together() -> None:
    history = without_signup()
    both = with_pro()
    change(both, period=replace(both.period, granted=45))
    both.state = replace(both.customer, installations=history.customer.installations)
    done = backfilled(both)
    assert [each.origin for each in done.missing] == [Origin.SIGNUP, Origin.PLAN]
    assert {both.notes[seq].text for seq in done.entries} == {"granted late: our outage"}
    assert both.customer.subscription(Provider.GITHUB_MARKETPLACE) is not None


def test_missed_credits_repay_debt_like_others() -> None:
    history = with_pro()
    history.do(spend(60, key="all"))
    history.do(usage(4, key="late", at=history.now))
    change(history, period=replace(history.period, granted=45))
    done = backfilled(history)
    assert since(history, 3) == [("grant", 15), ("repay", -4)]
    assert [each.amount.count for each in done.missing] == [15]
    assert figures(history) == (11, 0, 0)


def test_notes_stand_beside_the_entries_of_the_account() -> None:
    history = without_signup()
    decision = history.do(BACKFILL)
    assert isinstance(decision.outcome, Backfilled)
    assert decision.outcome.customer_id == CUSTOMER_ID
    assert [(row.account_id, row.seq) for row in decision.notes] == [(ACCOUNT_ID, 1)]


def test_a_hold_that_is_due_ends_before_the_sign_up_credits() -> None:
    history = without_signup()
    history.do(grant(3, key="a"))
    history.do(hold(2, key="work"))
    history.wait(days=2)
    backfilled(history)
    assert since(history, 2) == [("release", 0), ("grant", 5)]
    assert hold_of(history).state is HoldState.TIMED_OUT
