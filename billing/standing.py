"""Where a customer stands: which subscriptions live, and which plan is effective."""

from operator import attrgetter

from billing.plans import Plan, PlanCatalog
from billing.state import CustomerState, Subscription
from billing.values import SubscriptionState


def is_living(subscription: Subscription) -> bool:
    """Whether the subscription hasn't ended; one that GitHub doesn't show for the moment still lives."""
    return subscription.state is not SubscriptionState.ENDED


def effective_plan(state: CustomerState, plans: PlanCatalog) -> Plan:
    """The plan whose price and features hold: the living subscriptions' highest by rank, else the default plan."""
    found = [plans.find(each.plan) for each in state.subscriptions if is_living(each)]
    subscribed = [plan for plan in found if plan is not None]
    return max(subscribed, key=attrgetter("rank")) if subscribed else plans.default
