"""Rule 13: one chain of periods, which goes on through cancellation and new purchase and is never cut."""

from datetime import datetime, timedelta

import pytest

from billing.commands import PendingChange
from billing.plans import parse_plans
from billing.values import EPOCH
from tests.billing.builders import (
    CATALOG,
    FREE,
    MAX,
    PRO,
    ROLLING,
    STARTER,
    TEAM,
    History,
    day,
    grant,
    pending_end,
    pending_plan,
    spend,
    truth,
)


def of_2027(month: int, day_of_month: int, hour: int = 0) -> datetime:
    """A moment of the next year."""
    return day(month, day_of_month, hour, year=2027)


def with_pro(*, plan: int = PRO) -> History:
    """A customer who bought on the 1st of December, billed on the 20th."""
    history = History()
    history.follow(truth(plan, billed_at=day(12, 20)), effective_at=day(12, 1))
    return history


def test_rule_13_the_next_month_is_granted_in_full_and_expires_the_rest_of_the_last() -> None:
    history = with_pro()
    history.do(spend(8, key="fix:1"))
    history.now = day(12, 20, 12)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change")
    assert (history.period.starts_at, history.period.ends_at) == (day(12, 20), of_2027(1, 20))
    assert (history.period.target, history.period.grants) == (60, 1)
    assert history.lines() == [("grant", 38), ("spend", -8), ("expire", -30), ("grant", 60)]
    expiry = history.journal[2]
    assert (expiry.occurred_at, expiry.actor) == (history.now, "clock")
    assert history.journal[3].key == "plan:github_marketplace:1797724800000:1"


def test_rule_13_a_month_is_granted_once_however_often_it_is_observed() -> None:
    history = with_pro()
    history.now = day(12, 20, 12)
    for _ in range(5):
        history.follow(truth(PRO, billed_at=of_2027(1, 20)), "purchased", effective_at=day(12, 1))
        history.wait(days=3)
    assert [amount for kind, amount in history.lines() if kind == "grant"] == [38, 60]


@pytest.mark.parametrize("billed_at", [day(12, 20), day(12, 20, 7)])
def test_rule_13_at_a_billing_date_the_grant_waits_until_it_has_moved_on(billed_at: datetime) -> None:
    history = with_pro()
    last = history.period
    history.now = day(12, 20, 12)
    history.follow(truth(PRO, billed_at=billed_at), "pending_change")
    assert (history.period, history.subscription.anchor_day) == (last, 20)
    assert history.available == 38, "the last month's credits live for 72 hours"
    history.now = day(12, 22)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change")
    assert (history.period.starts_at, history.available) == (day(12, 20), 60)


@pytest.mark.parametrize("pending", [pending_end(day(12, 20, 7)), pending_plan(STARTER, day(12, 21))])
def test_rule_13_a_change_that_is_about_to_hold_is_waited_for(pending: PendingChange) -> None:
    history = with_pro()
    last = history.period
    history.now = day(12, 20, 12)
    history.follow(truth(PRO, billed_at=of_2027(1, 20), pending=pending), "pending_change")
    assert (history.period, history.available) == (last, 38), "GitHub's changes take effect late"
    history.now = day(12, 23)
    history.follow(truth(PRO, billed_at=of_2027(1, 20), pending=pending), "pending_change")
    assert history.available == 60, "after 72 hours with the plan still shown it isn't waited for any longer"


def test_rule_13_a_change_that_is_withdrawn_is_not_waited_for() -> None:
    history = with_pro()
    history.now = day(12, 20, 12)
    pending = pending_end(day(12, 20, 7))
    history.follow(truth(PRO, billed_at=of_2027(1, 20), pending=pending), "pending_change")
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change_cancelled")
    assert history.available == 60


def test_rule_13_a_change_at_the_months_end_is_not_waited_for() -> None:
    history = with_pro()
    history.now = day(12, 20, 12)
    pending = pending_plan(STARTER, of_2027(1, 20))
    history.follow(truth(PRO, billed_at=of_2027(1, 20), pending=pending), "pending_change")
    assert history.available == 60


def test_rule_13_the_next_month_begins_at_the_very_moment() -> None:
    history = with_pro()
    last = history.period
    history.now = day(12, 20) - timedelta(milliseconds=1)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change")
    assert history.period == last
    history.now = day(12, 20)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change")
    assert history.period.starts_at == day(12, 20)


def test_rule_13_missed_months_are_not_granted_and_the_current_one_is() -> None:
    history = with_pro()
    history.now = of_2027(3, 25)
    history.follow(truth(PRO, billed_at=of_2027(4, 20)), "pending_change")
    assert (history.period.starts_at, history.period.ends_at) == (of_2027(3, 20), of_2027(4, 20))
    assert history.available == 60
    assert [amount for kind, amount in history.lines() if kind == "grant"] == [38, 60]


