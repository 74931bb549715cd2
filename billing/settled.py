"""A customer with all that is due, as if it were booked by now: what people are shown, without writing anything."""

from dataclasses import replace
from datetime import datetime

from billing.ledger.book import Book
from billing.ledger.entries import Entry
from billing.state import CustomerState


def settled(state: CustomerState, now: datetime) -> CustomerState:
    """The state after the holds that have timed out by now, and then the grants that have expired.

    Of holds that may have timed out, the state has to bring those that have, with the grants they lie on.
    """
    book = _booked(state, now)
    return replace(state, account=book.account, grants=book.grants, holds=book.holds)


def due_entries(state: CustomerState, now: datetime) -> tuple[Entry, ...]:
    """The entries that the next command would book ahead of its own, if it came now."""
    return tuple(_booked(state, now).entries)


def _booked(state: CustomerState, now: datetime) -> Book:
    """The book with what is due booked, to be thrown away."""
    book = Book.of(state, max(now, state.account.booked_at))
    book.book_due()
    return book
