"""The credits of a plan's period: what its target lacks is granted, and what the period before left over expires."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from billing.ledger.book import CLOCK, Book, Terms, Voucher
from billing.ledger.burning import burn_order
from billing.periods import utc_date
from billing.plans import Plan
from billing.state import Grant, Period, Subscription
from billing.values import Category, Credits, Origin, to_milliseconds

GRACE: Final = timedelta(hours=72)
"""How long a period's credits outlive it, because payment and confirmation come after the boundary."""


def grant_target(book: Book, subscription: Subscription, plan: Plan, voucher: Voucher) -> Subscription:
    """Grant what the period's target lacks; the subscription comes back with that noted.

    Keyed by provider, period and number, and counted in the period, so that no observation grants anything twice.
    The voucher says who caused it and when; its key and what it is about are filled in.
    """
    period = subscription.period
    if period is None or period.target <= period.granted:
        return subscription
    book.book_due()
    expires_at = expiry_of(period, subscription)
    name = f"{subscription.provider}:{to_milliseconds(period.starts_at)}"
    terms = Terms(
        origin=Origin.PLAN,
        category=Category.PAID,
        amount=Credits(period.target - period.granted),
        expires_at=expires_at,
        provider=subscription.provider.value,
        period_starts_at=period.starts_at,
    )
    if not period.grants:
        _roll_over(book, plan, terms, key=f"rollover:{name}")
    number = period.grants + 1
    book.grant(terms, replace(voucher, key=f"plan:{name}:{number}", reference=f"plan:{plan.id}"))
    return replace(subscription, period=replace(period, granted=period.target, grants=number))


def expiry_of(period: Period, subscription: Subscription) -> datetime:
    """When the period's credits expire: with the subscription, if it is known to end with the period, else later."""
    end = subscription.pending_effective_at if subscription.cancel_at_period_end else None
    if end is None or utc_date(end) > utc_date(period.ends_at):
        return period.ends_at + GRACE
    return max(period.ends_at, end)


def _roll_over(book: Book, plan: Plan, terms: Terms, *, key: str) -> None:
    """Expire what the provider's earlier periods left over, and grant anew what the plan lets live on.

    A grant's terms never change, so what lives on gets a grant of its own, by the terms of the period that it is rolled
    into; it doesn't count in what the period was granted. What is held stays held, and ends when it returns.
    """
    leftovers = [grant for grant in burn_order(book.grants) if _is_leftover(grant, terms.provider)]
    for grant in leftovers:
        book.expire(grant, occurred_at=book.now)
    kept = min(sum(grant.remaining for grant in leftovers), plan.rollover_max)
    if kept:
        voucher = Voucher(key=key, actor=CLOCK, occurred_at=book.now, reference=f"plan:{plan.id}")
        book.grant(replace(terms, amount=Credits(kept)), voucher)


def _is_leftover(grant: Grant, provider: str) -> bool:
    return grant.origin is Origin.PLAN and grant.provider == provider
