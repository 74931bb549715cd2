"""Usage booked after it happened, at its own time (docs/decisions/0071-late-usage-is-booked-at-its-own-time.md)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.commands import RecordUsage
from billing.decide.decision import Facts
from billing.decide.spending import waive_rest
from billing.ledger.book import Book, Voucher
from billing.ledger.burning import burn_rank
from billing.ledger.entries import Entry
from billing.ledger.months import months_by, was_ended
from billing.ledger.places import Line
from billing.state import Grant
from billing.values import EntryKind, Place, to_the_millisecond


def record_usage(book: Book, command: RecordUsage, voucher: Voucher, facts: Facts) -> Entry:
    """Pay with what could have paid then; the rest is owed, or waived while billing is off. It is never refused."""
    used_at = to_the_millisecond(command.occurred_at)
    voucher = replace(voucher, occurred_at=used_at, reference=command.reference)
    lines: list[Line] = []
    missing = command.amount.count
    for grant in sorted(book.grants, key=burn_rank):
        if grant.effective_at > used_at:
            continue
        # What expired since would have been spent by then; of what had expired by then, nothing remains.
        expired = grant.expired if used_at < _ended_at(grant, book.grants) else 0
        for place, left in ((Place.EXPIRED, expired), (Place.GRANT, grant.remaining)):
            share = min(missing, left)
            missing -= share
            if share:
                lines.append((place, Place.USED, grant.number, share))
    if missing and facts.billing_on:
        lines.append((Place.DEBT, Place.USED, 0, missing))
        missing = 0
    entry = book.post(EntryKind.SPEND, lines, voucher) if lines else None
    if missing:
        entry = waive_rest(book, missing, voucher, entry)
    assert entry is not None, "usage is booked one way or the other"
    book.put_right({number: None for _, _, number, _ in lines if number}, since=book.now)
    return entry


def _ended_at(grant: Grant, grants: Sequence[Grant]) -> datetime:
    """When the grant came to its end: at its own, unless a later month of its plan had ended it before that."""
    later = (each.effective_at for each in grants if was_ended(grant, months_by((each,))))
    return min((grant.expires_at, *later))
