"""Entries taken back: their moves the other way round, the last first (docs/decisions/0074-an-entry-is-unwound.md)."""

from collections.abc import Mapping
from typing import Final

from billing.commands import ReverseEntry
from billing.decide.decision import Facts
from billing.errors import BillingError, EntryNotReversibleError, UnknownEntryError
from billing.ledger.book import Book, Voucher
from billing.ledger.entries import Entry
from billing.ledger.places import COLUMNS, Line
from billing.ledger.refunds import clawback_lines
from billing.values import EntryKind, Place

WHY_NOT: Final[Mapping[EntryKind, str]] = {
    EntryKind.HOLD: "it ends when the App releases it, or by itself when its time is over",
    EntryKind.RELEASE: "what was held is back, and only the App can hold it anew",
    EntryKind.EXTEND: "the hold ends when the App captures or releases it, or by itself when its time is over",
    EntryKind.EXPIRE: "what expired stays expired; grant credits anew instead",
    EntryKind.CLAWBACK: "it follows the payment, or the entry by which the grant was taken back",
    EntryKind.REINSTATE: "it follows the payment, or the entry by which the grant was taken back",
    EntryKind.REPAY: "reverse the grant by which the debt was repaid instead",
    EntryKind.REVERSE: "it takes an entry back itself; book that one anew instead",
}
"""Kinds of entries that are never reversed, with the reason and the way out."""

BACK: Final[Mapping[tuple[str, str], tuple[Place, Place]]] = {
    (Place.GRANT, Place.USED): (Place.USED, Place.GRANT),
    # What was captured returns to the grants: the hold has ended.
    (Place.HELD, Place.USED): (Place.USED, Place.GRANT),
    (Place.EXPIRED, Place.USED): (Place.USED, Place.EXPIRED),
    (Place.DEBT, Place.USED): (Place.USED, Place.DEBT),
    (Place.WAIVED, Place.USED): (Place.USED, Place.WAIVED),
    (Place.GRANT, Place.REVOKED): (Place.REVOKED, Place.GRANT),
    (Place.DEBT, Place.LENT): (Place.LENT, Place.DEBT),
    (Place.LENT, Place.DEBT): (Place.DEBT, Place.LENT),
}
"""By which move each move is taken back. The rest of a hold that its capture returned isn't: nobody used it."""


def reverse(book: Book, command: ReverseEntry, voucher: Voucher, facts: Facts) -> Entry | BillingError:
    """Take one entry back as it was booked, and nothing by what the rules would say today."""
    entry = facts.entry
    if entry is None:
        return UnknownEntryError(command.seq)
    if entry.kind in WHY_NOT:
        return EntryNotReversibleError(entry.seq, WHY_NOT[entry.kind])
    if entry.kind is EntryKind.GRANT:
        return _reverse_grant(book, entry, voucher)
    if any(move.debit == Place.ISSUED for move in entry.moves):
        return EntryNotReversibleError(entry.seq, "it charged money; refund the charge instead")
    lines, without_room = _unwound(book, entry)
    reversal = book.post(EntryKind.REVERSE, lines, voucher.about(f"entry:{entry.seq}"), reverses=entry.seq)
    book.restore(without_room, entry=reversal)
    touched = {number: None for _, _, number, _ in lines if number}
    book.put_right(touched, since=book.now, forgives=True)
    return reversal


def _reverse_grant(book: Book, entry: Entry, voucher: Voucher) -> Entry:
    """Take back a grant: what remains of it now, what is held when it returns, and what was spent becomes debt."""
    number = entry.moves[0].grant_number
    grant = book.set_target(number, entry.moves[0].amount)
    voucher = voucher.about(f"entry:{entry.seq}", f"grant:{number}", f"reversed:{grant.reversed}")
    return book.post(EntryKind.REVERSE, clawback_lines(grant), voucher, reverses=entry.seq)


def _unwound(book: Book, entry: Entry) -> tuple[list[Line], int]:
    """The entry's moves the other way round, and how many credits can't go back the way they came.

    Debt that was repaid meanwhile can't be taken off again, and a grant can't get back what a refund gave back already:
    so many credits are granted anew.
    """
    lines: list[Line] = []
    without_room = 0
    # An entry may move credits of one grant more than once, and each move back leaves less of them.
    left: dict[tuple[int, Place], int] = {}
    for move in reversed(entry.moves):
        if (move.debit, move.credit) not in BACK:
            continue
        debit, credit = BACK[move.debit, move.credit]
        count = move.amount
        # No entry makes debt by two moves, so each may take off all of it.
        if credit is Place.DEBT:
            count = min(count, book.debt)
        grant = book.grant_numbered(move.grant_number)
        if grant is not None:
            there = left.get((grant.number, debit), getattr(grant, COLUMNS[debit]))
            count = min(count, there)
            left[grant.number, debit] = there - count
        without_room += move.amount - count
        if count:
            lines.append((debit, credit, move.grant_number, count))
    return lines, without_room
