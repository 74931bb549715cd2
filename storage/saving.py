"""Saving a batch's changes: what differs between before and after, by one executemany a table."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Executable, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from billing.ports import Changes, DeliveryEnd, SignupSlot
from billing.state import CreditAccount, CustomerState, Hold
from billing.values import GitHubAccountId, from_milliseconds, to_milliseconds
from storage.alarms import raise_alarms, recover
from storage.columns import Values, optional_milliseconds
from storage.deliveries import DeliveryState
from storage.effects import NewEffect, enqueue
from storage.errors import LostUpdateError
from storage.looking_up import rows_of
from storage.low_balances import low_balance_effect
from storage.mapping import (
    account_values,
    charge_values,
    customer_values,
    ending_values,
    entry_values,
    grant_values,
    hold_values,
    installation_values,
    loss_values,
    move_values,
    note_values,
    refusal_values,
    share_values,
    slot_values,
    standing_values,
    subscription_values,
)
from storage.replies import effect_of
from storage.statements import listed, register
from storage.tables import (
    OPEN,
    RECEIVED,
    billing_events,
    charges,
    credit_accounts,
    credit_grants,
    credit_holds,
    credit_moves,
    credit_notes,
    credit_transactions,
    customers,
    hold_shares,
    installations,
    refusals,
    signup_slots,
    subscription_losses,
    subscriptions,
)
from storage.transactions import Transaction

SlotKey = tuple[GitHubAccountId, int]
Pair = tuple[CustomerState | None, CustomerState]

INSERT_CUSTOMERS = register("saving.insert_customers", insert(customers))
UPDATE_CUSTOMERS = register(
    "saving.update_customers",
    update(customers)
    .where(customers.c.id == bindparam("customer_id"))
    .values(
        github_login=bindparam("login"),
        github_type=bindparam("type"),
        signup_at=bindparam("signed_up_at"),
        signup_withheld=bindparam("withheld"),
        shows_figures=bindparam("shown"),
    ),
)
INSERT_ACCOUNTS = register("saving.insert_accounts", insert(credit_accounts))
UPDATE_ACCOUNTS = register(
    "saving.update_accounts",
    update(credit_accounts)
    .where(credit_accounts.c.id == bindparam("of_id"), credit_accounts.c.version == bindparam("version_before"))
    .values(
        posted=bindparam("posted"),
        version=bindparam("version"),
        grants_made=bindparam("grants_made"),
        next_expiry=bindparam("next_expiry"),
        booked_at=bindparam("booked_at"),
        head=bindparam("head"),
        held=bindparam("held"),
        debt=bindparam("debt"),
        next_timeout=bindparam("next_timeout"),
    ),
)
VERSIONS = register(
    "saving.versions",
    select(credit_accounts.c.id, credit_accounts.c.version).where(credit_accounts.c.id.in_(listed("ids"))),
)
INSERT_GRANTS = register("saving.insert_grants", insert(credit_grants))
UPDATE_GRANTS = register(
    "saving.update_grants",
    update(credit_grants)
    .where(credit_grants.c.account_id == bindparam("of_account"), credit_grants.c.number == bindparam("of_number"))
    .values(
        remaining=bindparam("remaining"),
        held=bindparam("held"),
        spent=bindparam("spent"),
        expired=bindparam("expired"),
        revoked=bindparam("revoked"),
        taken=bindparam("taken"),
        owed=bindparam("owed"),
        reversed=bindparam("reversed"),
    ),
)
INSERT_HOLDS = register("saving.insert_holds", insert(credit_holds))
UPDATE_HOLDS = register(
    "saving.update_holds",
    update(credit_holds)
    .where(credit_holds.c.id == bindparam("of_hold"), credit_holds.c.state == OPEN)
    .values(state=bindparam("state"), captured=bindparam("captured"), expires_at=bindparam("expires_at")),
)
INSERT_SHARES = register("saving.insert_shares", insert(hold_shares))
INSERT_CHARGES = register("saving.insert_charges", insert(charges))
INSERT_ENTRIES = register("saving.insert_entries", insert(credit_transactions))
INSERT_MOVES = register("saving.insert_moves", insert(credit_moves))
INSERT_NOTES = register("saving.insert_notes", insert(credit_notes))
INSERT_REFUSALS = register("saving.insert_refusals", insert(refusals))

_subscription = upsert(subscriptions)
SAVE_SUBSCRIPTIONS = register(
    "saving.save_subscriptions",
    _subscription.on_conflict_do_update(
        index_elements=[subscriptions.c.customer_id, subscriptions.c.provider],
        set_={column.name: _subscription.excluded[column.name] for column in subscriptions.c if not column.primary_key},
    ),
)
_installation = upsert(installations)
SAVE_INSTALLATIONS = register(
    "saving.save_installations",
    _installation.on_conflict_do_update(
        index_elements=[installations.c.id],
        set_={name: _installation.excluded[name] for name in ("state", "repository_selection", "observation")},
    ),
)
INSERT_LOSSES = register("saving.insert_losses", insert(subscription_losses))
INSERT_SLOTS = register("saving.insert_slots", insert(signup_slots))
REUSE_SLOTS = register(
    "saving.reuse_slots",
    update(signup_slots)
    .where(signup_slots.c.installer_id == bindparam("of_installer"), signup_slots.c.slot == bindparam("of_slot"))
    .values(customer_id=bindparam("customer_id"), taken_at=bindparam("taken_at")),
)
END_DELIVERIES = register(
    "saving.end_deliveries",
    update(billing_events)
    .where(billing_events.c.id == bindparam("event_id"), billing_events.c.state == RECEIVED)
    .values(state=bindparam("end"), finished_at=bindparam("now"), error=bindparam("reason")),
)
POSTPONE_DELIVERIES = register(
    "saving.postpone_deliveries",
    update(billing_events)
    .where(billing_events.c.id == bindparam("event_id"), billing_events.c.state == RECEIVED)
    # It was handled, only not yet to its end: what failed before doesn't count any more.
    .values(run_at=bindparam("due_at"), error=bindparam("reason"), repeats=billing_events.c.repeats + 1, attempts=0),
)


def save(transaction: Transaction, changes: Changes, taken_slots: Collection[SlotKey], now: int) -> None:
    """Write everything. The customers are locked, and so are the deliveries' partitions. Time in milliseconds.

    An account, a grant or a hold that a decision left alone is the very value that was loaded, so that nothing is
    compared field by field.

    `taken_slots` are those sign-up places that were seen, and locked, in this transaction; another one that turns out
    to be taken makes the transaction fail and be run again.

    Raises:
        LostUpdateError: An account isn't at the version that the changes start from.
    """
    _save_customers(transaction, changes.states)
    _save_accounts(transaction, changes.states)
    _save_grants(transaction, changes.states)
    _write(transaction, INSERT_ENTRIES, [entry_values(entry) for entry in changes.entries])
    _write(transaction, INSERT_MOVES, [move_values(entry, move) for entry in changes.entries for move in entry.moves])
    _save_holds(transaction, changes.states)
    _write(transaction, INSERT_CHARGES, [charge_values(charge) for charge in changes.charges])
    _write(transaction, INSERT_NOTES, [note_values(note) for note in changes.notes])
    _write(transaction, INSERT_REFUSALS, [refusal_values(refusal) for refusal in changes.refusals])
    _save_subscriptions(transaction, changes.states)
    _save_installations(transaction, changes.states)
    _write(transaction, INSERT_LOSSES, [loss_values(loss) for loss in changes.losses])
    _save_slots(transaction, changes.signup_slots, taken_slots)
    recover(transaction, changes.recoveries, now)
    raise_alarms(transaction, changes.alarms, now)
    enqueue(transaction, _effects(changes, from_milliseconds(now)), now)
    _save_deliveries(transaction, changes.deliveries, now)


def _effects(changes: Changes, now: datetime) -> list[NewEffect]:
    """What is to be sent once this is committed."""
    return [effect_of(reply, now) for reply in changes.replies] + [
        low_balance_effect(low_balance, now) for low_balance in changes.low_balances
    ]


def _write(transaction: Transaction, statement: Executable, rows: Sequence[Values]) -> None:
    if rows:
        transaction.execute(statement, rows)


def _save_customers(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    new = [after.customer for before, after in pairs if before is None]
    changed = [after.customer for before, after in pairs if before is not None and before.customer != after.customer]
    _write(transaction, INSERT_CUSTOMERS, [{"id": customer.id, **customer_values(customer)} for customer in new])
    _write(
        transaction,
        UPDATE_CUSTOMERS,
        [
            {
                "customer_id": customer.id,
                "login": customer.github_login,
                "type": customer.github_type,
                "signed_up_at": optional_milliseconds(customer.signup_at),
                "withheld": customer.signup_withheld,
                "shown": customer.shows_figures,
            }
            for customer in changed
        ],
    )


def _save_accounts(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    new = [after for before, after in pairs if before is None]
    changed = [
        (before.account, after.account)
        for before, after in pairs
        if before is not None and before.account is not after.account
    ]
    _write(
        transaction,
        INSERT_ACCOUNTS,
        [
            {
                "id": state.account.id,
                "customer_id": state.customer.id,
                "unit": state.account.unit,
                **account_values(state.account),
            }
            for state in new
        ],
    )
    if changed:
        _update_accounts(transaction, changed)


def _update_accounts(transaction: Transaction, changed: Sequence[tuple[CreditAccount, CreditAccount]]) -> None:
    """Move the heads on from the versions that they had. A driver can't tell for many rows whether all were hit."""
    transaction.execute(
        UPDATE_ACCOUNTS,
        [{"of_id": after.id, "version_before": before.version, **account_values(after)} for before, after in changed],
    )
    versions = {row.id: row.version for row in rows_of(transaction, VERSIONS, sorted(after.id for _, after in changed))}
    lost = tuple(after.id for _, after in changed if versions.get(after.id) != after.version)
    if lost:
        raise LostUpdateError(lost)


