"""What grants come to: the order in which they burn, what is due to expire, and what is left to spend."""

from collections.abc import Iterable
from datetime import datetime

from billing.state import CustomerState, Grant
from billing.values import NEVER, NO_CREDITS, Category, Credits

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
    return sorted((grant for grant in grants if grant.remaining), key=burn_rank)


def is_due(grant: Grant, now: datetime) -> bool:
    """Whether what remains of the grant has expired, booked or not. It can be spent up to that moment, not at it."""
    return grant.remaining > 0 and grant.expires_at <= now


def next_expiry(grants: Iterable[Grant]) -> datetime:
    """The earliest expiry among the open grants."""
    return min((grant.expires_at for grant in grants if grant.remaining), default=NEVER)


def available(state: CustomerState, now: datetime) -> Credits:
    """What the customer can spend now: the balance less what is due to expire, without booking that."""
    account = state.account
    now = max(now, account.booked_at)
    if now < account.next_expiry:
        return Credits(account.posted)
    due = sum((grant.remaining for grant in state.grants if is_due(grant, now)), start=NO_CREDITS.count)
    return Credits(account.posted - due)
