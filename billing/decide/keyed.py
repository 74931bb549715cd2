"""Commands with a key: each is carried out once, and its answer is kept for ever."""

from datetime import datetime
from typing import assert_never

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
    RecordUsage,
    Refused,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    SpendCredits,
)
from billing.decide.adjustments import adjust
from billing.decide.decision import Decision, Facts
from billing.decide.faults import malformed, untimely
from billing.decide.granting import grant, revoke
from billing.decide.holds import capture, extend, hold, release
from billing.decide.keys import hash_request, is_kept, is_reserved, repeated, write_refusal
from billing.decide.late_usage import record_usage
from billing.decide.refunds import follow_refund
from billing.decide.reversals import reverse
from billing.decide.spending import spend
from billing.errors import BillingError, InvalidKeyError, UnknownCustomerError
from billing.ledger.book import Book, Voucher
from billing.ledger.chain import hash_note
from billing.ledger.entries import Entry
from billing.records import NoteRow, Remembered
from billing.state import CustomerState


def carry_out(state: CustomerState | None, command: KeyedCommand, now: datetime, facts: Facts) -> Decision:
    """Carry out a keyed command, once: a key that was used before gets the answer of that time."""
    if state is None:
        return Decision(outcome=Refused(error=UnknownCustomerError(str(command.customer_id))))
    fault = malformed(command)
    if fault is not None:
        return Decision(outcome=Refused(error=fault))
    request_hash = hash_request(command)
    remembered = facts.remembered
    # A word may have been free when the request was made: it keeps its answer, and no other gets the key.
    if is_reserved(command) and (remembered is None or remembered.request_hash != request_hash):
        return Decision(outcome=Refused(error=InvalidKeyError(command.key)))
    if remembered is not None:
        return Decision(outcome=repeated(remembered, command, request_hash))
    fault = untimely(command, now)
    if fault is not None:
        return Decision(outcome=Refused(error=fault))
    book = Book.of(state, now)
    book.book_due()
    note: Note | None = getattr(command, "note", None)
    result = _post(book, command, _voucher(command, now, request_hash, note), facts)
    after = CustomerState(
        customer=state.customer,
        account=book.account,
        grants=book.grants,
        holds=book.holds,
        subscriptions=state.subscriptions,
        installations=state.installations,
    )
    entries = tuple(book.entries)
    if isinstance(result, BillingError):
        refusals = (_remembered(state, command, request_hash, result, now),) if is_kept(result) else ()
        outcome = Refused(error=result)
        return Decision(state=after, entries=entries, refusals=refusals, outcome=outcome)
    notes = () if note is None else (NoteRow(account_id=state.account.id, seq=result.seq, note=note),)
    applied = Applied(customer_id=state.customer.id, entries=(result.seq,))
    return Decision(state=after, entries=entries, charges=tuple(book.charges), notes=notes, outcome=applied)


def _post(book: Book, command: KeyedCommand, voucher: Voucher, facts: Facts) -> Entry | BillingError:
    """Post the command's own entry, and what follows from it; or say why not, with nothing posted."""
    match command:
        case SpendCredits():
            return spend(book, command, voucher, facts)
        case HoldCredits():
            return hold(book, command, voucher, facts)
        case CaptureHold():
            return capture(book, command, voucher, facts)
        case ReleaseHold():
            return release(book, command, voucher)
        case ExtendHold():
            return extend(book, command, voucher)
        case RecordUsage():
            return record_usage(book, command, voucher, facts)
        case GrantCredits():
            return grant(book, command, voucher)
        case RevokeCredits():
            return revoke(book, command, voucher)
        case AdjustCredits():
            return adjust(book, command, voucher)
        case FollowRefund():
            return follow_refund(book, command, voucher)
        case ReverseEntry():
            return reverse(book, command, voucher, facts)
        case _:
            assert_never(command)


def _voucher(command: KeyedCommand, now: datetime, request_hash: bytes, note: Note | None) -> Voucher:
    occurred_at, reference = (
        (command.occurred_at, command.reference) if isinstance(command, SpendCredits) else (now, "")
    )
    return Voucher(
        key=command.key,
        actor=command.actor,
        occurred_at=occurred_at,
        reference=reference,
        request_hash=request_hash,
        note_hash=b"" if note is None else hash_note(note),
    )


def _remembered(
    state: CustomerState, command: KeyedCommand, request_hash: bytes, error: BillingError, now: datetime
) -> Remembered:
    return Remembered(
        account_id=state.account.id,
        key=command.key,
        request_hash=request_hash,
        seq=0,
        refusal=write_refusal(error),
        recorded_at=now,
    )
