"""Why a balance is what it is: the story of each grant, and the reasons why there isn't more. Data; others word it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from billing.decide.endings import UNCONFIRMED_FOR
from billing.ledger.balance import available, burn_rank, is_due
from billing.ledger.entries import Entry
from billing.plans import Plan, PlanCatalog
from billing.standing import effective_plan, is_living
from billing.state import CustomerState, Grant, Subscription
from billing.values import EntryKind, Provider, SubscriptionState


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantStory:
    """What became of a grant's credits: `amount` is the sum of all the others.

    `due` has expired without being booked yet; `left` can be spent.
    """

    grant: Grant
    amount: int
    spent: int
    revoked: int
    expired: int
    due: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupAwaited:
    """No installation has been seen yet, and sign-up credits come with the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupWithheld:
    """Whoever installed has had credits for several organizations lately; they come with a payment method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUnknown:
    """GitHub shows a plan that the catalogue doesn't know: nothing is granted until it does."""

    provider: Provider
    marketplace_plan_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOnTrial:
    """The plan is on its free trial, and its monthly credits come with the first paid period."""

    provider: Provider
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUnconfirmed:
    """GitHub doesn't show the plan since `missing_since`: no new credits, and it ends from `ends_at` on."""

    provider: Provider
    plan: str
    missing_since: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEnded:
    """The plan has ended; its credits live until they expire."""

    provider: Provider
    plan: str
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodProrated:
    """The running period doesn't have a full month's credits: it began, or its plan came, part of the way in."""

    provider: Provider
    starts_at: datetime
    ends_at: datetime
    target: int
    allowance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodAwaited:
    """The last period ended, and the next begins when GitHub shows that the billing date has passed."""

    provider: Provider
    ended_at: datetime
    next_billing_date: datetime | None


Reason = (
    SignupAwaited
    | SignupWithheld
    | PlanUnknown
    | PlanOnTrial
    | PlanUnconfirmed
    | PlanEnded
    | PeriodProrated
    | PeriodAwaited
)
"""Why there aren't more credits than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A balance taken apart. `available` is the sum of what is left of all grants; amounts are in credits."""

    available: int
    plan: Plan
    stories: tuple[GrantStory, ...]
    reasons: tuple[Reason, ...]


def explain(
    state: CustomerState, grants: Iterable[Grant], entries: Iterable[Entry], plans: PlanCatalog, now: datetime
) -> Explanation:
    """Take the balance apart. `grants` are all that were ever made, `entries` all that were ever booked."""
    now = max(now, state.account.booked_at)
    taken = _taken(entries)
    return Explanation(
        available=available(state, now).count,
        plan=effective_plan(state, plans),
        stories=tuple(_story(grant, taken, now) for grant in sorted(grants, key=burn_rank)),
        reasons=tuple(
            chain(_signup_reasons(state), *(_plan_reasons(subscription, now) for subscription in state.subscriptions))
        ),
    )


def _taken(entries: Iterable[Entry]) -> Counter[tuple[int, EntryKind]]:
    """How much each kind of entry took from each grant."""
    taken: Counter[tuple[int, EntryKind]] = Counter()
    for entry in entries:
        for move in entry.moves:
            taken[move.grant_number, entry.kind] += move.amount
    return taken


def _story(grant: Grant, taken: Counter[tuple[int, EntryKind]], now: datetime) -> GrantStory:
    due = grant.remaining if is_due(grant, now) else 0
    return GrantStory(
        grant=grant,
        amount=grant.amount,
        spent=taken[grant.number, EntryKind.SPEND],
        revoked=taken[grant.number, EntryKind.REVOKE],
        expired=taken[grant.number, EntryKind.EXPIRE],
        due=due,
        left=grant.remaining - due,
    )


def _signup_reasons(state: CustomerState) -> Iterator[Reason]:
    if state.customer.signup_withheld:
        yield SignupWithheld()
    elif state.customer.signup_at is None:
        yield SignupAwaited()


def _plan_reasons(subscription: Subscription, now: datetime) -> Iterator[Reason]:
    provider, plan, period = subscription.provider, subscription.plan, subscription.period
    if subscription.unmapped_plan_id:
        yield PlanUnknown(provider=provider, marketplace_plan_id=subscription.unmapped_plan_id)
    if subscription.state is SubscriptionState.TRIALING:
        yield PlanOnTrial(provider=provider, plan=plan)
    if subscription.state is SubscriptionState.UNCONFIRMED and subscription.missing_since is not None:
        ends_at = subscription.missing_since + UNCONFIRMED_FOR
        yield PlanUnconfirmed(provider=provider, plan=plan, missing_since=subscription.missing_since, ends_at=ends_at)
    if subscription.ended_at is not None:
        yield PlanEnded(provider=provider, plan=plan, ended_at=subscription.ended_at)
    if period is None:
        return
    if period.ends_at > now and period.target < period.allowance:
        yield PeriodProrated(
            provider=provider,
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            target=period.target,
            allowance=period.allowance,
        )
    if period.ends_at <= now and is_living(subscription):
        yield PeriodAwaited(
            provider=provider, ended_at=period.ends_at, next_billing_date=subscription.next_billing_date
        )
