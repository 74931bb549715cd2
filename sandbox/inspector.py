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
    """Credits of one origin that aren't used up; counts are credits."""

    id: str
    origin: str
    amount: int
    remaining: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One line of a customer's ledger.

    Attributes:
        sequence: The account's own numbering, without gaps.
        amount: Credits; negative where they went away.
        balance_after: Credits available behind this entry.
        description: Where it came from, in a few words.
    """

    sequence: int
    kind: str
    amount: int
    balance_after: int
    description: str
    booked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """A customer with plan, balance and ledger.

    Attributes:
        plan: The effective plan's name.
        plan_state: The state of the subscription behind it; `none` on the default plan.
        available: Credits that can be spent now.
        due: Credits that have expired since the last entry, so that no entry says so yet.
        next_expiry: When the next credits expire, if any do.
        grants: The open ones, in burn order.
        entries: The newest first; a few dozen are enough.
        reasons: Why there isn't more, in sentences.
    """

    id: str
    github_account_id: int | None
    login: str | None
    plan: str
    plan_state: str
    available: int
    next_expiry: datetime | None
    due: int = 0
    subscriptions: tuple[SubscriptionView, ...] = ()
    grants: tuple[GrantView, ...] = ()
    entries: tuple[EntryView, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One webhook as the product received it.

    Attributes:
        id: The product's own id of it.
        github_account_id: Whom it is about, if the product knows.
        state: `received`, `done`, `ignored`, `refused` or `dead`.
        error: Why it isn't done, if it isn't.
    """

    id: str
    github_account_id: int | None
    event: str
    action: str | None
    state: str
    attempts: int
    received_at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """One thing that the product has sent or will send.

    Attributes:
        subject: Whom or what it is about.
    """

    id: str
    kind: str
    state: str
    subject: str
    attempts: int
    created_at: datetime


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
        deliveries: The newest first; a few dozen are enough.
        effects: The newest first.
        alarms: The open ones.
    """

    customers: tuple[CustomerView, ...] = ()
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
        """Return everything the console shows."""
