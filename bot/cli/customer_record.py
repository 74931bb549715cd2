"""A customer as `--json` prints it: exactly the fields that users rely on, null, 0 or false for what isn't there."""

from datetime import datetime
from typing import Any

from billing.ledger.burning import burn_rank
from billing.plans import PlanCatalog
from billing.settled import settled
from billing.standing import effective_plan
from billing.state import CustomerState, Grant, Subscription
from bot.cli.output import rfc3339


def customer_record(state: CustomerState, plans: PlanCatalog, *, now: datetime) -> dict[str, Any]:
    """Return everything about a customer."""
    customer = state.customer
    return {
        "id": customer.id,
        "github_account_id": customer.github_account_id,
        "github_login": customer.github_login or None,
        "email": None,
        "source": customer.source,
        "plan": effective_plan(state, plans).id,
        "figures_in_public": customer.shows_figures,
        "subscriptions": [subscription_record(each) for each in state.subscriptions],
        "credits": credits_record(state, now=now),
        "installations": [
            {
                "id": each.id,
                "state": each.state.value,
                "repository_selection": each.repository_selection,
                "created_at": rfc3339(each.created_at),
            }
            for each in state.installations
        ],
        "stripe_customer_id": None,
        "stripe_payment_method_id": None,
        "billing_consent_given": False,
        "billing_consent_at": None,
    }


def subscription_record(subscription: Subscription) -> dict[str, Any]:
    """Return one plan of a customer at one provider."""
    return {
        "provider": subscription.provider.value,
        "plan": subscription.plan or None,
        "state": subscription.state.value,
        "current_period_end": rfc3339(subscription.period.ends_at if subscription.period else None),
        "pending_plan": subscription.pending_plan or None,
        "pending_effective_at": rfc3339(subscription.pending_effective_at),
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "linked_subscription_id": None,
    }


def credits_record(state: CustomerState, *, now: datetime) -> dict[str, Any]:
    """Return what can be spent now, is held, and is owed, and the grants it comes from in the order in which they burn.

    What is due has timed out or expired, whether that is booked or not.
    """
    state = settled(state, now)
    account = state.account
    lasting = [grant for grant in state.grants if grant.remaining or grant.held]
    return {
        "available": account.posted - account.held,
        "held": account.held,
        "debt": account.debt,
        "grants": [grant_record(grant) for grant in sorted(lasting, key=burn_rank)],
    }


def grant_record(grant: Grant) -> dict[str, Any]:
    """Return one grant; its id is its number within the customer's account."""
    return {
        "id": grant.number,
        "origin": grant.origin.value,
        "category": grant.category.value,
        "amount": grant.amount,
        "remaining": grant.remaining,
        "held": grant.held,
        "expires_at": rfc3339(grant.expires_at),
    }


def customer_row(state: CustomerState, plans: PlanCatalog, *, now: datetime) -> dict[str, Any]:
    """Return a customer in a list: the fields of `customer_record` that fit a line."""
    whole = customer_record(state, plans, now=now)
    credits_now = {name: whole["credits"][name] for name in ("available", "held", "debt")}
    names = ("id", "github_account_id", "github_login", "email", "source", "plan")
    return {**{name: whole[name] for name in names}, "credits": credits_now}
