"""Rule 12: a plan that the catalogue doesn't know keeps what the customer had, and is caught up once mapped."""

from datetime import datetime

from billing.commands import Applied
from billing.plans import PlanCatalog, parse_plans
from billing.records import Recovery
from billing.standing import effective_plan
from billing.values import SubscriptionState
from tests.billing.builders import CATALOG, MAX, PLANS, PRO, UNKNOWN, History, day, truth

BILLED = day(12, 20)
MAPPED: PlanCatalog = parse_plans(CATALOG.replace("[1414]", "[1414, 9999]"))


def unknown_from_the_start(bought_at: datetime) -> History:
    """A customer who bought a plan that nobody has mapped."""
    history = History()
    history.follow(truth(UNKNOWN, billed_at=BILLED), effective_at=bought_at, hinted=UNKNOWN)
    return history


def test_rule_12_an_unknown_plan_grants_nothing_and_raises_an_alarm() -> None:
    history = History()
    decision = history.follow(truth(UNKNOWN, billed_at=BILLED), effective_at=day(12, 1))
    assert isinstance(decision.outcome, Applied)
    assert history.journal == []
    subscription = history.subscription
    assert (subscription.plan, subscription.unmapped_plan_id, subscription.period) == ("", UNKNOWN, None)
    assert effective_plan(history.customer, PLANS).id == "trial", "never Pro by default"
    (alarm,) = decision.alarms
    assert (alarm.kind, alarm.subject) == ("unknown_plan", "plan:9999")
    assert "'Plan 9999'" in alarm.detail
    assert "plans.toml" in alarm.detail


def test_rule_12_the_customer_keeps_what_they_had() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1))
    period = history.period
    history.follow(truth(UNKNOWN, billed_at=BILLED, units=7), "changed", effective_at=day(12, 1))
    subscription = history.subscription
    assert (subscription.plan, subscription.unit_count, subscription.period) == ("pro", 1, period)
    assert (subscription.marketplace_plan_id, subscription.unmapped_plan_id) == (UNKNOWN, UNKNOWN)
    assert history.available == 38


def test_rule_12_an_ended_plan_is_not_revived_by_an_unknown_one() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1))
    history.follow(None, "cancelled", hinted=PRO)
    history.follow(truth(UNKNOWN, billed_at=BILLED))
    assert (history.subscription.plan, history.subscription.state) == ("", SubscriptionState.ACTIVE)
    assert effective_plan(history.customer, PLANS).id == "trial"


def test_rule_12_it_is_caught_up_once_mapped() -> None:
    history, in_time = unknown_from_the_start(day(12, 1)), History(plans=MAPPED)
    in_time.follow(truth(UNKNOWN, billed_at=BILLED), effective_at=day(12, 1), hinted=UNKNOWN)
    history.wait(days=4)
    history.plans = MAPPED
    # The delivery is handled again: what it says of its date still counts.
    decision = history.follow(truth(UNKNOWN, billed_at=BILLED), effective_at=day(12, 1), hinted=UNKNOWN)
    assert decision.recoveries == (Recovery(kind="unknown_plan", subject="plan:9999"),)
    assert (history.subscription.plan, history.subscription.unmapped_plan_id) == ("max", 0)
    assert history.period == in_time.period
    assert history.available == in_time.available == 76


def test_rule_12_a_change_to_an_unknown_plan_is_caught_up_from_its_day() -> None:
    history, in_time = History(), History(plans=MAPPED)
    for each in (history, in_time):
        each.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1))
        each.now = day(12, 5)
        each.follow(truth(UNKNOWN, billed_at=BILLED), "changed", effective_at=day(12, 5), hinted=UNKNOWN)
    history.now = day(12, 9)
    history.follow(truth(UNKNOWN, billed_at=BILLED), "pending_change")
    history.plans = MAPPED
    history.follow(truth(UNKNOWN, billed_at=BILLED), "changed", effective_at=day(12, 5), hinted=UNKNOWN)
    assert history.period.target == in_time.period.target == 68, "38 for Pro, and 60 x 15 / 30 more for Max"


def test_rule_12_leaving_an_unmapped_plan_recovers_nothing() -> None:
    history = unknown_from_the_start(day(12, 1))
    decision = history.follow(truth(MAX, billed_at=BILLED), "changed")
    assert decision.recoveries == ()
    assert decision.alarms == ()
    assert history.subscription.unmapped_plan_id == 0


def test_rule_12_a_mapped_plan_recovers_its_alarm_also_when_left() -> None:
    history = unknown_from_the_start(day(12, 1))
    history.plans = MAPPED
    decision = history.follow(truth(PRO, billed_at=BILLED), "changed")
    assert decision.recoveries == (Recovery(kind="unknown_plan", subject="plan:9999"),)
