"""Rules 30 and 31: the effective plan is the highest by rank of the living ones, else the default plan."""

from dataclasses import replace

import pytest

from billing.standing import effective_plan, is_living
from billing.values import SubscriptionState
from tests.billing.builders import PLANS, PRO, STARTER, History, truth


def test_rule_31_whoever_has_no_subscription_has_the_default_plan() -> None:
    history = History()
    history.install()
    assert effective_plan(history.customer, PLANS).id == "trial"


@pytest.mark.parametrize("state", ["trialing", "active", "unconfirmed"])
def test_rule_30_a_living_subscription_is_effective(state: SubscriptionState) -> None:
    history = History()
    history.follow(truth(PRO))
    subscription = replace(history.subscription, state=SubscriptionState(state))
    assert is_living(subscription)
    assert effective_plan(replace(history.customer, subscriptions=(subscription,)), PLANS).id == "pro"


def test_rule_31_an_ended_subscription_is_not() -> None:
    history = History()
    history.follow(truth(PRO))
    history.follow(None, "cancelled", hinted=PRO)
    assert not is_living(history.subscription)
    assert effective_plan(history.customer, PLANS).id == "trial"


def test_rule_30_of_two_the_higher_rank_is_effective() -> None:
    history, other = History(), History()
    history.follow(truth(STARTER))
    other.follow(truth(PRO))
    for pair in ((history.subscription, other.subscription), (other.subscription, history.subscription)):
        assert effective_plan(replace(history.customer, subscriptions=pair), PLANS).id == "pro"


def test_rule_31_a_plan_that_left_the_catalogue_is_not_effective() -> None:
    history = History()
    history.follow(truth(PRO))
    gone = replace(history.subscription, plan="gone")
    assert effective_plan(replace(history.customer, subscriptions=(gone,)), PLANS).id == "trial"
