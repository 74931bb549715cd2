"""What an account comes to: what can be spent, what is held, what is owed."""

from collections.abc import Iterable
from datetime import datetime

from billing.ledger.book import Book
from billing.ledger.burning import BurnRank, burn_order, burn_rank, is_due, next_expiry
from billing.ledger.months import Months, months_of
from billing.state import CreditAccount, CustomerState, Grant, Hold
from billing.values import Credits, value

# The order in which grants burn can be had from here as well: whoever shows a balance shows it.
__all__ = [
    "Balance",
    "BurnRank",
    "available",
    "balance_of",
    "burn_order",
    "burn_rank",
    "is_due",
    "next_expiry",
    "standing",
]


@value
class Balance:
    """What an account comes to at a moment, in credits.

    Attributes:
        available: can be spent or held.
        held: set aside by open holds.
        debt: what the customer owes.
    """

    available: int
    held: int
    debt: int


def standing(state: CustomerState, now: datetime) -> Balance:
    """What the customer has now, with everything that is due and nothing of it booked.

    Of holds that may have timed out, the state has to bring those that have, with the grants they lie on.
    """
    return balance_of(state.account, state.grants, state.holds, now, months=months_of(state.subscriptions))


def available(state: CustomerState, now: datetime) -> Credits:
    """What the customer can spend now: the balance less what is held and what is due to expire."""
    return Credits(standing(state, now).available)


def balance_of(
    account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold], now: datetime, *, months: Months
) -> Balance:
    """What an account comes to: as if what is due were booked now, in a book that is thrown away."""
    now = max(now, account.booked_at)
    if now >= min(account.next_expiry, account.next_timeout):
        book = Book(account, grants, holds, now, months=months)
        book.book_due()
        account = book.account
    return Balance(available=account.posted - account.held, held=account.held, debt=account.debt)