def test_rule_13_a_year_is_twelve_monthly_grants() -> None:
    history = History()
    yearly = truth(PRO, billed_at=of_2027(12, 1))
    history.follow(yearly, effective_at=day(12, 1))
    for month in range(1, 12):
        history.now = of_2027(month, 1, 6)
        history.follow(yearly, "pending_change")
    assert [amount for kind, amount in history.lines() if kind == "grant"] == [60] * 12
    assert history.period.ends_at == of_2027(12, 1)
    history.now = of_2027(12, 1, 6)
    history.follow(yearly, "pending_change")
    assert history.period.ends_at == of_2027(12, 1), "the next year waits for its payment"


def test_rule_13_a_chain_without_billing_dates_goes_on_by_its_anchor() -> None:
    history = History()
    history.now = day(1, 31, 9)
    history.follow(truth(PRO), effective_at=day(1, 31))
    ends = [history.period.ends_at]
    for month in (3, 4, 5):
        history.now = day(month, 1, 9)
        history.follow(truth(PRO), "pending_change")
        ends.append(history.period.ends_at)
    assert ends == [day(2, 28), day(3, 31), day(4, 30), day(5, 31)]


def test_rule_13_a_bridging_period_runs_to_a_moved_anchor() -> None:
    history = with_pro()
    history.now = day(12, 20, 12)
    history.follow(truth(PRO, billed_at=of_2027(1, 5)), "pending_change")
    assert (history.period.starts_at, history.period.ends_at) == (day(12, 20), of_2027(1, 5))
    assert (history.period.target, history.subscription.anchor_day) == (31, 5), "60 x 16 / 31, up"
    history.now = of_2027(1, 5, 12)
    history.follow(truth(PRO, billed_at=of_2027(2, 5)), "pending_change")
    assert (history.period.starts_at, history.period.target) == (of_2027(1, 5), 60)


def test_rule_13_a_running_period_is_not_cut_by_a_moved_anchor() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=day(12, 10)), "pending_change")
    assert (history.period.ends_at, history.subscription.anchor_day) == (day(12, 20), 20)


def test_rule_13_billed_on_the_31st_february_moves_nothing() -> None:
    history = History()
    history.now = of_2027(1, 31, 9)
    history.follow(truth(PRO, billed_at=of_2027(2, 28)), effective_at=of_2027(1, 31))
    assert (history.period.ends_at, history.subscription.anchor_day) == (of_2027(2, 28), 28)
    history.now = of_2027(2, 28, 9)
    history.follow(truth(PRO, billed_at=of_2027(3, 31)), "pending_change")
    assert (history.period.ends_at, history.period.target, history.subscription.anchor_day) == (of_2027(3, 31), 60, 31)
    history.now = of_2027(3, 31, 9)
    history.follow(truth(PRO, billed_at=of_2027(4, 30)), "pending_change")
    assert (history.period.ends_at, history.subscription.anchor_day) == (of_2027(4, 30), 31)


def test_rule_13_cancelling_and_buying_again_in_a_running_period_grants_nothing_twice() -> None:
    history = with_pro()
    period = history.period
    for _ in range(3):
        history.wait(days=2)
        history.follow(None, "cancelled", hinted=PRO)
        history.wait(days=2)
        history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=history.now)
    assert history.period == period
    assert len(history.journal) == 1
    assert history.subscription.started_at == history.now


def test_rule_13_after_an_ended_chain_a_purchase_begins_anew() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    history.now = of_2027(1, 10, 9)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), effective_at=of_2027(1, 10))
    assert (history.period.starts_at, history.period.ends_at) == (of_2027(1, 10), of_2027(1, 20))
    assert history.lines() == [("grant", 38), ("expire", -38), ("grant", 20)], "60 x 10 / 31, up"


def test_rule_13_bought_again_on_the_day_a_chain_ended_it_begins_there() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    history.now = day(12, 20, 9)
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), effective_at=day(12, 20))
    assert (history.period.starts_at, history.period.target) == (day(12, 20), 60)


def test_rule_13_an_old_purchase_handled_again_dates_no_new_chain_back() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    history.now = of_2027(1, 10, 9)
    # Bought again, but only the delivery of the first purchase comes by.
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), effective_at=day(12, 1))
    assert history.period.starts_at == history.now
    assert history.period.target == 20


def test_rule_13_a_purchase_tells_of_an_end_that_was_not_delivered() -> None:
    history = with_pro()
    history.now = of_2027(1, 10, 9)
    # The cancellation was lost: to us the plan lives. But nobody buys what they have.
    history.follow(truth(PRO, billed_at=of_2027(1, 20)), effective_at=of_2027(1, 10))
    assert (history.period.starts_at, history.period.target) == (of_2027(1, 10), 20)


def test_rule_13_an_upgrade_seen_with_the_renewal_counts_from_its_day() -> None:
    seen_in_time, seen_at_once = with_pro(), with_pro()
    seen_in_time.now = day(12, 20, 12)
    seen_in_time.follow(truth(PRO, billed_at=of_2027(1, 20)), "pending_change")
    for history in (seen_in_time, seen_at_once):
        history.now = of_2027(1, 10, 12)
        history.follow(truth(MAX, billed_at=of_2027(1, 20)), "changed", effective_at=of_2027(1, 10), hinted=MAX)
        assert (history.period.target, history.period.allowance) == (80, 120), "60, and 60 x 10 / 31 more, up"
        assert history.available == 80


