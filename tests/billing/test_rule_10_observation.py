"""Rule 10: a delivery is a hint; what GitHub says when asked is applied, patiently where the two contradict."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.commands import Applied, Ignore, Ignored, MarketplaceTruth, Postponed
from billing.decide.endings import most_losses
from billing.records import Alarm, Loss, Recovery
from billing.values import DeliveryId, Provider, SubscriptionState
from tests.billing.builders import CUSTOMER_ID, FREE, MAX, PRO, UNKNOWN, History, cause, day, truth

ACTIONS = ("purchased", "changed", "pending_change", "pending_change_cancelled", "cancelled")
BILLED = day(12, 20)
DELAYS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))


def with_pro() -> History:
    """A customer who bought Pro on the 1st, with 38 credits of its first, prorated month."""
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1), hinted=PRO)
    assert history.available == 38
    return history


@pytest.mark.parametrize("action", ACTIONS)
def test_rule_10_one_observation_serves_all_five_actions(action: str) -> None:
    history = with_pro()
    other = None if action.startswith("pending") else MAX
    decision = history.follow(truth(MAX, billed_at=BILLED), action, hinted=PRO if action == "cancelled" else other)
    assert isinstance(decision.outcome, Applied)
    assert history.subscription.plan == "max"
    assert history.period.allowance == 120


def test_rule_10_what_github_shows_is_what_is_kept() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1), observation=7)
    subscription = history.subscription
    assert (subscription.plan, subscription.marketplace_plan_id, subscription.unmapped_plan_id) == ("pro", PRO, 0)
    assert (subscription.state, subscription.unit_count) == (SubscriptionState.ACTIVE, 1)
    assert (subscription.billing_cycle, subscription.next_billing_date) == ("monthly", BILLED)
    assert (subscription.observation, subscription.last_delivery_id) == (7, DeliveryId(7))
    assert (subscription.started_at, subscription.confirmed_at) == (day(12, 1), history.now)
    assert (subscription.missing_since, subscription.ended_at) == (None, None)


def test_rule_10_an_answer_overtaken_by_a_newer_one_is_asked_anew() -> None:
    history = with_pro()
    history.follow(truth(MAX, billed_at=BILLED), "changed", observation=9)
    for shown in (None, truth(PRO, billed_at=BILLED)):
        decision = history.follow(shown, "changed", observation=8)
        assert decision.outcome == Postponed(until=history.now, reason="a newer answer was applied meanwhile")
        assert decision.state is None
    assert history.subscription.plan == "max"


def test_rule_10_the_same_answer_applied_again_does_nothing_more() -> None:
    # A worker that never heard of its commit handles the claimed delivery again, under the same number.
    history = History()
    for _ in range(2):
        shown = truth(PRO, billed_at=BILLED)
        decision = history.follow(shown, effective_at=day(12, 1), hinted=PRO, observation=3)
        assert isinstance(decision.outcome, Applied)
    assert history.available == 38


@pytest.mark.parametrize(
    ("shown", "action", "hinted"),
    [
        (None, "purchased", PRO),
        (None, "purchased", None),
        (None, "changed", MAX),
        (truth(PRO), "changed", MAX),
        (truth(MAX), "purchased", PRO),
        (truth(PRO), "cancelled", PRO),
        (truth(PRO), "cancelled", None),
    ],
)
def test_rule_10_a_contradiction_is_asked_again_four_times_then_stands(
    shown: MarketplaceTruth | None, action: str, hinted: int | None
) -> None:
    history = with_pro()
    for repeats, delay in enumerate(DELAYS):
        decision = history.follow(shown, action, hinted=hinted, repeats=repeats)
        assert isinstance(decision.outcome, Postponed)
        assert decision.outcome.until == history.now + delay
        assert decision.state is None
    assert isinstance(history.follow(shown, action, hinted=hinted, repeats=4).outcome, Applied)


@pytest.mark.parametrize(
    ("shown", "action", "hinted"),
    [
        (truth(PRO), "purchased", PRO),
        (truth(PRO), "changed", None),
        (None, "cancelled", PRO),
        (truth(FREE), "cancelled", PRO),
        (None, "pending_change", PRO),
        (truth(MAX), "pending_change_cancelled", PRO),
    ],
)
def test_rule_10_what_agrees_is_applied_at_once(
    shown: MarketplaceTruth | None, action: str, hinted: int | None
) -> None:
    assert isinstance(with_pro().follow(shown, action, hinted=hinted).outcome, Applied)


def test_rule_10_no_plan_makes_no_customer() -> None:
    history = History()
    assert history.follow(None, "cancelled", hinted=PRO).outcome == Ignored(reason="GitHub shows no plan")
    assert history.state is None


def test_rule_10_no_plan_for_a_customer_who_never_had_one_changes_nothing() -> None:
    history = History()
    history.install()
    decision = history.follow(None, "cancelled", hinted=PRO)
    assert isinstance(decision.outcome, Ignored)
    assert decision.state is None


def test_rule_10_an_ended_subscription_only_notes_that_it_was_asked_for() -> None:
    history = with_pro()
    history.follow(None, "cancelled", hinted=PRO)
    decision = history.follow(None, "cancelled", hinted=PRO, observation=9)
    assert decision.outcome == Ignored(reason="GitHub shows no plan")
    assert decision.losses == ()
    assert (history.subscription.state, history.subscription.observation) == (SubscriptionState.ENDED, 9)
    assert isinstance(history.follow(truth(PRO), observation=8).outcome, Postponed)


def test_rule_10_a_paid_plan_ends_at_once_with_a_cancellation_received_after_it_was_last_shown() -> None:
    history = with_pro()
    history.wait(days=3)
    decision = history.follow(None, "cancelled", hinted=PRO)
    assert (history.subscription.state, history.subscription.ended_at) == (SubscriptionState.ENDED, history.now)
    assert decision.losses == (Loss(customer_id=CUSTOMER_ID, provider=Provider.GITHUB_MARKETPLACE, at=history.now),)
    assert decision.recoveries == (Recovery(kind="marketplace_losses", subject="github_marketplace"),)
    assert history.available == 38, "what was granted stays"


def test_rule_10_a_cancellation_that_comes_while_github_answers_ends_the_plan_at_once() -> None:
    """Asked a second before the end, answered before it, applied after it: the cancellation is the newer word."""
    history = with_pro()
    asked_at = history.now
    history.wait(seconds=2)
    history.follow(truth(PRO, billed_at=BILLED), "pending_change", asked_at=asked_at)
    history.follow(None, "cancelled", hinted=PRO, received_at=asked_at + timedelta(seconds=1))
    assert history.subscription.state is SubscriptionState.ENDED


def test_rule_10_a_paid_plan_that_vanishes_stands_unconfirmed_for_a_day() -> None:
    history = with_pro()
    history.wait(days=3)
    vanished_at = history.now
    # An old cancellation is no reason: GitHub has shown the plan since.
    history.follow(None, "cancelled", hinted=PRO, received_at=day(11, 30))
    assert (history.subscription.state, history.subscription.missing_since) == (
        SubscriptionState.UNCONFIRMED,
        vanished_at,
    )
    history.wait(hours=23, minutes=59)
    assert history.follow(None, "pending_change").losses == ()
    assert (history.subscription.state, history.subscription.missing_since) == (
        SubscriptionState.UNCONFIRMED,
        vanished_at,
    )
    history.wait(minutes=1)
    assert len(history.follow(None, "pending_change").losses) == 1
    assert history.subscription.state is SubscriptionState.ENDED


def test_rule_10_an_unconfirmed_plan_that_comes_back_is_active_again() -> None:
    history = with_pro()
    history.wait(days=3)
    history.follow(None, "pending_change")
    history.wait(hours=5)
    history.follow(truth(PRO, billed_at=BILLED), "pending_change")
    assert (history.subscription.state, history.subscription.missing_since) == (SubscriptionState.ACTIVE, None)
    assert history.available == 38


def test_rule_10_an_unconfirmed_plan_gets_no_new_grant() -> None:
    history = with_pro()
    history.now = day(12, 20, 12)
    history.follow(None, "pending_change")
    assert len(history.journal) == 1
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "pending_change")
    assert history.lines()[1:] == [("expire", -38), ("grant", 60)]


def test_rule_10_a_free_plan_ends_on_the_first_404() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    history.follow(None, "pending_change")
    assert history.subscription.state is SubscriptionState.ENDED


@pytest.mark.parametrize(
    ("monthly", "yearly", "state"), [(0, 0, "ended"), (900, 0, "unconfirmed"), (0, 1, "unconfirmed")]
)
def test_rule_10_free_is_what_github_last_showed_without_a_price(monthly: int, yearly: int, state: str) -> None:
    history = History()
    shown = replace(truth(UNKNOWN), monthly_price_cents=monthly, yearly_price_cents=yearly)
    history.follow(shown, effective_at=day(12, 1))
    history.follow(None, "pending_change")
    assert history.subscription.state == state


def test_rule_10_the_end_clears_what_was_pending() -> None:
    history = with_pro()
    history.follow(truth(UNKNOWN, billed_at=BILLED), "changed")
    history.follow(None, "cancelled", hinted=UNKNOWN)
    subscription = history.subscription
    assert (subscription.unmapped_plan_id, subscription.pending_plan) == (0, "")
    assert (subscription.pending_effective_at, subscription.cancel_at_period_end) == (None, False)
    assert subscription.period == history.period, "the chain stays, for whoever buys again"


@pytest.mark.parametrize(("living", "most"), [(0, 20), (400, 20), (401, 21), (420, 21), (421, 22), (10_000, 500)])
def test_rule_10_twenty_losses_or_five_per_cent_whichever_is_more(living: int, most: int) -> None:
    assert most_losses(living) == most


def test_rule_10_too_many_losses_stop_all_and_raise_an_alarm() -> None:
    history = with_pro()
    decision = history.follow(None, "cancelled", hinted=PRO, losses=20, living=400)
    assert decision.outcome == Postponed(
        until=history.now + timedelta(minutes=15), reason="too many subscriptions ended within an hour"
    )
    (alarm,) = decision.alarms
    assert isinstance(alarm, Alarm)
    assert (alarm.kind, alarm.subject) == ("marketplace_losses", "github_marketplace")
    assert "20 Marketplace subscriptions ended" in alarm.detail
    assert decision.state is None
    history.wait(minutes=15)
    assert isinstance(history.follow(None, "cancelled", hinted=PRO, losses=19, living=400).outcome, Applied)
    assert history.subscription.state is SubscriptionState.ENDED


def test_rule_10_more_losses_are_borne_where_more_live() -> None:
    history = with_pro()
    assert isinstance(history.follow(None, "cancelled", hinted=PRO, losses=20, living=500).outcome, Applied)


def test_a_delivery_that_asks_nothing_is_ignored_with_its_reason() -> None:
    history = History()
    decision = history.do(Ignore(reason="the delivery names no account", cause=cause()))
    assert decision.outcome == Ignored(reason="the delivery names no account")
    assert history.state is None
