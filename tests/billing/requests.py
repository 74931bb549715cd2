"""Requests about credits beside the simplest: holds, late usage, refunds, corrections."""

from datetime import datetime, timedelta

from billing.commands import (
    AdjustCredits,
    CaptureHold,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    PaidTerms,
    RecordUsage,
    ReleaseHold,
    ReverseEntry,
)
from billing.values import NEVER, Credits, HoldId, Origin
from tests.billing.materials import CUSTOMER_ID, note

DAY = timedelta(days=1)


def paid(units: int, price_cents: int = 1500) -> PaidTerms:
    """What money may pay for."""
    return PaidTerms(units=units, price_cents=price_cents)


def buy(count: int, *, key: str, expires_at: datetime = NEVER) -> GrantCredits:
    """Credits that were bought."""
    return GrantCredits(
        customer_id=CUSTOMER_ID,
        amount=Credits(count),
        expires_at=expires_at,
        key=key,
        actor="stripe",
        note=None,
        origin=Origin.PURCHASE,
        reference="payment:1",
    )


def hold(
    count: int,
    *,
    key: str,
    lasts: timedelta = DAY,
    reference: str = "repository:7#12",
    terms: PaidTerms | None = None,
) -> HoldCredits:
    """Credits set aside."""
    return HoldCredits(
        customer_id=CUSTOMER_ID,
        amount=Credits(count),
        lasts=lasts,
        key=key,
        actor="key:1",
        reference=reference,
        paid=terms,
    )


def capture(hold_id: HoldId, count: int, *, key: str) -> CaptureHold:
    """Held credits spent."""
    return CaptureHold(customer_id=CUSTOMER_ID, hold_id=hold_id, amount=Credits(count), key=key, actor="key:1")


def release(hold_id: HoldId, *, key: str) -> ReleaseHold:
    """Held credits given back."""
    return ReleaseHold(customer_id=CUSTOMER_ID, hold_id=hold_id, key=key, actor="key:1")


def extend(hold_id: HoldId, *, key: str, lasts: timedelta = DAY) -> ExtendHold:
    """A hold that lasts longer."""
    return ExtendHold(customer_id=CUSTOMER_ID, hold_id=hold_id, lasts=lasts, key=key, actor="key:1")


def usage(count: int, *, key: str, at: datetime, reference: str = "repository:7#12") -> RecordUsage:
    """Usage that is told of late."""
    return RecordUsage(
        customer_id=CUSTOMER_ID,
        amount=Credits(count),
        key=key,
        actor="key:1",
        reference=reference,
        occurred_at=at,
    )


def adjust(change: int, *, key: str, text: str = "set right") -> AdjustCredits:
    """A balance set right."""
    return AdjustCredits(customer_id=CUSTOMER_ID, change=change, key=key, actor="operator", note=note(text))


def refund(grant_number: int, refunded_cents: int, *, key: str, paid_cents: int = 600) -> FollowRefund:
    """So much of a payment refunded until now."""
    return FollowRefund(
        customer_id=CUSTOMER_ID,
        grant_number=grant_number,
        paid_cents=paid_cents,
        refunded_cents=refunded_cents,
        key=key,
        actor="stripe",
        reference="charge:1",
    )


def reverse(seq: int, *, text: str = "booked by mistake", actor: str = "operator") -> ReverseEntry:
    """An entry taken back."""
    return ReverseEntry(customer_id=CUSTOMER_ID, seq=seq, actor=actor, note=note(text))
