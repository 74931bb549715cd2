"""Credits moved by request: granted and revoked by hand, and spent."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from billing.commands import Applied, GrantCredits, KeyedCommand, Note, Refused, RevokeCredits, SpendCredits
from billing.decide.decision import Decision, Facts
from billing.decide.keys import hash_request, is_reserved, repeated, write_refusal
from billing.errors import (
    BillingError,
    ExpiredGrantError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidKeyError,
    UnknownCustomerError,
)
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.chain import hash_note
from billing.ledger.entries import Entry
from billing.records import NoteRow, Remembered
from billing.state import CustomerState
from billing.values import Category, Credits, Origin


def move_credits(state: CustomerState | None, command: KeyedCommand, now: datetime, facts: Facts) -> Decision:
    """Carry out a keyed command, once: a key that was used before gets the answer of that time."""
    if state is None:
        return Decision(outcome=Refused(error=UnknownCustomerError(str(command.customer_id))))
    if is_reserved(command.key):
        return Decision(outcome=Refused(error=InvalidKeyError(command.key)))
    request_hash = hash_request(command)
    if facts.remembered is not None:
        return Decision(outcome=repeated(facts.remembered, request_hash, state.customer.id))
    fault = _fault(command, now)
    if fault is not None:
        return Decision(outcome=Refused(error=fault))
    book = Book(state.account, state.grants, now)
    book.expire_due()
    left = Credits(book.account.posted)
    if not isinstance(command, GrantCredits) and left < command.amount:
        return _insufficient(state, command, book, request_hash, now)
    entry = _post(book, command, now, request_hash)
    note = None if isinstance(command, SpendCredits) else command.note
    return Decision(
        state=_booked(state, book),
        entries=tuple(book.entries),
        notes=() if note is None else (NoteRow(account_id=state.account.id, seq=entry.seq, note=note),),
        outcome=Applied(customer_id=state.customer.id, entries=(entry.seq,)),
    )


def _fault(command: KeyedCommand, now: datetime) -> BillingError | None:
    """What is wrong with the request itself. Such a refusal is the same every time, so it needs no remembering."""
    if not command.amount:
        return InvalidAmountError("credits to move", command.amount.count)
    if isinstance(command, GrantCredits) and command.expires_at <= now:
        return ExpiredGrantError(command.expires_at)
    return None


def _insufficient(
    state: CustomerState, command: KeyedCommand, book: Book, request_hash: bytes, now: datetime
) -> Decision:
    """Refuse for want of credits, and remember that under the key. Expiries that were due stay booked."""
    error = InsufficientCreditsError(requested=command.amount.count, available=book.account.posted)
    remembered = Remembered(
        account_id=state.account.id,
        key=command.key,
        request_hash=request_hash,
        seq=0,
        refusal=write_refusal(error),
        recorded_at=now,
    )
    return Decision(
        state=_booked(state, book),
        entries=tuple(book.entries),
        refusals=(remembered,),
        outcome=Refused(error=error),
    )


def _post(book: Book, command: KeyedCommand, now: datetime, request_hash: bytes) -> Entry:
    """Post the command's own entry."""
    voucher = Voucher(key=command.key, actor=command.actor, occurred_at=now, request_hash=request_hash)
    match command:
        case GrantCredits():
            terms = Terms(
                origin=Origin.GOODWILL,
                category=Category.PROMOTIONAL,
                amount=command.amount,
                expires_at=command.expires_at,
            )
            return book.grant(terms, _noted(voucher, command.note))
        case RevokeCredits():
            return book.revoke(command.amount, _noted(voucher, command.note))
        case SpendCredits():
            spent = replace(voucher, occurred_at=command.occurred_at, reference=command.reference)
            return book.spend(command.amount, spent)
        case _:
            assert_never(command)


def _noted(voucher: Voucher, note: Note | None) -> Voucher:
    return voucher if note is None else replace(voucher, note_hash=hash_note(note))


def _booked(state: CustomerState, book: Book) -> CustomerState:
    return replace(state, account=book.account, grants=book.grants)
