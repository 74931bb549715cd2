"""Idempotency: what a key's request hashes to, which keys are refused, and how an answer is kept and given again.

A key is kept for ever, also when the answer was a refusal, so that a retry never changes an answer
(docs/decisions/0015-idempotency-for-ever.md).
"""

import json
from typing import Final, assert_never

from billing.commands import Applied, GrantCredits, KeyedCommand, Refused, RevokeCredits, SpendCredits
from billing.errors import BillingError, IdempotencyConflictError, InsufficientCreditsError
from billing.ledger.chain import digest
from billing.records import Remembered
from billing.values import CustomerId

OWN_KEYS: Final = frozenset({"signup", "plan", "rollover", "expire"})
"""What keys of our own entries begin with. A request that used one could keep such an entry from ever being booked."""


def is_reserved(key: str) -> bool:
    """Whether a request can't have this key: it is empty, or of a form that our own entries use."""
    return not key or key.partition(":")[0] in OWN_KEYS


def hash_request(command: KeyedCommand) -> bytes:
    """The SHA-256 of what the command asks for, 32 bytes: its body, by which a repeated key is told from a reused one.

    Left out are the key, the note's salt, which is drawn anew each time, and when a spend happened, because that time
    is ours where the caller names none, and a retry must not be another request for it.
    """
    common = (command.customer_id, command.amount.count, command.actor)
    match command:
        case GrantCredits(note=note):
            words = ("", "") if note is None else (note.text, note.actor_name)
            return digest("grant request", (*common, command.expires_at, *words))
        case RevokeCredits(note=note):
            return digest("revoke request", (*common, note.text, note.actor_name))
        case SpendCredits():
            return digest("spend request", (*common, command.reference))
        case _:
            assert_never(command)


def repeated(remembered: Remembered, request_hash: bytes, customer_id: CustomerId) -> Applied | Refused:
    """The answer to a key that was used before."""
    if remembered.request_hash != request_hash:
        return Refused(error=IdempotencyConflictError(remembered.key))
    if remembered.refusal:
        return Refused(error=_read_refusal(remembered.refusal), replayed=True)
    return Applied(customer_id=customer_id, entries=(remembered.seq,), replayed=True)


def write_refusal(error: InsufficientCreditsError) -> str:
    """The refusal as a small JSON object: its class name and its fields."""
    return json.dumps({"error": type(error).__name__, "requested": error.requested, "available": error.available})


def _read_refusal(text: str) -> BillingError:
    refusal = json.loads(text)
    assert refusal["error"] == InsufficientCreditsError.__name__, "no other refusal is remembered"
    return InsufficientCreditsError(requested=refusal["requested"], available=refusal["available"])
