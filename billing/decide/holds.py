"""Holds: credits set aside for work under way, until it is done or given up (docs/decisions/0072-holds-time-out.md)."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from billing.commands import CaptureHold, ExtendHold, HoldCredits, ReleaseHold
from billing.decide.decision import Facts
from billing.decide.paid_units import charge
from billing.errors import (
    BillingError,
    HoldEndedError,
    HoldExceededError,
    HoldTooLongError,
    InsufficientCreditsError,
    UnknownHoldError,
)
from billing.ledger.book import Book, Voucher
from billing.ledger.chain import digest_hold
from billing.ledger.entries import Entry
from billing.ledger.places import Line
from billing.ledger.references import until
from billing.state import Hold, HoldShare
from billing.values import EntryKind, HoldId, HoldState, Place, to_the_millisecond

USUAL: Final = timedelta(hours=24)
"""How long a hold lasts unless somebody says otherwise."""

LONGEST: Final = timedelta(days=30)
"""How long a hold can last from its making on, however often it is extended."""


def hold(book: Book, command: HoldCredits, voucher: Voucher, facts: Facts) -> Entry | BillingError:
    """Set credits aside. What they don't cover is held as paid units, or as waived ones while billing is off."""
    if command.lasts > LONGEST:
        return HoldTooLongError(book.now + LONGEST)
    wanted = command.amount.count
    missing = max(0, wanted - book.available)
    allowed = 0 if command.paid is None else command.paid.units
    if facts.billing_on and missing > allowed:
        return InsufficientCreditsError(requested=wanted, available=book.available)
    paid_units = missing if facts.billing_on else 0
    lines = book.allocate(wanted - missing, Place.HELD)
    made = Hold(
        id=facts.hold_id,
        account_id=book.account.id,
        shares=tuple(HoldShare(grant_number=number, amount=count) for _, _, number, count in lines),
        made_at=book.now,
        expires_at=to_the_millisecond(book.now + command.lasts),
        reference=command.reference,
        paid_units=paid_units,
        price_cents=command.paid.price_cents if command.paid is not None and paid_units else 0,
        waived_units=missing - paid_units,
    )
    voucher = voucher.about(command.reference, until(made.expires_at), f"hold:{digest_hold(made)}")
    entry = book.post(EntryKind.HOLD, lines, voucher, hold_id=made.id)
    book.keep(made)
    return entry


def capture(book: Book, command: CaptureHold, voucher: Voucher, facts: Facts) -> Entry | BillingError:
    """Spend what was held, in the order in which it was taken; then paid units, then waived ones. The rest returns.

    What was to be paid with money is paid with credits that are available by now, and never while billing is off.
    """
    held = _open(book, command.hold_id)
    if isinstance(held, BillingError):
        return held
    amount = command.amount.count
    if amount > held.units:
        return HoldExceededError(held.id, requested=amount, held=held.units)
    lines = _captured_credits(held, amount)
    paid = min(max(0, amount - held.credits), held.paid_units)
    waived = max(0, amount - held.credits - paid)
    from_credits = min(paid, book.available)
    lines += book.allocate(from_credits, Place.USED)
    charged, terms = charge(book, held, paid - from_credits if facts.billing_on else 0)
    lines += charged
    waived += 0 if facts.billing_on else paid - from_credits
    if waived:
        lines.append((Place.WAIVED, Place.USED, 0, waived))
    entry = book.post(EntryKind.CAPTURE, lines, voucher.about(held.reference, terms), hold_id=held.id)
    book.keep(replace(held, state=HoldState.CAPTURED, captured=amount))
    book.put_right((share.grant_number for share in held.shares), since=book.now)
    return entry


def release(book: Book, command: ReleaseHold, voucher: Voucher) -> Entry | BillingError:
    """Give back all that is held."""
    held = _open(book, command.hold_id)
    if isinstance(held, BillingError):
        return held
    return book.release(held, HoldState.RELEASED, voucher)


def extend(book: Book, command: ExtendHold, voucher: Voucher) -> Entry | BillingError:
    """Let a hold last longer, counted from now; it is never shortened."""
    held = _open(book, command.hold_id)
    if isinstance(held, BillingError):
        return held
    latest = held.made_at + LONGEST
    if command.lasts > LONGEST or book.now + command.lasts > latest:
        return HoldTooLongError(latest)
    extended = replace(held, expires_at=max(held.expires_at, to_the_millisecond(book.now + command.lasts)))
    entry = book.post(EntryKind.EXTEND, [], voucher.about(until(extended.expires_at)), hold_id=held.id)
    book.keep(extended)
    return entry


def _open(book: Book, hold_id: HoldId) -> Hold | BillingError:
    """The customer's hold, if it has not ended."""
    held = book.hold_with(hold_id)
    if held is None:
        return UnknownHoldError(hold_id)
    return held if held.state is HoldState.OPEN else HoldEndedError(hold_id, held.state.value)


def _captured_credits(held: Hold, amount: int) -> list[Line]:
    """The moves that capture so many of the held credits, in the order of the shares, and return the rest."""
    captured: list[Line] = []
    returned: list[Line] = []
    for share in held.shares:
        taken = min(amount, share.amount)
        amount -= taken
        if taken:
            captured.append((Place.HELD, Place.USED, share.grant_number, taken))
        if taken < share.amount:
            returned.append((Place.HELD, Place.GRANT, share.grant_number, share.amount - taken))
    return captured + returned
