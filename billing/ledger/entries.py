"""The journal's records: an entry, and the moves inside it."""

from datetime import datetime

from billing.values import DEFAULT_UNIT, NO_HOLD, AccountId, EntryKind, HoldId, value


@value
class Move:
    """Credits from one place to another. A debit, a credit and an amount above zero can't be unbalanced.

    `debit` and `credit` name places (`billing.values.Place`); `grant_number` is that of the grant it concerns, 0 if it
    concerns none.
    """

    line: int
    debit: str
    credit: str
    grant_number: int
    amount: int


@value
class Entry:
    """One immutable transaction of an account's journal. Ids only: free text stands in the notes.

    Attributes:
        seq: counts from 1 within the account, without gaps.
        amount: what it adds to the balance, in credits; negative when it takes away.
        balance_after: the account's balance with this entry; held_after: what of it is held; debt_after: what is owed.
        key: the idempotency key, unique within the account for ever.
        request_hash: SHA-256 of the request that carried the key; of what the entry says, if it is of our own making.
        occurred_at: when it happened; recorded_at: when it was booked.
        actor: who caused it, as an id: `delivery:12`, `operator`, `clock`.
        reference: what it is about, ids only, separated by spaces; "" if nothing. A grant's ends in `terms:` and the
            digest of its terms (`billing.ledger.chain.digest_terms`), so that nobody can lengthen an expiry unseen.
            `billing.ledger.references` has the other words of our own.
        note_hash: the salted hash of the note, 32 bytes; empty without one.
        moves: numbered from 0. An entry without any says something else: that a hold lasts longer or holds no credits,
            or that of a refunded grant nothing is left to take.
        hold_id: the hold that it makes, extends or ends; 0 if none.
        reverses: the sequence number of the entry that it takes back; 0 if none.
        unit: of the account.
        hash_version: of the encoding under which it was hashed.
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
    held_after: int = 0
    debt_after: int = 0
    hold_id: HoldId = NO_HOLD
    reverses: int = 0
    unit: str = DEFAULT_UNIT
    hash_version: int = 1
