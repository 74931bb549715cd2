"""What comes next by the clock, at GitHub and in the product, with the moment to jump to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sandbox.console.words import describe_subject
from sandbox.github.model import Account, Purchase
from sandbox.github.world import World
from sandbox.inspector import CustomerView, Snapshot

MOST_LINES: Final = 4
JUST_BEHIND: Final = timedelta(seconds=1)
"""A jump goes a moment past what it leads to, so that it has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """Something that will happen; `to` is where the clock must stand for it to have happened."""

    at: datetime
    what: str

    @property
    def to(self) -> datetime:
        """Where a jump should lead."""
        return self.at + JUST_BEHIND


def agenda_of(world: World, account: Account, customer: CustomerView | None, snapshot: Snapshot) -> list[Date]:
    """Return what comes next, soonest first: everybody's dates at GitHub, and the chosen account's in the product."""
    dates = [date for purchase in world.state.purchases.values() for date in _purchase_dates(purchase)]
    dates += [
        Date(at=grant.expires_at, what=f"{grant.remaining} credits of {account.login} expire")
        for grant in (() if customer is None else customer.grants)
        if grant.expires_at is not None and grant.remaining
    ]
    dates += [
        Date(at=hold.until, what=f"hold {hold.id} of {account.login} times out")
        for hold in (() if customer is None else customer.holds)
    ]
    dates += [
        Date(at=each.next_try_at, what=f"the delivery {each.event} of {describe_subject(each.subject, world)} is due")
        for each in snapshot.deliveries
        if each.next_try_at is not None
    ]
    dates += [
        Date(at=each.next_try_at, what=f"the {each.kind} for {describe_subject(each.subject, world)} is due")
        for each in snapshot.effects
        if each.next_try_at is not None
    ]
    now = world.clock.now()
    return sorted((date for date in dates if date.at > now), key=lambda date: date.at)[:MOST_LINES]


def billing_date(world: World, account: Account) -> datetime | None:
    """Return when GitHub next does something to the account's plan, or else to anybody's."""
    purchase = world.state.purchases.get(account.id)
    dates = [] if purchase is None else [date.at for date in _purchase_dates(purchase)]
    return min(dates, default=world.next_due())


def _purchase_dates(purchase: Purchase) -> list[Date]:
    """Return what GitHub will do to a purchase."""
    login, terms, pending = purchase.account.login, purchase.terms, purchase.pending
    dates = []
    if terms.on_free_trial and terms.free_trial_ends_on is not None:
        dates.append(Date(at=terms.free_trial_ends_on, what=f"the free trial of {login} ends"))
    elif terms.next_billing_date is not None and pending is None:
        dates.append(Date(at=terms.next_billing_date, what=f"{login} is billed for {terms.plan.name}"))
    if pending is not None:
        change = "ends" if pending.plan is None else f"becomes {pending.plan.name}"
        dates.append(Date(at=pending.effective_date, what=f"{terms.plan.name} of {login} {change}"))
    return dates
