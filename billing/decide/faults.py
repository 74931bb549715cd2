"""What is wrong with a request itself. Such a refusal needs no remembering: its key stays free."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from billing.commands import (
    AdjustCredits,
    CaptureHold,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    KeyedCommand,
    PaidTerms,
    RecordUsage,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    SpendCredits,
)
from billing.errors import BillingError, ExpiredGrantError, InvalidAmountError, InvalidOriginError, InvalidTimeError
from billing.values import Credits, Origin, to_the_millisecond

BY_REQUEST: Final = frozenset({Origin.GOODWILL, Origin.PURCHASE, Origin.MIGRATION})
"""Origins of credits that can be asked for; the others come about by themselves."""

MOST: Final = 1_000_000_000
"""The most credits, units or cents that a request can be about. Sums of them fit the database's whole numbers."""

MOST_PAID_UNITS: Final = 50
"""The most units that money may pay for by one request: each one is a grant and a charge of its own in one entry, and a
whole batch of such requests has to be one short transaction.
"""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far ahead of ours a caller's clock may be."""

LATEST_USAGE: Final = timedelta(days=30)
"""How long ago usage may have happened that is booked late."""


def malformed(command: KeyedCommand) -> BillingError | None:
    """What is wrong with the command whenever it comes; None if nothing is."""
    match command:
        case GrantCredits():
            return _amount(command.amount) or _origin(command.origin)
        case RevokeCredits() | CaptureHold() | RecordUsage():
            return _amount(command.amount)
        case SpendCredits():
            return _amount(command.amount) or _paid(command.paid)
        case HoldCredits():
            return _amount(command.amount) or _paid(command.paid) or _span(command.lasts)
        case ExtendHold():
            return _span(command.lasts)
        case AdjustCredits():
            return _change(command.change)
        case FollowRefund():
            return _refund(command)
        case ReleaseHold() | ReverseEntry():
            return None
        case _:
            assert_never(command)


def untimely(command: KeyedCommand, now: datetime) -> BillingError | None:
    """Why the command comes too late or too early; None if it doesn't. A repeated one is answered all the same."""
    if isinstance(command, GrantCredits) and to_the_millisecond(command.expires_at) <= now:
        return ExpiredGrantError(command.expires_at)
    if isinstance(command, RecordUsage):
        return _usage(command, now)
    if isinstance(command, SpendCredits) and command.occurred_at > now + CLOCKS_DIFFER:
        return InvalidTimeError("credits can't be spent before what they pay for has happened")
    return None


def _amount(amount: Credits) -> BillingError | None:
    if amount.count > MOST:
        return InvalidAmountError(f"credits to move, of which {MOST} are the most,", amount.count)
    return None if amount else InvalidAmountError("credits to move", amount.count)


def _origin(origin: Origin) -> BillingError | None:
    return None if origin in BY_REQUEST else InvalidOriginError(origin.value)


def _paid(paid: PaidTerms | None) -> BillingError | None:
    if paid is None:
        return None
    for what, value in (("paid units", paid.units), ("the price of a unit", paid.price_cents)):
        if not _is_whole(value):
            return InvalidAmountError(what, value)
    if paid.units > MOST_PAID_UNITS:
        return InvalidAmountError(f"paid units, of which {MOST_PAID_UNITS} are the most,", paid.units)
    return None


def _usage(command: RecordUsage, now: datetime) -> BillingError | None:
    if command.occurred_at > now:
        return InvalidTimeError("usage can't be recorded before it has happened")
    if command.occurred_at < now - LATEST_USAGE:
        return InvalidTimeError(f"usage can be recorded up to {LATEST_USAGE.days} days after it happened")
    return None


def _span(span: timedelta) -> BillingError | None:
    if span < timedelta(milliseconds=1):
        return InvalidTimeError("a hold lasts at least a millisecond")
    return None


def _change(change: int) -> BillingError | None:
    if type(change) is not int or not 0 < abs(change) <= MOST:
        return InvalidAmountError(f"the size of a change, which is from 1 to {MOST},", change)
    return None


def _refund(command: FollowRefund) -> BillingError | None:
    if not _is_whole(command.paid_cents) or not command.paid_cents:
        return InvalidAmountError("cents paid", command.paid_cents)
    if not _is_whole(command.refunded_cents) or command.refunded_cents > command.paid_cents:
        return InvalidAmountError("cents refunded, which are no more than were paid,", command.refunded_cents)
    return None


def _is_whole(value: object) -> bool:
    """Whether it is a whole number that isn't negative or beyond measure; a bool isn't one."""
    return type(value) is int and 0 <= value <= MOST
