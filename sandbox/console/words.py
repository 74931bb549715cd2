"""How the console page puts things: prices, plans, changes, dates and amounts in words."""

from datetime import datetime

from sandbox.github.model import Plan, Purchase
from sandbox.inspector import SubscriptionView

UNPAID = "no plan"


def ordinal(day: int) -> str:
    """Write a day of the month as it is spoken: 1st, 22nd, 30th."""
    if day in {11, 12, 13}:
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


def describe_price(plan: Plan) -> str:
    """Write a plan with its price."""
    match plan.price_model:
        case "FREE":
            return f"{plan.name} ($0)"
        case "FLAT_RATE":
            return f"{plan.name} (${plan.monthly_price_in_cents / 100:,.0f} a month)"
        case "PER_UNIT":
            return f"{plan.name} (${plan.monthly_price_in_cents / 100:,.0f} a {plan.unit_name} and month)"


def describe_plan(purchase: Purchase | None) -> str:
    """Write what is bought."""
    if purchase is None:
        return UNPAID
    terms = purchase.terms
    units = f", {terms.unit_count} {terms.plan.unit_name}s" if terms.plan.price_model == "PER_UNIT" else ""
    cycle = "" if terms.next_billing_date is None else f", {terms.billing_cycle}"
    return f"{terms.plan.name}{units}{cycle}"


def describe_change(purchase: Purchase | None) -> str | None:
    """Write the change that is scheduled at GitHub."""
    if purchase is None or purchase.pending is None:
        return None
    pending = purchase.pending
    change = "ends" if pending.plan is None else f"becomes {pending.plan.name}"
    return f"{change} on {write_date(pending.effective_date)}"


def describe_future(subscription: SubscriptionView) -> str | None:
    """Write what the product expects to become of a subscription, if it expects a change."""
    if subscription.ends:
        change = "ends"
    elif subscription.pending_plan is not None:
        change = f"becomes {subscription.pending_plan}"
    else:
        return None
    return change if subscription.changes_at is None else f"{change} on {write_date(subscription.changes_at)}"


def write_moment(moment: datetime) -> str:
    """Write a time to the minute."""
    return f"{moment.day} {moment:%b %H:%M}"


def write_date(moment: datetime) -> str:
    """Write a date."""
    return f"{moment.day} {moment:%b %Y}"


def write_signed(amount: int) -> str:
    """Write an amount with its sign, a real minus included."""
    return f"+{amount}" if amount > 0 else f"{amount}".replace("-", "\N{MINUS SIGN}")
