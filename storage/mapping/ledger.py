"""Between the domain's values and rows: accounts, grants, the journal, holds and charges."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Row

from billing.commands import Note
from billing.ledger.entries import Entry, Move
from billing.records import NoteRow, Remembered
from billing.state import Charge, CreditAccount, Grant, Hold, HoldShare
from billing.values import (
    AccountId,
    Category,
    EntryKind,
    HoldId,
    HoldState,
    Origin,
    from_milliseconds,
    to_milliseconds,
)
from storage.columns import Values, optional_milliseconds, optional_moment

KEY_HASH_BYTES: Final = 16


@lru_cache(maxsize=256)
def key_hash(account_id: AccountId, key: str) -> bytes:
    """The one column that an idempotency key is looked up by.

    A batch can't look up pairs of account and key: both engines would read the whole journal for it
    (docs/decisions/0007-one-column-look-ups.md). Remembered, since a batch looks its keys up before it writes them.
    """
    return blake2b(account_id.to_bytes(8, "big") + key.encode(), digest_size=KEY_HASH_BYTES).digest()


def to_account(row: Row[Any]) -> CreditAccount:
    """The credit account in this row."""
    return CreditAccount(
        id=AccountId(row.id),
        unit=row.unit,
        posted=row.posted,
        version=row.version,
        grants_made=row.grants_made,
        next_expiry=from_milliseconds(row.next_expiry),
        booked_at=from_milliseconds(row.booked_at),
        head=row.head,
        held=row.held,
        debt=row.debt,
        next_timeout=from_milliseconds(row.next_timeout),
    )


def account_values(account: CreditAccount) -> Values:
    """What changes in the account's row."""
    return {
        "posted": account.posted,
        "version": account.version,
        "grants_made": account.grants_made,
        "next_expiry": to_milliseconds(account.next_expiry),
        "booked_at": to_milliseconds(account.booked_at),
        "head": account.head,
        "held": account.held,
        "debt": account.debt,
        "next_timeout": to_milliseconds(account.next_timeout),
    }


def to_grant(row: Row[Any]) -> Grant:
    """The grant in this row."""
    return Grant(
        number=row.number,
        origin=Origin(row.origin),
        category=Category(row.category),
        priority=row.priority,
        amount=row.amount,
        remaining=row.remaining,
        effective_at=from_milliseconds(row.effective_at),
        expires_at=from_milliseconds(row.expires_at),
        provider=row.provider,
        period_starts_at=optional_moment(row.period_starts_at),
        held=row.held,
        spent=row.spent,
        expired=row.expired,
        revoked=row.revoked,
        taken=row.taken,
        owed=row.owed,
        reversed=row.reversed,
    )


def grant_values(account_id: AccountId, grant: Grant) -> Values:
    """The grant's row."""
    return {
        "account_id": account_id,
        "number": grant.number,
        "origin": grant.origin,
        "category": grant.category,
        "priority": grant.priority,
        "amount": grant.amount,
        "effective_at": to_milliseconds(grant.effective_at),
        "expires_at": to_milliseconds(grant.expires_at),
        "provider": grant.provider,
        "period_starts_at": optional_milliseconds(grant.period_starts_at),
        **standing_values(grant),
    }


def standing_values(grant: Grant) -> Values:
    """What changes in the grant's row: where its credits are."""
    return {
        "remaining": grant.remaining,
        "held": grant.held,
        "spent": grant.spent,
        "expired": grant.expired,
        "revoked": grant.revoked,
        "taken": grant.taken,
        "owed": grant.owed,
        "reversed": grant.reversed,
    }


def to_entry(row: Row[Any], moves: Sequence[Row[Any]]) -> Entry:
    """The entry in this row, with its moves' rows in their order."""
    return Entry(
        account_id=AccountId(row.account_id),
        seq=row.seq,
        kind=EntryKind(row.kind),
        amount=row.amount,
        balance_after=row.balance_after,
        key=row.idempotency_key,
        request_hash=row.request_hash,
        occurred_at=from_milliseconds(row.occurred_at),
        recorded_at=from_milliseconds(row.recorded_at),
        actor=row.actor,
        reference=row.reference,
        note_hash=row.note_hash,
        moves=tuple(to_move(move) for move in moves),
        previous_hash=row.previous_hash,
        hash=row.hash,
        held_after=row.held_after,
        debt_after=row.debt_after,
        hold_id=HoldId(row.hold_id),
        reverses=row.reverses,
        unit=row.unit,
        hash_version=row.hash_version,
    )


