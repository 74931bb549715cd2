"""How the console page puts things: prices, plans, changes, dates, amounts and subjects in words."""

from datetime import datetime, timedelta

from sandbox.github.model import Plan, Purchase
from sandbox.github.world import World
from sandbox.inspector import SubscriptionView

UNPAID = "no plan"


def ordinal(day: int) -> str:
    """Write a day of the month as it is spoken: 1st, 22nd, 30th."""
    if day in {11, 12, 13}:
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


def describe_price(plan: Plan) -> str:
    """Write a plan's price."""
    match plan.price_model:
        case "FREE":
            return "$0"
        case "FLAT_RATE":
            return f"${plan.monthly_price_in_cents / 100:,.0f} a month"
        case "PER_UNIT":
            return f"${plan.monthly_price_in_cents / 100:,.0f} a {plan.unit_name} and month"


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


def describe_subject(subject: str, world: World) -> str:
    """Write what a delivery or an effect is about: an account's login or a thread's name where it is one."""
    kind, _, rest = subject.partition(":")
    if kind == "account" and rest.isdigit():
        account = world.state.find_id(int(rest))
        return f"account {rest}" if account is None else account.login
    repository, _, number = rest.partition(":")
    if kind == "thread" and repository.isdigit() and number.isdigit():
        found = world.state.repositories.get(int(repository))
        return f"{repository}#{number}" if found is None else f"{found.full_name}#{number}"
    return subject


def write_moment(moment: datetime) -> str:
    """Write a time to the minute."""
    return f"{moment.day} {moment:%b %H:%M}"


def write_date(moment: datetime) -> str:
    """Write a date."""
    return f"{moment.day} {moment:%b %Y}"


def write_exactly(moment: datetime) -> str:
    """Write a time to the second."""
    return f"{moment.day} {moment:%b %H:%M:%S}"


def write_wait(wait: timedelta) -> str:
    """Write how long it is until something happens, as roughly as people say it."""
    seconds = wait.total_seconds()
    for length, one, several in ((86_400, "a day", "days"), (3600, "an hour", "hours"), (60, "a minute", "minutes")):
        if seconds >= length:
            count = round(seconds / length)
            return f"in {one}" if count == 1 else f"in {count} {several}"
    return "in a moment"


def write_signed(amount: int) -> str:
    """Write an amount with its sign, a real minus included."""
    return f"+{amount}" if amount > 0 else f"{amount}".replace("-", "\N{MINUS SIGN}")


def write_credits(count: int) -> str:
    """Write an amount of credits."""
    return "1 credit" if count == 1 else f"{count} credits"
