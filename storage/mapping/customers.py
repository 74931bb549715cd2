"""Between the domain's values and rows: customers, subscriptions, installations, losses and sign-up places."""

from typing import Any

from sqlalchemy import Row

from billing.records import Loss, SignupSlot
from billing.state import Customer, Installation, Period, Subscription
from billing.values import (
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    InstallationState,
    Provider,
    SubscriptionState,
    from_milliseconds,
    to_milliseconds,
)
from storage.columns import Values, optional_milliseconds, optional_moment


def to_customer(row: Row[Any]) -> Customer:
    """The customer in this row."""
    return Customer(
        id=CustomerId(row.id),
        github_account_id=GitHubAccountId(row.github_account_id),
        github_login=row.github_login,
        github_type=row.github_type,
        source=row.source,
        created_at=from_milliseconds(row.created_at),
        signup_at=optional_moment(row.signup_at),
        # SQLite's driver knows no truth values, only numbers.
        signup_withheld=bool(row.signup_withheld),
        shows_figures=bool(row.shows_figures),
    )


def customer_values(customer: Customer) -> Values:
    """The customer's row, but for its id."""
    return {
        "github_account_id": customer.github_account_id,
        "github_login": customer.github_login,
        "github_type": customer.github_type,
        "source": customer.source,
        "created_at": to_milliseconds(customer.created_at),
        "signup_at": optional_milliseconds(customer.signup_at),
        "signup_withheld": customer.signup_withheld,
        "shows_figures": customer.shows_figures,
    }


def to_subscription(row: Row[Any]) -> Subscription:
    """The subscription in this row, with its period."""
    period = None
    if row.period_ends_at:
        period = Period(
            starts_at=from_milliseconds(row.period_starts_at),
            ends_at=from_milliseconds(row.period_ends_at),
            allowance=row.period_allowance,
            target=row.period_target,
            granted=row.period_granted,
            grants=row.period_grants,
        )
    return Subscription(
        provider=Provider(row.provider),
        plan=row.subscription_type,
        state=SubscriptionState(row.state),
        marketplace_plan_id=row.marketplace_plan_id,
        unmapped_plan_id=row.unmapped_plan_id,
        unit_count=row.unit_count,
        billing_cycle=row.billing_cycle,
        next_billing_date=optional_moment(row.next_billing_date),
        anchor_day=row.anchor_day,
        period=period,
        pending_plan=row.pending_subscription_type,
        pending_effective_at=optional_moment(row.pending_effective_at),
        cancel_at_period_end=bool(row.subscription_cancel_at_period_end),
        is_free=bool(row.is_free),
        observation=row.observation,
        started_at=from_milliseconds(row.started_at),
        confirmed_at=from_milliseconds(row.confirmed_at),
        missing_since=optional_moment(row.missing_since),
        ended_at=optional_moment(row.ended_at),
        last_delivery_id=DeliveryId(row.last_delivery_id),
    )


def subscription_values(customer_id: CustomerId, subscription: Subscription) -> Values:
    """The subscription's row, with its period."""
    period = subscription.period
    return {
        "customer_id": customer_id,
        "provider": subscription.provider,
        "subscription_type": subscription.plan,
        "state": subscription.state,
        "marketplace_plan_id": subscription.marketplace_plan_id,
        "unmapped_plan_id": subscription.unmapped_plan_id,
        "unit_count": subscription.unit_count,
        "billing_cycle": subscription.billing_cycle,
        "next_billing_date": optional_milliseconds(subscription.next_billing_date),
        "anchor_day": subscription.anchor_day,
        "period_starts_at": to_milliseconds(period.starts_at) if period else 0,
        "period_ends_at": to_milliseconds(period.ends_at) if period else 0,
        "period_allowance": period.allowance if period else 0,
        "period_target": period.target if period else 0,
        "period_granted": period.granted if period else 0,
        "period_grants": period.grants if period else 0,
        "pending_subscription_type": subscription.pending_plan,
        "pending_effective_at": optional_milliseconds(subscription.pending_effective_at),
        "subscription_cancel_at_period_end": subscription.cancel_at_period_end,
        "is_free": subscription.is_free,
        "observation": subscription.observation,
        "started_at": to_milliseconds(subscription.started_at),
        "confirmed_at": to_milliseconds(subscription.confirmed_at),
        "missing_since": optional_milliseconds(subscription.missing_since),
        "ended_at": optional_milliseconds(subscription.ended_at),
        "last_delivery_id": subscription.last_delivery_id,
    }


def to_installation(row: Row[Any]) -> Installation:
    """The installation in this row."""
    return Installation(
        id=InstallationId(row.id),
        state=InstallationState(row.state),
        repository_selection=row.repository_selection,
        observation=row.observation,
        created_at=from_milliseconds(row.created_at),
    )


def installation_values(customer_id: CustomerId, installation: Installation) -> Values:
    """The installation's row."""
    return {
        "id": installation.id,
        "customer_id": customer_id,
        "state": installation.state,
        "repository_selection": installation.repository_selection,
        "observation": installation.observation,
        "created_at": to_milliseconds(installation.created_at),
    }


def loss_values(loss: Loss) -> Values:
    """The loss's row."""
    return {"customer_id": loss.customer_id, "provider": loss.provider, "at": to_milliseconds(loss.at)}


def slot_values(slot: SignupSlot) -> Values:
    """Who took the sign-up place, and when."""
    return {"customer_id": slot.customer_id, "taken_at": to_milliseconds(slot.taken_at)}
