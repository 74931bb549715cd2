"""Idempotency: what a key's request hashes to, which keys are refused, and how an answer is kept and given again.

A key is kept for ever, also when the answer was a refusal, so that a retry never changes an answer
(docs/decisions/0015-idempotency-for-ever.md).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, assert_never

from billing.commands import (
    AdjustCredits,
    Applied,
    CaptureHold,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    KeyedCommand,
    Note,
    PaidTerms,
    RecordUsage,
    Refused,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    SpendCredits,
)
from billing.errors import (
    BillingError,
    EntryNotReversibleError,
    HoldEndedError,
    HoldExceededError,
    HoldTooLongError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    UnknownHoldError,
)
from billing.ledger.chain import Field, digest
from billing.records import Remembered
from billing.values import Origin, from_milliseconds, to_milliseconds

OWN_KEYS: Final = frozenset(
    {
        "adjust",
        "charge",
        "clawback",
        "expire",
        "plan",
        "refund_reversal",
        "reinstate",
        "repay",
        "reverse",
        "rollover",
        "signup",
        "timeout",
        "waive",
    }
)
"""What keys of our own entries begin with. A request that used one could keep such an entry from ever being booked."""

KEPT: Final[Mapping[str, type[BillingError]]] = {
    kind.__name__: kind
    for kind in (
        InsufficientCreditsError,
        UnknownHoldError,
        HoldEndedError,
        HoldExceededError,
        HoldTooLongError,
        EntryNotReversibleError,
    )
}
"""Refusals that a decision makes, by the name under which they are kept. The others blame the request itself, or what
may come to be, and leave its key free."""


def is_reserved(command: KeyedCommand) -> bool:
    """Whether a request can't have its key: it is empty, or of a form that our own entries use."""
    # A reversal's key is of our own making, so that an entry is taken back once, whoever asks.
    if isinstance(command, ReverseEntry):
        return False
    return not command.key or command.key.partition(":")[0] in OWN_KEYS


def hash_request(command: KeyedCommand) -> bytes:
    """The SHA-256 of what the command asks for, 32 bytes: its body, by which a repeated key is told from a reused one.

    Left out are the key, the note's salt, which is drawn anew each time, and when a spend happened, because that time
    is ours where the caller names none, and a retry must not be another request for it.
    """
    who = (command.customer_id, command.actor)
    match command:
        case SpendCredits():
            return digest("spend request", (*_oldest(command), command.reference, *_paid(command.paid)))
        case GrantCredits():
            return _hash_grant(command)
        case RevokeCredits():
            return digest("revoke request", (*_oldest(command), *_words(command.note)))
        case AdjustCredits():
            return digest("adjust request", (*who, command.change, *_words(command.note)))
        case RecordUsage():
            usage = (command.amount.count, command.reference, command.occurred_at)
            words = () if command.note is None else _words(command.note)
            return digest("usage request", (*who, *usage, *words))
        case HoldCredits():
            held = (command.amount.count, _milliseconds(command.lasts), command.reference)
            return digest("hold request", (*who, *held, *_paid(command.paid)))
        case CaptureHold():
            return digest("capture request", (*who, command.hold_id, command.amount.count))
        case ReleaseHold():
            return digest("release request", (*who, command.hold_id))
        case ExtendHold():
            return digest("extend request", (*who, command.hold_id, _milliseconds(command.lasts)))
        case FollowRefund():
            cents = (command.paid_cents, command.refunded_cents)
            return digest("refund request", (*who, command.grant_number, *cents, command.reference))
        case ReverseEntry():
            return digest("reverse request", (*who, command.seq, *_words(command.note)))
        case _:
            assert_never(command)


def repeated(remembered: Remembered, command: KeyedCommand, request_hash: bytes) -> Applied | Refused:
    """The answer to a key that was used before."""
    if remembered.refusal and (remembered.request_hash == request_hash or isinstance(command, ReverseEntry)):
        return Refused(error=_read_refusal(remembered.refusal), replayed=True)
    if remembered.request_hash == request_hash:
        return Applied(customer_id=command.customer_id, entries=(remembered.seq,), replayed=True)
    if isinstance(command, ReverseEntry):
        reason = f"entry {remembered.seq} has taken it back already"
        return Refused(error=EntryNotReversibleError(command.seq, reason))
    return Refused(error=IdempotencyConflictError(remembered.key))


def is_kept(error: BillingError) -> bool:
    """Whether the refusal is the key's answer for ever."""
    return type(error).__name__ in KEPT


def write_refusal(error: BillingError) -> str:
    """The refusal as a small JSON object: its class name and its fields. Times are in milliseconds."""
    fields = {name: _written(value) for name, value in vars(error).items()}
    return json.dumps({"error": type(error).__name__, **fields})


def _read_refusal(text: str) -> BillingError:
    fields = json.loads(text)
    kind = KEPT[fields.pop("error")]
    return kind(**{name: _read(name, value) for name, value in fields.items()})


def _written(value: object) -> object:
    return to_milliseconds(value) if isinstance(value, datetime) else value


def _read(name: str, value: object) -> object:
    return from_milliseconds(int(str(value))) if name.endswith("_at") else value


def _hash_grant(command: GrantCredits) -> bytes:
    """The hash of a command that is older than some of its fields: as ever, where these say nothing."""
    words = ("", "") if command.note is None else _words(command.note)
    news = (command.origin.value, command.reference)
    more = () if news == (Origin.GOODWILL.value, "") else news
    return digest("grant request", (*_oldest(command), command.expires_at, *words, *more))


def _oldest(command: GrantCredits | RevokeCredits | SpendCredits) -> tuple[Field, ...]:
    """What the commands that were there first begin with; the later ones have the actor before the amount."""
    return command.customer_id, command.amount.count, command.actor


def _words(note: Note) -> tuple[str, str]:
    return note.text, note.actor_name


def _paid(paid: PaidTerms | None) -> tuple[int, ...]:
    return () if paid is None else (paid.units, paid.price_cents)


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