def entry_values(entry: Entry) -> Values:
    """The entry's row."""
    return {
        "account_id": entry.account_id,
        "seq": entry.seq,
        # The driver looks for a way to adapt whatever is a text of a kind of its own.
        "kind": entry.kind.value,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "idempotency_key": entry.key,
        "key_hash": key_hash(entry.account_id, entry.key),
        "request_hash": entry.request_hash,
        "occurred_at": to_milliseconds(entry.occurred_at),
        "recorded_at": to_milliseconds(entry.recorded_at),
        "actor": entry.actor,
        "reference": entry.reference,
        "note_hash": entry.note_hash,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "hash_version": entry.hash_version,
        "held_after": entry.held_after,
        "debt_after": entry.debt_after,
        "hold_id": entry.hold_id,
        "reverses": entry.reverses,
        "unit": entry.unit,
    }


def to_move(row: Row[Any]) -> Move:
    """The move in this row."""
    return Move(line=row.line, debit=row.debit, credit=row.credit, grant_number=row.grant_number, amount=row.amount)


def move_values(entry: Entry, move: Move) -> Values:
    """The move's row."""
    return {
        "account_id": entry.account_id,
        "seq": entry.seq,
        "line": move.line,
        "debit": move.debit,
        "credit": move.credit,
        "grant_number": move.grant_number,
        "amount": move.amount,
    }


def to_note(row: Row[Any]) -> Note:
    """The note in this row."""
    return Note(text=row.text, actor_name=row.actor_name, salt=row.salt)


def remembered_entry(row: Row[Any]) -> Remembered:
    """The answer that was an entry."""
    return Remembered(
        account_id=AccountId(row.account_id),
        key=row.idempotency_key,
        request_hash=row.request_hash,
        seq=row.seq,
        refusal="",
        recorded_at=from_milliseconds(row.recorded_at),
    )


def remembered_refusal(row: Row[Any]) -> Remembered:
    """The answer that was a refusal."""
    return Remembered(
        account_id=AccountId(row.account_id),
        key=row.idempotency_key,
        request_hash=row.request_hash,
        seq=0,
        refusal=row.refusal,
        recorded_at=from_milliseconds(row.recorded_at),
    )


def refusal_values(refusal: Remembered) -> Values:
    """The refusal's row."""
    return {
        "key_hash": key_hash(refusal.account_id, refusal.key),
        "account_id": refusal.account_id,
        "idempotency_key": refusal.key,
        "request_hash": refusal.request_hash,
        "refusal": refusal.refusal,
        "recorded_at": to_milliseconds(refusal.recorded_at),
    }


def note_values(row: NoteRow) -> Values:
    """The note's row."""
    note = row.note
    return {
        "account_id": row.account_id,
        "seq": row.seq,
        "text": note.text,
        "actor_name": note.actor_name,
        "salt": note.salt,
    }


def to_hold(row: Row[Any], shares: Iterable[Row[Any]]) -> Hold:
    """The hold in this row, with its shares' rows in their order."""
    return Hold(
        id=HoldId(row.id),
        account_id=AccountId(row.account_id),
        shares=tuple(HoldShare(grant_number=share.grant_number, amount=share.amount) for share in shares),
        made_at=from_milliseconds(row.made_at),
        expires_at=from_milliseconds(row.expires_at),
        reference=row.reference,
        paid_units=row.paid_units,
        price_cents=row.price_cents,
        waived_units=row.waived_units,
        captured=row.captured,
        state=HoldState(row.state),
    )


def hold_values(hold: Hold) -> Values:
    """The hold's row."""
    return {
        "id": hold.id,
        "account_id": hold.account_id,
        "credits": hold.credits,
        "paid_units": hold.paid_units,
        "price_cents": hold.price_cents,
        "waived_units": hold.waived_units,
        "reference": hold.reference,
        "made_at": to_milliseconds(hold.made_at),
        **ending_values(hold),
    }


def ending_values(hold: Hold) -> Values:
    """What changes in the hold's row: when and how it ends."""
    return {"captured": hold.captured, "state": hold.state, "expires_at": to_milliseconds(hold.expires_at)}


def share_values(hold: Hold) -> list[Values]:
    """The rows of the hold's shares."""
    return [
        {"hold_id": hold.id, "line": line, "grant_number": share.grant_number, "amount": share.amount}
        for line, share in enumerate(hold.shares)
    ]


def to_charge(row: Row[Any]) -> Charge:
    """The charge in this row."""
    return Charge(
        hold_id=HoldId(row.hold_id),
        number=row.number,
        account_id=AccountId(row.account_id),
        seq=row.seq,
        grant_number=row.grant_number,
        amount_cents=row.amount_cents,
        created_at=from_milliseconds(row.created_at),
    )


def charge_values(charge: Charge) -> Values:
    """The charge's row, as it is written first."""
    return {
        "hold_id": charge.hold_id,
        "number": charge.number,
        "account_id": charge.account_id,
        "seq": charge.seq,
        "grant_number": charge.grant_number,
        "amount_cents": charge.amount_cents,
        "created_at": to_milliseconds(charge.created_at),
    }
