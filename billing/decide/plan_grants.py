"""The credits of a plan's period: what its target lacks is granted, and what the period before left over expires."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from billing.commands import Cause, PendingChange
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.burning import burn_order
from billing.periods import utc_date
from billing.plans import Plan
from billing.state import Grant, Period, Subscription
from billing.values import Category, Credits, Origin, Provider, to_milliseconds

GRACE: Final = timedelta(hours=72)
"""How long a period's credits outlive it, because payment and confirmation come after the boundary."""


def grant_target(
    book: Book, subscription: Subscription, plan: Plan, pending: PendingChange | None, cause: Cause, now: datetime
) -> Subscription:
    """Grant what the period's target lacks; the subscription comes back with that noted.

    Keyed by provider, period and number, and counted in the period, so that no observation grants anything twice.
    """
    period = subscription.period
    if period is None or period.target <= period.granted:
        return subscription
    book.book_due()
    expires_at = _expiry(period, pending)
    name = f"{subscription.provider}:{to_milliseconds(period.starts_at)}"
    if not period.grants:
        _roll_over(book, subscription.provider, plan, expires_at, key=f"rollover:{name}", now=now)
    number = period.grants + 1
    book.grant(
        Terms(
            origin=Origin.PLAN,
            category=Category.PAID,
            amount=Credits(period.target - period.granted),
            expires_at=expires_at,
            provider=subscription.provider.value,
            period_starts_at=period.starts_at,
        ),
        Voucher(
            key=f"plan:{name}:{number}",
            actor=f"delivery:{cause.delivery_id}",
            occurred_at=cause.received_at,
            reference=f"plan:{plan.id}",
        ),
    )
    return replace(subscription, period=replace(period, granted=period.target, grants=number))


def _expiry(period: Period, pending: PendingChange | None) -> datetime:
    """When the period's credits expire: with the subscription, if it is known to end with the period, else later."""
    end = None if pending is None or pending.marketplace_plan_id is not None else pending.effective_at
    if end is None or utc_date(end) > utc_date(period.ends_at):
        return period.ends_at + GRACE
    return max(period.ends_at, end)


def _roll_over(book: Book, provider: Provider, plan: Plan, expires_at: datetime, *, key: str, now: datetime) -> None:
    """Expire what the provider's earlier periods left over, and grant anew what the plan lets live on.

    A grant's terms never change, so what lives on gets a grant of its own. It belongs to no period: nothing is granted
    that wasn't before.
    """
    leftovers = [grant for grant in burn_order(book.grants) if _is_leftover(grant, provider)]
    for grant in leftovers:
        book.expire(grant, occurred_at=now)
    kept = min(sum(grant.remaining for grant in leftovers), plan.rollover_max)
    if not kept:
        return
    book.grant(
        Terms(
            origin=Origin.PLAN,
            category=Category.PAID,
            amount=Credits(kept),
            expires_at=expires_at,
            provider=provider.value,
        ),
        Voucher(key=key, actor="clock", occurred_at=now, reference=f"plan:{plan.id}"),
    )


def _is_leftover(grant: Grant, provider: Provider) -> bool:
    return grant.origin is Origin.PLAN and grant.provider == provider
