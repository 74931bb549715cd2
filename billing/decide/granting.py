"""Credits granted and revoked by request."""

from typing import Final

from billing.commands import GrantCredits, RevokeCredits
from billing.errors import BillingError, InsufficientCreditsError
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.entries import Entry
from billing.values import Category, Origin

CATEGORIES: Final = {
    Origin.GOODWILL: Category.PROMOTIONAL,
    Origin.PURCHASE: Category.PAID,
    Origin.MIGRATION: Category.PAID,
}
"""Whether credits that are granted by request count as given or as paid for."""


def grant(book: Book, command: GrantCredits, voucher: Voucher) -> Entry:
    """Grant credits; what was bought repays debt first."""
    terms = Terms(
        origin=command.origin,
        category=CATEGORIES[command.origin],
        amount=command.amount,
        expires_at=command.expires_at,
    )
    return book.grant(terms, voucher.about(command.reference))


def revoke(book: Book, command: RevokeCredits, voucher: Voucher) -> Entry | BillingError:
    """Take back credits in burn order, if so many are available."""
    if command.amount.count > book.available:
        return InsufficientCreditsError(requested=command.amount.count, available=book.available)
    return book.revoke(command.amount, voucher)