def test_rule_13_a_downgrade_seen_with_the_renewal_grants_the_lower_plan() -> None:
    history = with_pro()
    history.now = of_2027(1, 10, 12)
    history.follow(truth(STARTER, billed_at=of_2027(1, 20)), "changed", effective_at=of_2027(1, 10), hinted=STARTER)
    assert (history.period.target, history.period.allowance) == (20, 20)


def test_rule_13_a_change_on_the_billing_date_is_the_whole_months() -> None:
    history = with_pro()
    history.now = of_2027(1, 10, 12)
    history.follow(truth(MAX, billed_at=of_2027(1, 20)), "changed", effective_at=day(12, 20), hinted=MAX)
    assert history.period.target == 120


def test_rule_13_a_change_on_the_day_of_a_moved_anchor_is_one_share() -> None:
    history = with_pro(plan=STARTER)
    history.now = day(12, 28)
    history.follow(truth(MAX, billed_at=of_2027(1, 5)), "changed", effective_at=day(12, 20), hinted=MAX)
    assert history.period.target == 62, "120 x 16 / 31, up, not 20 and 100 rounded up each"


def test_rule_13_a_plan_that_left_the_catalogue_counts_nothing_for_the_time_before_a_change() -> None:
    history = with_pro(plan=STARTER)
    history.plans = parse_plans(CATALOG.replace("[plans.starter]", "[plans.starter_of_old]"))
    history.now = of_2027(1, 10, 12)
    history.follow(truth(MAX, billed_at=of_2027(1, 20)), "changed", effective_at=of_2027(1, 10), hinted=MAX)
    assert history.period.target == 39, "120 x 10 / 31, up"


def test_rule_13_a_trials_end_seen_with_the_renewal_counts_from_its_day() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    history.now = day(12, 28)
    history.follow(truth(PRO, on_free_trial=True), "changed", effective_at=day(12, 28), hinted=PRO)
    history.now = of_2027(1, 11, 9)
    history.follow(truth(PRO, billed_at=of_2027(2, 1)), "changed", effective_at=of_2027(1, 11), hinted=PRO)
    assert (history.period.starts_at, history.period.ends_at) == (of_2027(1, 1), of_2027(2, 1))
    assert history.period.target == 41, "60 x 21 / 31, up: the trial itself grants nothing"


def test_rule_13_a_plan_rolls_over_as_much_as_it_allows() -> None:
    history = with_pro(plan=ROLLING)
    history.do(grant(9, key="goodwill"))
    history.now = day(12, 20, 12)
    history.follow(truth(ROLLING, billed_at=of_2027(1, 20)), "pending_change")
    assert history.lines()[2:] == [("expire", -38), ("grant", 25), ("grant", 60)]
    rolled = history.all_grants[3]
    assert (rolled.origin, rolled.provider, rolled.period_starts_at) == ("plan", "github_marketplace", day(12, 20))
    assert rolled.expires_at == history.all_grants[4].expires_at == of_2027(1, 23)
    entry = history.journal[3]
    assert entry.key == "rollover:github_marketplace:1797724800000"
    assert entry.reference.startswith("plan:rolling terms:")
    assert history.period.granted == 60, "what rolls over counts in no period"
    history.now = of_2027(1, 20, 12)
    history.do(spend(80, key="fix:1"))
    history.follow(truth(ROLLING, billed_at=of_2027(2, 20)), "pending_change")
    assert history.lines()[5:] == [("spend", -80), ("expire", -5), ("grant", 5), ("grant", 60)]
    assert history.available == 74


def test_rule_13_a_plan_that_rolls_over_little_left_keeps_it_all() -> None:
    history = with_pro(plan=ROLLING)
    history.do(spend(30, key="fix:1"))
    history.now = day(12, 20, 12)
    history.follow(truth(ROLLING, billed_at=of_2027(1, 20)), "pending_change")
    assert history.available == 68


def test_rule_13_the_second_grant_of_a_period_expires_nothing() -> None:
    history = with_pro(plan=ROLLING)
    history.now = day(12, 20, 12)
    history.follow(truth(ROLLING, billed_at=of_2027(1, 20)), "pending_change")
    history.now = of_2027(1, 10)
    history.follow(truth(MAX, billed_at=of_2027(1, 20)), "changed", effective_at=of_2027(1, 10), hinted=MAX)
    assert history.lines()[-1] == ("grant", 20)
    assert history.available == 25 + 60 + 20


def test_rule_13_seats_bought_between_renewals_count_from_their_day() -> None:
    history = History()
    history.follow(truth(TEAM, units=3, billed_at=day(12, 20)), effective_at=day(12, 1))
    history.now = of_2027(1, 10, 12)
    history.follow(truth(TEAM, units=9, billed_at=of_2027(1, 20)), "changed", effective_at=of_2027(1, 10), hinted=TEAM)
    assert history.period.target == 50, "30, and 60 x 10 / 31 more, up"


def test_an_unseen_subscription_never_began() -> None:
    history = History()
    history.follow(truth(PRO), "pending_change")
    assert history.subscription.started_at == history.now != EPOCH
