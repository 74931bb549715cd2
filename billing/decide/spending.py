"""Spends: credits first, then money if it may, and nothing of either while billing is off."""

from billing.commands import SpendCredits
from billing.decide.decision import Facts
from billing.decide.paid_units import charge
from billing.errors import BillingError, InsufficientCreditsError
from billing.ledger.book import Book, Voucher
from billing.ledger.chain import digest_hold
from billing.ledger.entries import Entry
from billing.ledger.references import until
from billing.state import Hold
from billing.values import Credits, EntryKind, HoldId, HoldState, Place


def spend(book: Book, command: SpendCredits, voucher: Voucher, facts: Facts) -> Entry | BillingError:
    """Spend credits now; what they don't cover is paid for, waived while billing is off, or a reason to refuse."""
    missing = command.amount.count - book.available
    if missing <= 0:
        return book.spend(command.amount, voucher)
    if not facts.billing_on:
        return _spend_and_waive(book, missing, voucher)
    if command.paid is not None and missing <= command.paid.units:
        return _spend_and_charge(book, missing, command.paid.price_cents, voucher, facts.hold_id)
    return InsufficientCreditsError(requested=command.amount.count, available=book.available)


def waive_rest(book: Book, missing: int, voucher: Voucher, entry: Entry | None) -> Entry:
    """Post what nobody pays for: as an entry of its own behind the spend, or instead of it if nothing was spent."""
    if entry is None:
        return book.waive(missing, voucher)
    own = book.own_voucher("waive", occurred_at=voucher.occurred_at, actor=voucher.actor)
    book.waive(missing, own.about(voucher.reference, f"entry:{entry.seq}"))
    return entry


def _spend_and_waive(book: Book, missing: int, voucher: Voucher) -> Entry:
    """Spend what is available."""
    entry = book.spend(Credits(book.available), voucher) if book.available else None
    return waive_rest(book, missing, voucher, entry)


def _spend_and_charge(book: Book, missing: int, price_cents: int, voucher: Voucher, hold_id: HoldId) -> Entry:
    """Spend what is available, and have money pay for the rest.

    The paid units are a hold that is captured as it is made, so that its id names their charges.
    """
    hold = Hold(
        id=hold_id,
        account_id=book.account.id,
        shares=(),
        made_at=book.now,
        expires_at=book.now,
        reference=voucher.reference,
        paid_units=missing,
        price_cents=price_cents,
        captured=missing,
        state=HoldState.CAPTURED,
    )
    lines = book.allocate(book.available, Place.USED)
    charged, terms = charge(book, hold, missing)
    voucher = voucher.about(until(hold.expires_at), f"hold:{digest_hold(hold)}", terms)
    entry = book.post(EntryKind.SPEND, [*lines, *charged], voucher, hold_id=hold.id)
    book.keep(hold)
    return entry
