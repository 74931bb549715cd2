"""Installations: where the App is, and the credits that an account's first installation brings.

Any signed delivery about an installation proves that the account installed the App, also one that says it is gone again
(docs/decisions/0018-any-installation-event-proves-an-installation.md). The credits come once for ever
(docs/decisions/0017-signup-once-for-ever.md).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from billing.commands import Applied, FollowInstallation
from billing.decide.customers import met
from billing.decide.decision import Decision, Facts, contradicted, overtaken
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.entries import Entry
from billing.plans import PlanCatalog
from billing.records import SignupSlot
from billing.state import CustomerState, Installation
from billing.values import NEVER, Category, Credits, InstallationId, InstallationState, Origin

SIGNUP_KEY: Final = "signup"
"""The key of the entry that grants the sign-up credits: one in an account's whole life."""

SLOTS: Final = 3
"""How many organizations get sign-up credits through one installing user within `SLOT_AGE`."""

SLOT_AGE: Final = timedelta(days=30)


def follow_installation(
    state: CustomerState | None, command: FollowInstallation, now: datetime, plans: PlanCatalog, facts: Facts
) -> Decision:
    """Bring the installation to what GitHub says, and sign the account up if it never was."""
    known = None if state is None else state.installation(command.installation_id)
    if known is not None and command.cause.observation < known.observation:
        return overtaken(now)
    is_final = known is not None and known.state is InstallationState.DELETED
    if not is_final and contradicts(command) and (later := contradicted(command.cause, now)) is not None:
        return later
    shown = None if command.truth is None else command.truth.account
    state = met(state, command.account, shown, source="github_installation", now=now, facts=facts)
    others = tuple(each for each in state.installations if each.id != command.installation_id)
    state = replace(state, installations=_without_outlived((*others, _observed(known, command, now))))
    return _signed_up(state, command, now, plans, facts)


def contradicts(command: FollowInstallation) -> bool:
    """Whether GitHub's answer can't be what led to the delivery; a `404` for one just made, above all."""
    truth = command.truth
    match command.action:
        case "deleted":
            return truth is not None
        case "suspend":
            return truth is None or not truth.suspended
        case "unsuspend":
            return truth is None or truth.suspended
        case "":
            return False
        case _:
            return truth is None


def _observed(known: Installation | None, command: FollowInstallation, now: datetime) -> Installation:
    """The installation as GitHub shows it. Deleted is final: installing again makes another installation."""
    truth = command.truth
    if truth is None or (known is not None and known.state is InstallationState.DELETED):
        state = InstallationState.DELETED
    else:
        state = InstallationState.SUSPENDED if truth.suspended else InstallationState.ACTIVE
    selection = "" if known is None else known.repository_selection
    return Installation(
        id=command.installation_id,
        state=state,
        repository_selection=selection if truth is None else truth.repository_selection,
        observation=command.cause.observation,
        created_at=now if known is None else known.created_at,
    )


def _without_outlived(installations: tuple[Installation, ...]) -> tuple[Installation, ...]:
    """The installations, of which only the one that was seen alive last can still be there.

    An account has the App once at most, so a later one tells that those before are gone, even if nobody said so.
    """
    living = [each for each in installations if each.state is not InstallationState.DELETED]
    latest = max((each.observation for each in living), default=0)
    return tuple(
        replace(each, state=InstallationState.DELETED) if each.observation < latest else each for each in installations
    )


def _signed_up(
    state: CustomerState, command: FollowInstallation, now: datetime, plans: PlanCatalog, facts: Facts
) -> Decision:
    """Grant the default plan's sign-up credits, once for ever, whatever plan there is by now.

    What was withheld once stays so: the customer's other way to it is a payment method.
    """
    customer = state.customer
    applied = Applied(customer_id=customer.id, entries=())
    if customer.signup_at is not None or customer.signup_withheld:
        return Decision(state=state, outcome=applied)
    if not plans.default.signup_credits:
        return Decision(state=replace(state, customer=replace(customer, signup_at=now)), outcome=applied)
    slots: tuple[SignupSlot, ...] = ()
    if customer.github_type == "Organization" and command.installer_id is not None:
        slot = _free_slot(facts.signup_slots, now)
        if slot is None:
            return Decision(state=replace(state, customer=replace(customer, signup_withheld=True)), outcome=applied)
        slots = (SignupSlot(installer_id=command.installer_id, slot=slot, customer_id=customer.id, taken_at=now),)
    book = Book.of(state, now)
    book.book_due()
    voucher = Voucher(key="", actor=f"delivery:{command.cause.delivery_id}", occurred_at=command.cause.received_at)
    grant_signup(book, plans, voucher, command.installation_id)
    return Decision(
        state=replace(
            state, customer=replace(customer, signup_at=now), account=book.account, grants=book.grants, holds=book.holds
        ),
        entries=tuple(book.entries),
        signup_slots=slots,
        outcome=replace(applied, entries=tuple(entry.seq for entry in book.entries)),
    )


def grant_signup(book: Book, plans: PlanCatalog, voucher: Voucher, installation_id: InstallationId) -> Entry:
    """Grant the default plan's sign-up credits. The voucher says who caused it and when; the rest is filled in."""
    amount = Credits(plans.default.signup_credits)
    return book.grant(
        Terms(origin=Origin.SIGNUP, category=Category.PROMOTIONAL, amount=amount, expires_at=NEVER),
        replace(voucher, key=SIGNUP_KEY, reference=f"plan:{plans.default_plan} installation:{installation_id}"),
    )


def _free_slot(taken: tuple[SignupSlot, ...], now: datetime) -> int | None:
    """The lowest place that was never taken, or long enough ago; None when there is none."""
    busy = {place.slot for place in taken if now - place.taken_at < SLOT_AGE}
    return next((slot for slot in range(1, SLOTS + 1) if slot not in busy), None)
