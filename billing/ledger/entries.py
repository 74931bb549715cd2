"""The journal's records: an entry, and the moves inside it."""

from dataclasses import dataclass
from datetime import datetime

from billing.values import AccountId, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Credits from one place to another. A debit, a credit and an amount above zero can't be unbalanced.

    `debit` and `credit` name places: `grant` (the grant with `grant_number`), or outside the account `issued`, `used`,
    `expired`, `revoked`.
    """

    line: int
    debit: str
    credit: str
    grant_number: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable transaction of an account's journal. Ids only: free text stands in the notes.

    Attributes:
        seq: counts from 1 within the account, without gaps.
        amount: what it adds to the balance, in credits; negative when it takes away.
        balance_after: the account's balance with this entry.
        key: the idempotency key, unique within the account for ever.
        request_hash: SHA-256 of the request that carried the key; of what the entry says, if it is of our own making.
        occurred_at: when it happened; recorded_at: when it was booked.
        actor: who caused it, as an id: `delivery:12`, `operator`, `clock`.
        reference: what it is about, ids only, separated by spaces; "" if nothing. A grant's ends in `terms:` and the
            digest of its terms (`billing.ledger.chain.digest_terms`), so that nobody can lengthen an expiry unseen.
        note_hash: the salted hash of the note, 32 bytes; empty without one.
        moves: at least one, numbered from 0.
        previous_hash, hash: the chain, 32 bytes each.
    """

    account_id: AccountId
    seq: int
    kind: EntryKind
    amount: int
    balance_after: int
    key: str
    request_hash: bytes
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    reference: str
    note_hash: bytes
    moves: tuple[Move, ...]
    previous_hash: bytes
    hash: bytes
