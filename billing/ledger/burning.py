"""The order in which grants burn, and what of them has expired."""

from collections.abc import Iterable
from datetime import datetime

from billing.state import Grant
from billing.values import NEVER, Category

BurnRank = tuple[int, datetime, bool, datetime, int]


def burn_rank(grant: Grant) -> BurnRank:
    """The grant's place in the burn order; the lowest burns first.

    Priority, then the earliest expiry, promotional before paid, the earliest effective, and the number, which no two
    grants of an account share, so the order is total (docs/decisions/0014-burn-order.md).
    """
    return (
        grant.priority,
        grant.expires_at,
        grant.category is Category.PAID,
        grant.effective_at,
        grant.number,
    )


def burn_order(grants: Iterable[Grant]) -> list[Grant]:
    """The open grants, in the order in which they burn."""
    order = [grant for grant in grants if grant.remaining]
    # Most accounts have one, which needn't be ranked.
    if len(order) > 1:
        order.sort(key=burn_rank)
    return order


def is_due(grant: Grant, now: datetime) -> bool:
    """Whether what remains of the grant has expired, booked or not. It can be spent up to that moment, not at it."""
    return grant.remaining > 0 and grant.expires_at <= now


def next_expiry(grants: Iterable[Grant]) -> datetime:
    """The earliest expiry among the open grants."""
    return min((grant.expires_at for grant in grants if grant.remaining), default=NEVER)
