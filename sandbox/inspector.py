"""What the console page asks of the product, as plain values.

Whoever starts both implements it over the product's reads.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """One plan of a customer at one source.

    Attributes:
        provider: `github_marketplace`, `stripe` or `manual`.
        plan: The plan's name.
        state: `trialing`, `active`, `past_due`, `unconfirmed` or `ended`.
        pending_plan: The name of the plan that follows, if a change is scheduled.
        ends: Whether its end is scheduled.
        changes_at: When the scheduled change or end takes effect.
    """

    provider: str
    plan: str
    state: str
    pending_plan: str | None = None
    ends: bool = False
    changes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """Credits of one origin that aren't used up; counts are credits, and what is held isn't among what remains."""

    id: str
    origin: str
    amount: int
    remaining: int
    expires_at: datetime | None
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """Credits that are set aside for work under way, until it is done or given up, or its time is over."""

    id: int
    credits: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One line of a customer's ledger.

    Attributes:
        sequence: The account's own numbering, without gaps.
        amount: By how much it changed what can be spent; negative where credits went away, or were set aside.
        balance_after: Credits available behind this entry.
        description: Where it came from, in a few words.
        booked_at: When it was written down.
        happened_at: When it counts from: an expiry is written down later than it happens.
    """

    sequence: int
    kind: str
    amount: int
    balance_after: int
    description: str
    booked_at: datetime
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """A customer in a list: whose it is, the effective plan's name, and the credits that can be spent now."""

    github_account_id: int
    plan: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryView:
    """Credits that have gone by the passing of time, and that no entry says so of yet.

    Attributes:
        amount: How many; negative where a hold timed out, so that they came back.
    """

    amount: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """A customer with plan, balance and ledger.

    Attributes:
        plan: The effective plan's name.
        plan_state: The state of the subscription behind it; `none` on the default plan.
        available: Credits that can be spent now.
        held: Credits set aside beside them; debt: credits that are owed.
        shows_figures: Whether the account lets figures be shown in public repositories.
        expired: What has expired, or timed out, since the last entry.
        grants: The open ones, in burn order.
        holds: The open ones, the one that times out first before the others.
        entries: The newest first; a few hundred are enough.
        reasons: Why there isn't more, in sentences.
    """

    id: str
    plan: str
    plan_state: str
    available: int
    held: int = 0
    debt: int = 0
    shows_figures: bool = False
    expired: tuple[ExpiryView, ...] = ()
    subscriptions: tuple[SubscriptionView, ...] = ()
    grants: tuple[GrantView, ...] = ()
    holds: tuple[HoldView, ...] = ()
    entries: tuple[EntryView, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One webhook as the product received it.

    Attributes:
        id: The product's own id of it.
        subject: What it is about: `account:7`, or `thread:7:12` for number 12 in the repository 7; else anything.
        state: `received`, `done`, `ignored`, `refused` or `dead`.
        next_try_at: When it is handled, or tried again, while it is `received`.
        error: Why it isn't done, if it isn't.
    """

    id: str
    subject: str
    event: str
    action: str | None
    state: str
    attempts: int
    received_at: datetime
    next_try_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """One thing that the product has sent or will send.

    Attributes:
        kind: Such as `reply`, `alert` or `forward`.
        state: `pending`, `done`, `ignored` or `dead`.
        subject: As a delivery's.
        next_try_at: When it is sent, or tried again, while it is `pending`.
        error: Why it isn't done, if it isn't.
    """

    id: str
    kind: str
    state: str
    subject: str
    attempts: int
    created_at: datetime
    next_try_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """Something that wants a person; `detail` says in a sentence what is to be done."""

    id: str
    kind: str
    subject: str
    detail: str
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The product at a glance.

    Attributes:
        balances: Of all customers.
        deliveries: The newest first; a few dozen are enough.
        effects: The newest first.
        alarms: The open ones.
    """

    balances: tuple[BalanceView, ...] = ()
    deliveries: tuple[DeliveryView, ...] = ()
    effects: tuple[EffectView, ...] = ()
    alarms: tuple[AlarmView, ...] = ()


class Inspector(Protocol):
    """Looks into the product without changing it."""

    async def version(self) -> int:
        """Return a number that is another one whenever anything has changed.

        It is asked a few times a second, so it must be cheap.
        """

    async def snapshot(self) -> Snapshot:
        """Return what the console shows whomever it looks at."""

    async def customer(self, github_account_id: int) -> CustomerView | None:
        """Return all about one customer; none if the product doesn't know the account."""

    async def is_at_rest(self) -> bool:
        """Tell whether everything that is due by now was handled and sent."""
