"""Rule 15: a change in mid-period raises its target in proportion, never above the highest allowance seen in it."""

import pytest

from billing.plans import parse_plans
from tests.billing.builders import CATALOG, FREE, MAX, PRO, STARTER, TEAM, History, day, spend, truth

BOUGHT = day(11, 30)
BILLED = day(12, 30)


def with_pro() -> History:
    """A customer who has Pro for a full period of 30 days, which ends on the 30th of December."""
    history = History(now=day(11, 30, 9))
    history.follow(truth(PRO, billed_at=BILLED), effective_at=BOUGHT)
    assert history.available == 60
    return history


def change(history: History, plan: int, day_of_month: int, *, units: int = 1) -> None:
    """Change the plan on a day of December, which is told at once."""
    history.now = day(12, day_of_month, 12)
    shown = truth(plan, billed_at=BILLED, units=units)
    history.follow(shown, "changed", effective_at=day(12, day_of_month), hinted=plan)


def test_rule_15_an_upgrade_grants_its_share_of_the_days_left() -> None:
    history = with_pro()
    change(history, MAX, 10)
    assert history.lines() == [("grant", 60), ("grant", 40)], "60 more, for 20 days of 30"
    assert (history.period.allowance, history.period.target, history.period.grants) == (120, 100, 2)
    assert history.journal[1].key == "plan:github_marketplace:1795996800000:2"
    first, second = history.all_grants.values()
    assert (first.expires_at, first.period_starts_at) == (second.expires_at, second.period_starts_at)


def test_rule_15_the_share_is_rounded_up() -> None:
    history = with_pro()
    change(history, MAX, 29)
    assert history.journal[-1].amount == 2


def test_rule_15_one_credit_more_counts_too() -> None:
    history = with_pro()
    history.plans = parse_plans(CATALOG.replace("included_credits = 120", "included_credits = 61"))
    change(history, MAX, 29)
    assert history.lines() == [("grant", 60), ("grant", 1)]


def test_rule_15_a_clock_set_back_behind_a_showing_leaves_no_days() -> None:
    history = with_pro()
    history.now = day(12, 30, 12)
    history.follow(truth(PRO, billed_at=BILLED), "pending_change")
    history.now = day(12, 29)
    history.follow(truth(MAX, billed_at=BILLED), "changed", effective_at=day(12, 29), hinted=MAX)
    assert (history.period.allowance, history.period.target) == (120, 60)


def test_rule_15_a_downgrade_takes_nothing() -> None:
    history = with_pro()
    change(history, STARTER, 10)
    assert history.subscription.plan == "starter"
    assert (history.available, history.period.target, history.period.allowance) == (60, 60, 60)


def test_rule_15_flipping_never_mints() -> None:
    history = with_pro()
    for day_of_month, plan in enumerate((MAX, PRO, MAX, STARTER, MAX, FREE, MAX), start=2):
        change(history, plan, day_of_month)
    assert history.lines() == [("grant", 60), ("grant", 56)]


def test_rule_15_step_by_step_is_never_above_the_highest() -> None:
    history = History(now=day(11, 30, 9))
    history.follow(truth(FREE, billed_at=BILLED), effective_at=BOUGHT)
    for plan in (STARTER, PRO, MAX):
        history.follow(truth(plan, billed_at=BILLED), "changed", effective_at=BOUGHT, hinted=plan)
    assert (history.period.target, history.available) == (120, 120)


def test_rule_15_spent_credits_change_nothing() -> None:
    history = with_pro()
    history.do(spend(60, key="fix:1"))
    change(history, MAX, 10)
    assert history.available == 40


def test_rule_15_without_a_date_the_change_counts_from_today() -> None:
    history = with_pro()
    history.now = day(12, 20)
    history.follow(truth(MAX, billed_at=BILLED), "pending_change_cancelled")
    assert history.journal[-1].amount == 20


def test_rule_15_a_change_told_late_counts_from_its_day() -> None:
    history = with_pro()
    history.now = day(12, 20)
    history.follow(truth(MAX, billed_at=BILLED), "changed", effective_at=day(12, 10), hinted=MAX)
    assert history.journal[-1].amount == 40


def test_rule_15_an_old_delivery_handled_again_dates_no_change_back() -> None:
    history = with_pro()
    history.now = day(12, 15)
    history.follow(truth(PRO, billed_at=BILLED), "pending_change")
    history.now = day(12, 20)
    # Upgraded today, but what comes by is an upgrade of an earlier month, undone since: on the 15th GitHub showed Pro.
    history.follow(truth(MAX, billed_at=BILLED), "changed", effective_at=day(11, 5), hinted=MAX)
    assert history.journal[-1].amount == 30, "60 more, for 15 days of 30"


def test_rule_15_the_date_of_a_change_to_another_plan_does_not_count() -> None:
    history = with_pro()
    history.now = day(12, 20)
    history.follow(truth(MAX, billed_at=BILLED), "changed", effective_at=day(12, 2), hinted=STARTER, repeats=4)
    assert history.journal[-1].amount == 20


def test_rule_15_more_seats_are_a_change() -> None:
    history = History(now=day(11, 30, 9))
    history.follow(truth(TEAM, billed_at=BILLED, units=6), effective_at=BOUGHT)
    change(history, TEAM, 10, units=9)
    assert history.lines() == [("grant", 60), ("grant", 20)]
    change(history, TEAM, 12, units=3)
    change(history, TEAM, 13, units=9)
    assert len(history.journal) == 2


def test_rule_15_buying_a_higher_plan_again_is_a_change_too() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    history.now = day(12, 10)
    history.follow(truth(MAX, billed_at=BILLED), effective_at=day(12, 10), hinted=MAX)
    assert history.lines() == [("grant", 60), ("grant", 40)]


def test_rule_15_a_trials_end_in_a_free_plans_period_is_a_change() -> None:
    history = History(now=day(11, 30, 9))
    history.follow(truth(FREE, billed_at=BILLED), effective_at=BOUGHT)
    history.now = day(12, 2)
    history.follow(truth(PRO, billed_at=BILLED, on_free_trial=True), "changed", effective_at=day(12, 2), hinted=PRO)
    assert (history.journal, history.period.allowance) == ([], 0)
    history.now = day(12, 15)
    history.follow(truth(PRO, billed_at=BILLED), "changed", effective_at=day(12, 15), hinted=PRO)
    assert history.available == 30, "60, for 15 days of 30"


def test_rule_37_a_changed_catalogue_takes_effect_at_the_next_period() -> None:
    history = with_pro()
    history.plans = parse_plans(CATALOG.replace("included_credits = 60", "included_credits = 90"))
    history.now = day(12, 10)
    history.follow(truth(PRO, billed_at=BILLED), "pending_change")
    assert history.available == 60
    history.now = day(12, 30, 12)
    history.follow(truth(PRO, billed_at=day(1, 30, year=2027)), "pending_change")
    assert history.available == 90


@pytest.mark.parametrize("end", ["cancelled", "changed"])
def test_rule_15_after_cancel_or_downgrade_credits_keep_their_expiry(end: str) -> None:
    history = with_pro()
    expires_at = history.all_grants[1].expires_at
    if end == "cancelled":
        history.follow(None, "cancelled", hinted=PRO)
    else:
        change(history, FREE, 10)
    assert history.all_grants[1].expires_at == expires_at
    assert history.available == 60
