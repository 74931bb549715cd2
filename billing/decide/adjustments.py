"""Balances set right by hand."""

from billing.commands import AdjustCredits
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.entries import Entry
from billing.values import NEVER, Category, Credits, EntryKind, Origin, Place


def adjust(book: Book, command: AdjustCredits, voucher: Voucher) -> Entry:
    """Add credits, or take some away; by an entry that says so, in any case."""
    return _add(book, command.change, voucher) if command.change > 0 else _take(book, -command.change, voucher)


def _add(book: Book, count: int, voucher: Voucher) -> Entry:
    """Forgive debt first; what is left is granted out of goodwill, by an entry of its own if there was debt."""
    forgiven = min(count, book.debt)
    if not forgiven:
        return _give(book, count, voucher)
    entry = book.post(EntryKind.ADJUST, [(Place.LENT, Place.DEBT, 0, forgiven)], voucher)
    if count > forgiven:
        own = book.own_voucher("adjust", actor=voucher.actor).about(f"entry:{entry.seq}")
        _give(book, count - forgiven, own)
    return entry


def _give(book: Book, count: int, voucher: Voucher) -> Entry:
    """Grant credits out of goodwill, for ever."""
    terms = Terms(origin=Origin.GOODWILL, category=Category.PROMOTIONAL, amount=Credits(count), expires_at=NEVER)
    return book.grant(terms, voucher)


def _take(book: Book, count: int, voucher: Voucher) -> Entry:
    """Take what is available, in burn order; the rest is owed."""
    lines = book.allocate(min(count, book.available), Place.REVOKED)
    if count > book.available:
        lines.append((Place.DEBT, Place.LENT, 0, count - book.available))
    return book.post(EntryKind.ADJUST, lines, voucher)
