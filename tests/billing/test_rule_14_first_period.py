"""Rule 14: the first period runs to GitHub's billing date, and is granted as GitHub charges it."""

from datetime import timedelta

import pytest

from billing.values import NEVER
from tests.billing.builders import FREE, PRO, TEAM, WHOLE, History, day, pending_end, pending_plan, truth


def test_rule_14_a_purchase_is_granted_in_proportion_to_the_days_left() -> None:
    history = History()
    history.now = day(12, 20, 9)
    history.follow(truth(PRO, billed_at=day(1, 5, year=2027)), effective_at=day(12, 20))
    period = history.period
    assert (period.starts_at, period.ends_at) == (day(12, 20), day(1, 5, year=2027))
    assert (period.allowance, period.target, period.granted, period.grants) == (60, 31, 31, 1), "60 x 16 / 31, up"
    assert history.subscription.anchor_day == 5


def test_rule_14_the_grant_says_where_it_comes_from_and_when_it_expires() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(12, 1))
    (grant,) = history.all_grants.values()
    assert (grant.origin, grant.category, grant.priority) == ("plan", "paid", 50)
    assert (grant.provider, grant.period_starts_at) == ("github_marketplace", day(12, 1))
    assert grant.expires_at == day(12, 20) + timedelta(hours=72)
    (entry,) = history.journal
    assert entry.key == "plan:github_marketplace:1796083200000:1"
    assert entry.actor == "delivery:1"
    assert entry.reference.startswith("plan:pro terms:")


def test_rule_14_bought_on_the_billing_date_the_month_is_full() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(1, 1, year=2027)), effective_at=day(12, 1))
    assert (history.period.target, history.period.ends_at) == (60, day(1, 1, year=2027))


def test_rule_14_a_plan_first_seen_without_its_purchase_gets_the_full_month() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), "pending_change", effective_at=day(12, 20))
    assert (history.period.starts_at, history.period.ends_at) == (history.now, day(12, 20))
    assert history.available == 60
    # Its purchase delivered after all takes nothing back and adds nothing.
    history.follow(truth(PRO, billed_at=day(12, 20)), "purchased", effective_at=day(12, 1))
    assert history.available == 60


def test_rule_14_first_seen_on_the_billing_date_it_waits() -> None:
    # As when the answer was given before midnight, and applied after it.
    history = History(now=day(12, 20, 0))
    history.follow(truth(PRO, billed_at=day(12, 20)), "pending_change")
    assert (history.subscription.period, history.journal) == (None, [])
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "pending_change")
    assert (history.period.starts_at, history.available) == (day(12, 20), 60)


def test_rule_14_the_catalogue_can_grant_the_first_period_in_full() -> None:
    history = History()
    history.follow(truth(WHOLE, billed_at=day(12, 20)), effective_at=day(12, 1))
    assert history.available == 60


def test_rule_14_without_a_billing_date_the_chain_runs_from_the_purchase() -> None:
    history = History()
    history.follow(truth(PRO), effective_at=day(11, 30))
    assert (history.period.starts_at, history.period.ends_at) == (day(11, 30), day(12, 30))
    assert (history.subscription.anchor_day, history.available) == (30, 60)


def test_rule_14_a_free_plan_has_a_period_without_a_grant() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    assert (history.period.target, history.period.grants) == (0, 0)
    assert history.journal == []
    assert history.customer.account.next_expiry == NEVER


def test_rule_14_a_date_in_the_future_is_not_the_start() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(12, 2))
    assert history.period.starts_at == history.now


def test_rule_14_a_purchase_without_a_date_starts_now() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)))
    assert history.period.starts_at == history.now
    assert history.available == 38


def test_rule_14_the_date_of_another_plans_purchase_is_not_the_start() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(11, 25), hinted=FREE, repeats=4)
    assert history.period.starts_at == history.now
    assert history.available == 38


def test_rule_14_a_purchase_told_of_a_month_late_gets_the_month_that_holds_now() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(10, 3))
    assert (history.period.starts_at, history.period.ends_at) == (day(11, 20), day(12, 20))
    assert history.available == 60


def test_rule_14_told_of_at_the_very_end_of_its_first_period_it_gets_the_next() -> None:
    history = History(now=day(12, 20))
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), effective_at=day(12, 1))
    assert (history.period.starts_at, history.available) == (day(12, 20), 60)


def test_rule_14_told_of_late_and_on_the_billing_date_it_waits() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 1, 7)), effective_at=day(10, 3))
    assert (history.subscription.period, history.subscription.anchor_day) == (None, 0)
    history.follow(truth(PRO, billed_at=day(1, 1, 7, year=2027)), "pending_change")
    assert (history.period.starts_at, history.available) == (history.now, 60)


@pytest.mark.parametrize(
    ("ends_at", "expires_at"),
    [
        (day(12, 20), day(12, 20)),
        (day(12, 20, 7), day(12, 20, 7)),
        (day(12, 10), day(12, 20)),
        (day(12, 21), day(12, 23)),
        (None, day(12, 23)),
    ],
)
def test_rule_08_credits_of_a_plan_known_to_end_expire_with_it(ends_at: object, expires_at: object) -> None:
    history = History()
    pending = pending_end(ends_at)  # type: ignore[arg-type]
    history.follow(truth(PRO, billed_at=day(12, 20), pending=pending), effective_at=day(12, 1))
    assert history.all_grants[1].expires_at == expires_at


def test_rule_08_a_pending_change_of_plan_is_no_end() -> None:
    history = History()
    pending = pending_plan(FREE, day(12, 20))
    history.follow(truth(PRO, billed_at=day(12, 20), pending=pending), effective_at=day(12, 1))
    assert history.all_grants[1].expires_at == day(12, 23)


@pytest.mark.parametrize(("units", "granted"), [(7, 70), (1, 10), (0, 10), (None, 10)])
def test_rule_16_units_multiply_the_allowance_and_are_at_least_one(units: int | None, granted: int) -> None:
    history = History()
    history.follow(truth(TEAM, units=units), effective_at=day(12, 1))
    assert history.available == granted


def test_rule_16_the_last_known_units_hold_where_github_names_none() -> None:
    history = History()
    history.follow(truth(TEAM, units=7), effective_at=day(12, 1))
    history.follow(truth(TEAM, units=None), "pending_change")
    assert history.subscription.unit_count == 7


def test_rule_16_a_flat_plan_counts_one_whatever_github_says() -> None:
    history = History()
    history.follow(truth(PRO, units=7), effective_at=day(12, 1))
    assert (history.subscription.unit_count, history.available) == (1, 60)


def test_rule_18_a_trial_grants_nothing_and_the_paid_plan_does() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 15), on_free_trial=True), effective_at=day(12, 1))
    assert (history.subscription.state, history.subscription.period) == ("trialing", None)
    assert history.journal == []
    history.now = day(12, 15, 3)
    history.follow(truth(PRO, billed_at=day(1, 15, year=2027)), "changed", effective_at=day(12, 15), hinted=PRO)
    assert (history.subscription.state, history.available) == ("active", 60)
    assert history.subscription.started_at == day(12, 1)
