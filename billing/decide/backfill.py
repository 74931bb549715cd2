"""Grants that were due and never made: found by all that is stored, and made up for.

A bug or an outage of ours may have kept a grant from being made. Each goes by the same business key as the ordinary
one, so whichever comes first, it is granted once (docs/decisions/0077-missed-grants-are-made-up-for.md).
"""

from dataclasses import replace
from datetime import datetime

from billing.commands import Backfilled, BackfillGrants, MissingGrant, Refused
from billing.decide.customers import with_subscription
from billing.decide.decision import Decision
from billing.decide.installations import SIGNUP_KEY, grant_signup
from billing.decide.plan_grants import expiry_of, grant_target
from billing.decide.plan_periods import Observed, follow_period
from billing.errors import UnknownCustomerError
from billing.ledger.book import Book, Voucher
from billing.ledger.chain import hash_note
from billing.ledger.entries import Entry
from billing.plans import PlanCatalog
from billing.records import NoteRow
from billing.state import CustomerState, Subscription
from billing.values import Credits, SubscriptionState


def backfill_grants(
    state: CustomerState | None, command: BackfillGrants, now: datetime, plans: PlanCatalog
) -> Decision:
    """Make what is missing, or only say what it is. It is decided the same way, so that a dry run tells the truth."""
    if state is None:
        return Decision(outcome=Refused(error=UnknownCustomerError(str(command.customer_id))))
    note_hash = b"" if command.note is None else hash_note(command.note)
    voucher = Voucher(key="", actor=command.actor, occurred_at=now, note_hash=note_hash)
    book = Book.of(state, now)
    after = _plans_filled(_signup_filled(state, book, plans, voucher), book, plans, voucher)
    made = [entry for entry in book.entries if entry.key == SIGNUP_KEY or entry.key.startswith("plan:")]
    missing = tuple(_missing(book, entry) for entry in made)
    if command.is_dry_run or not missing:
        return Decision(outcome=Backfilled(customer_id=state.customer.id, missing=missing))
    rows = (NoteRow(account_id=entry.account_id, seq=entry.seq, note=command.note) for entry in made if command.note)
    return Decision(
        state=replace(after, account=book.account, grants=book.grants, holds=book.holds),
        entries=tuple(book.entries),
        notes=tuple(rows),
        outcome=Backfilled(
            customer_id=state.customer.id, missing=missing, entries=tuple(entry.seq for entry in book.entries)
        ),
    )


def _signup_filled(state: CustomerState, book: Book, plans: PlanCatalog, voucher: Voucher) -> CustomerState:
    """Grant the sign-up credits of whoever installed and never got them, unless they were withheld."""
    customer = state.customer
    is_due = state.installations and customer.signup_at is None and not customer.signup_withheld
    if not is_due or not plans.default.signup_credits:
        return state
    book.book_due()
    grant_signup(book, plans, voucher, min(each.id for each in state.installations))
    return replace(state, customer=replace(customer, signup_at=book.now))


def _plans_filled(state: CustomerState, book: Book, plans: PlanCatalog, voucher: Voucher) -> CustomerState:
    """Grant what the running periods lack, and begin those that run by now."""
    for subscription in state.subscriptions:
        state = with_subscription(state, _filled(subscription, book, plans, voucher))
    return state


def _filled(subscription: Subscription, book: Book, plans: PlanCatalog, voucher: Voucher) -> Subscription:
    """The subscription with the month that holds now, and all of its credits.

    As if its provider were asked now and said what it said last: a month runs if the next billing date that was shown
    lies beyond its start. What the provider has to show again first, such as an unconfirmed plan, waits for that.
    """
    plan = plans.find(subscription.plan)
    is_due = subscription.state is SubscriptionState.ACTIVE and not subscription.unmapped_plan_id
    if plan is None or not is_due or subscription.period is None:
        return subscription
    seen_again = Observed(
        before=subscription, after=subscription, plan=plan, effective_at=None, is_purchase=False, now=book.now
    )
    followed = follow_period(seen_again, plans)
    if followed.period is None or expiry_of(followed.period, followed) <= book.now:
        return subscription
    return grant_target(book, followed, plan, voucher)


def _missing(book: Book, entry: Entry) -> MissingGrant:
    grant = book.grant_numbered(entry.moves[0].grant_number)
    assert grant is not None, "the entry has made it"
    return MissingGrant(
        origin=grant.origin,
        amount=Credits(grant.amount),
        expires_at=grant.expires_at,
        key=entry.key,
        reference=entry.reference.partition(" terms:")[0],
    )
