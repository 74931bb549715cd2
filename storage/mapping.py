"""Between the domain's values and rows: each pair of functions is one table's."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Row

from billing.commands import Note
from billing.ledger.chain import HASH_VERSION
from billing.ledger.entries import Entry, Move
from billing.records import Loss, NoteRow, Remembered, SignupSlot
from billing.state import CreditAccount, Customer, Grant, Installation, Period, Subscription
from billing.values import (
    AccountId,
    Category,
    CustomerId,
    DeliveryId,
    EntryKind,
    GitHubAccountId,
    InstallationId,
    InstallationState,
    Origin,
    Provider,
    SubscriptionState,
    from_milliseconds,
    to_milliseconds,
)
from storage.columns import optional_milliseconds, optional_moment

Values = dict[str, Any]

KEY_HASH_BYTES: Final = 16


def key_hash(account_id: AccountId, key: str) -> bytes:
    """The one column that an idempotency key is looked up by.

    A batch can't look up pairs of account and key: both engines would read the whole journal for it
    (docs/decisions/0007-one-column-look-ups.md).
    """
    return blake2b(account_id.to_bytes(8, "big") + key.encode(), digest_size=KEY_HASH_BYTES).digest()


def to_customer(row: Row[Any]) -> Customer:
    """The customer in this row."""
    return Customer(
        id=CustomerId(row.id),
        github_account_id=GitHubAccountId(row.github_account_id),
        github_login=row.github_login,
        github_type=row.github_type,
        source=row.source,
        created_at=from_milliseconds(row.created_at),
        signup_at=optional_moment(row.signup_at),
        signup_withheld=row.signup_withheld,
        shows_figures=row.shows_figures,
    )


def customer_values(customer: Customer) -> Values:
    """The customer's row, but for its id."""
    return {
        "github_account_id": customer.github_account_id,
        "github_login": customer.github_login,
        "github_type": customer.github_type,
        "source": customer.source,
        "created_at": to_milliseconds(customer.created_at),
        "signup_at": optional_milliseconds(customer.signup_at),
        "signup_withheld": customer.signup_withheld,
        "shows_figures": customer.shows_figures,
    }


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
        "remaining": grant.remaining,
        "effective_at": to_milliseconds(grant.effective_at),
        "expires_at": to_milliseconds(grant.expires_at),
        "provider": grant.provider,
        "period_starts_at": optional_milliseconds(grant.period_starts_at),
    }


def to_subscription(row: Row[Any]) -> Subscription:
    """The subscription in this row, with its period."""
    period = None
    if row.period_ends_at:
        period = Period(
            starts_at=from_milliseconds(row.period_starts_at),
            ends_at=from_milliseconds(row.period_ends_at),
            allowance=row.period_allowance,
            target=row.period_target,
            granted=row.period_granted,
            grants=row.period_grants,
        )
    return Subscription(
        provider=Provider(row.provider),
        plan=row.subscription_type,
        state=SubscriptionState(row.state),
        marketplace_plan_id=row.marketplace_plan_id,
        unmapped_plan_id=row.unmapped_plan_id,
        unit_count=row.unit_count,
        billing_cycle=row.billing_cycle,
        next_billing_date=optional_moment(row.next_billing_date),
        anchor_day=row.anchor_day,
        period=period,
        pending_plan=row.pending_subscription_type,
        pending_effective_at=optional_moment(row.pending_effective_at),
        cancel_at_period_end=row.subscription_cancel_at_period_end,
        is_free=row.is_free,
        observation=row.observation,
        started_at=from_milliseconds(row.started_at),
        confirmed_at=from_milliseconds(row.confirmed_at),
        missing_since=optional_moment(row.missing_since),
        ended_at=optional_moment(row.ended_at),
        last_delivery_id=DeliveryId(row.last_delivery_id),
    )


def subscription_values(customer_id: CustomerId, subscription: Subscription) -> Values:
    """The subscription's row, with its period."""
    period = subscription.period
    return {
        "customer_id": customer_id,
        "provider": subscription.provider,
        "subscription_type": subscription.plan,
        "state": subscription.state,
        "marketplace_plan_id": subscription.marketplace_plan_id,
        "unmapped_plan_id": subscription.unmapped_plan_id,
        "unit_count": subscription.unit_count,
        "billing_cycle": subscription.billing_cycle,
        "next_billing_date": optional_milliseconds(subscription.next_billing_date),
        "anchor_day": subscription.anchor_day,
        "period_starts_at": to_milliseconds(period.starts_at) if period else 0,
        "period_ends_at": to_milliseconds(period.ends_at) if period else 0,
        "period_allowance": period.allowance if period else 0,
        "period_target": period.target if period else 0,
        "period_granted": period.granted if period else 0,
        "period_grants": period.grants if period else 0,
        "pending_subscription_type": subscription.pending_plan,
        "pending_effective_at": optional_milliseconds(subscription.pending_effective_at),
        "subscription_cancel_at_period_end": subscription.cancel_at_period_end,
        "is_free": subscription.is_free,
        "observation": subscription.observation,
        "started_at": to_milliseconds(subscription.started_at),
        "confirmed_at": to_milliseconds(subscription.confirmed_at),
        "missing_since": optional_milliseconds(subscription.missing_since),
        "ended_at": optional_milliseconds(subscription.ended_at),
        "last_delivery_id": subscription.last_delivery_id,
    }


def to_installation(row: Row[Any]) -> Installation:
    """The installation in this row."""
    return Installation(
        id=InstallationId(row.id),
        state=InstallationState(row.state),
        repository_selection=row.repository_selection,
        observation=row.observation,
        created_at=from_milliseconds(row.created_at),
    )


def installation_values(customer_id: CustomerId, installation: Installation) -> Values:
    """The installation's row."""
    return {
        "id": installation.id,
        "customer_id": customer_id,
        "state": installation.state,
        "repository_selection": installation.repository_selection,
        "observation": installation.observation,
        "created_at": to_milliseconds(installation.created_at),
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
    )


def entry_values(entry: Entry) -> Values:
    """The entry's row."""
    return {
        "account_id": entry.account_id,
        "seq": entry.seq,
        "kind": entry.kind,
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
        "hash_version": HASH_VERSION,
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


def loss_values(loss: Loss) -> Values:
    """The loss's row."""
    return {"customer_id": loss.customer_id, "provider": loss.provider, "at": to_milliseconds(loss.at)}


def slot_values(slot: SignupSlot) -> Values:
    """Who took the sign-up place, and when."""
    return {"customer_id": slot.customer_id, "taken_at": to_milliseconds(slot.taken_at)}