def _save_grants(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    new: list[Values] = []
    changed: list[Values] = []
    for before, after in pairs:
        known = {grant.number: grant for grant in before.grants} if before is not None else {}
        for grant in after.grants:
            earlier = known.get(grant.number)
            if earlier is None:
                new.append(grant_values(after.account.id, grant))
            elif earlier is not grant:
                changed.append({"of_account": after.account.id, "of_number": grant.number, **standing_values(grant)})
    _write(transaction, INSERT_GRANTS, new)
    _write(transaction, UPDATE_GRANTS, changed)


def _save_holds(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    new: list[Hold] = []
    changed: list[Values] = []
    for before, after in pairs:
        known = {hold.id: hold for hold in before.holds} if before is not None else {}
        for hold in after.holds:
            earlier = known.get(hold.id)
            if earlier is None:
                new.append(hold)
            elif earlier is not hold:
                changed.append({"of_hold": hold.id, **ending_values(hold)})
    _write(transaction, INSERT_HOLDS, [hold_values(hold) for hold in new])
    _write(transaction, INSERT_SHARES, [share for hold in new for share in share_values(hold)])
    _write(transaction, UPDATE_HOLDS, changed)


def _save_subscriptions(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    rows = [
        subscription_values(after.customer.id, subscription)
        for before, after in pairs
        for subscription in after.subscriptions
        if before is None or before.subscription(subscription.provider) != subscription
    ]
    _write(transaction, SAVE_SUBSCRIPTIONS, rows)


def _save_installations(transaction: Transaction, pairs: Sequence[Pair]) -> None:
    rows = [
        installation_values(after.customer.id, installation)
        for before, after in pairs
        for installation in after.installations
        if before is None or before.installation(installation.id) != installation
    ]
    _write(transaction, SAVE_INSTALLATIONS, rows)


def _save_slots(transaction: Transaction, slots: Sequence[SignupSlot], taken: Collection[SlotKey]) -> None:
    reused = [slot for slot in slots if (slot.installer_id, slot.slot) in taken]
    new = [slot for slot in slots if (slot.installer_id, slot.slot) not in taken]
    _write(
        transaction,
        INSERT_SLOTS,
        [{"installer_id": slot.installer_id, "slot": slot.slot, **slot_values(slot)} for slot in new],
    )
    _write(
        transaction,
        REUSE_SLOTS,
        [{"of_installer": slot.installer_id, "of_slot": slot.slot, **slot_values(slot)} for slot in reused],
    )


def _save_deliveries(transaction: Transaction, ends: Sequence[DeliveryEnd], now: int) -> None:
    _write(
        transaction,
        END_DELIVERIES,
        [
            {"event_id": end.cause.delivery_id, "end": end.state, "now": now, "reason": end.error}
            for end in ends
            if end.state != DeliveryState.RECEIVED
        ],
    )
    _write(
        transaction,
        POSTPONE_DELIVERIES,
        [
            {
                "event_id": end.cause.delivery_id,
                "due_at": now if end.run_at is None else to_milliseconds(end.run_at),
                "reason": end.error,
            }
            for end in ends
            if end.state == DeliveryState.RECEIVED
        ],
    )
