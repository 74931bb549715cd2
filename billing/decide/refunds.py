"""Refunds: a grant follows its payment (docs/decisions/0073-refunds-are-cumulative.md)."""

from billing.commands import FollowRefund
from billing.errors import BillingError, UnknownGrantError
from billing.ledger.book import Book, Voucher
from billing.ledger.entries import Entry
from billing.ledger.refunds import clawback_lines, reinstating_lines, target_of
from billing.values import EntryKind


def follow_refund(book: Book, command: FollowRefund, voucher: Voucher) -> Entry | BillingError:
    """Bring a grant to where its payment is. The entry says so even if nothing is left to move."""
    before = book.grant_numbered(command.grant_number)
    if before is None:
        return UnknownGrantError(command.grant_number)
    target = target_of(before.amount, paid_cents=command.paid_cents, refunded_cents=command.refunded_cents)
    grant = book.set_target(before.number, target)
    voucher = voucher.about(command.reference, f"grant:{grant.number}", f"reversed:{target}")
    if target >= before.reversed:
        return book.post(EntryKind.CLAWBACK, clawback_lines(grant), voucher)
    lines, without_room = reinstating_lines(grant, book.debt)
    entry = book.post(EntryKind.REINSTATE, lines, voucher)
    book.restore(without_room, entry=entry)
    book.put_right((grant.number,), since=book.now)
    return entry
