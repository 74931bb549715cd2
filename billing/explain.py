"""Why a balance is what it is: the story of each grant, and the reasons why there isn't more. Data; others word it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Final, Self

from billing.decide.endings import UNCONFIRMED_FOR
from billing.ledger.book import Book
from billing.ledger.burning import burn_rank
from billing.ledger.entries import Entry
from billing.ledger.months import months_by
from billing.standing import is_living
from billing.state import CreditAccount, CustomerState, Grant, Hold, Subscription
from billing.values import HoldState, Place, Provider, SubscriptionState, value

REPAYMENT: Final[Mapping[tuple[str, str], int]] = {(Place.GRANT, Place.DEBT): 1, (Place.DEBT, Place.GRANT): -1}
"""The moves by which a grant makes up for debt, and gets back what it made up for."""

WAIVING: Final[Mapping[tuple[str, str], int]] = {(Place.WAIVED, Place.USED): 1, (Place.USED, Place.WAIVED): -1}
"""The moves by which usage is waived, and by which that is taken back."""


@value
class GrantStory:
    """What became of a grant's credits: `amount` is the sum of the others but the last.

    `used` paid for work, `repaid` made up for debt, `held` is set aside, `left` can be spent. `owed` is how much debt
    was made because credits of it were spent that should not have been.
    """

    grant: Grant
    amount: int
    used: int
    repaid: int
    revoked: int
    expired: int
    held: int
    left: int
    owed: int


@value
class Breakdown:
    """A balance taken apart, with all that is due by then, booked or not. Amounts are in credits.

    Attributes:
        at: the moment; seq: the last entry by then.
        available: the sum of what is left of all grants; held: of what is held of them.
        debt: what is owed.
        stories: every grant that was ever made, in burn order.
        holds: those that are open, the one that times out first before the others.
        debt_entries: the entries that changed the debt since there last was none.
        waived: what was used while billing was off, and nobody pays for.
    """

    at: datetime
    seq: int
    available: int
    held: int
    debt: int
    stories: tuple[GrantStory, ...]
    holds: tuple[Hold, ...]
    debt_entries: tuple[Entry, ...]
    waived: int


@value
class SignupAwaited:
    """No installation has been seen yet, and sign-up credits come with the first."""


@value
class SignupWithheld:
    """Whoever installed has had credits for several organizations lately; they come with a payment method."""


@value
class PlanUnknown:
    """GitHub shows a plan that the catalogue doesn't know: nothing is granted until it does."""

    provider: Provider
    marketplace_plan_id: int


@value
class PlanOnTrial:
    """The plan is on its free trial, and its monthly credits come with the first paid period."""

    provider: Provider
    plan: str


@value
class PlanUnconfirmed:
    """GitHub doesn't show the plan since `missing_since`: no new credits, and it ends from `ends_at` on."""

    provider: Provider
    plan: str
    missing_since: datetime
    ends_at: datetime


@value
class PlanEnded:
    """The plan has ended; its credits live until they expire."""

    provider: Provider
    plan: str
    ended_at: datetime


@value
class PeriodProrated:
    """The running period doesn't have a full month's credits: it began, or its plan came, part of the way in."""

    provider: Provider
    starts_at: datetime
    ends_at: datetime
    target: int
    allowance: int


@value
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


@dataclass(slots=True)
class Told:
    """What a journal tells beside the figures of its grants, followed from its first entry on.

    Memory grows with the grants and with the debt that is open, not with the entries.

    Attributes:
        debt_entries: the entries that changed the debt since there last was none.
        repaid: how much debt each grant made up for, and didn't get back.
        waived: what was used while billing was off, and not taken back.
    """

    debt_entries: list[Entry] = field(default_factory=list)
    repaid: Counter[int] = field(default_factory=Counter)
    waived: int = 0
    _debt: int = 0

    def read(self, entries: Iterable[Entry]) -> None:
        """Follow the next entries, which ascend."""
        for entry in entries:
            for move in entry.moves:
                route = (move.debit, move.credit)
                if route in REPAYMENT:
                    self.repaid[move.grant_number] += REPAYMENT[route] * move.amount
                self.waived += WAIVING.get(route, 0) * move.amount
            if entry.debt_after == 0:
                self.debt_entries.clear()
            elif entry.debt_after != self._debt:
                self.debt_entries.append(entry)
            self._debt = entry.debt_after

    def and_then(self, entries: Iterable[Entry]) -> Self:
        """What the journal would tell if these entries followed; this stays as it is."""
        told = replace(self, debt_entries=list(self.debt_entries), repaid=Counter(self.repaid))
        told.read(entries)
        return told


def break_down(
    account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold], told: Told, now: datetime
) -> Breakdown:
    """Take a balance apart.

    Args:
        account: as it stood at some entry.
        grants: all that were ever made, as they stood then.
        holds: all that were open then.
        told: what the journal tells up to that entry.
        now: the moment; what was due by it is seen as booked.
    """
    grants = tuple(grants)
    book = Book(account, grants, holds, max(now, account.booked_at), months=months_by(grants))
    book.book_due()
    told = told.and_then(book.entries)
    still_open = (hold for hold in book.holds if hold.state is HoldState.OPEN)
    return Breakdown(
        at=book.now,
        seq=account.version,
        available=book.available,
        held=book.account.held,
        debt=book.debt,
        stories=tuple(_story(grant, told.repaid[grant.number]) for grant in sorted(book.grants, key=burn_rank)),
        holds=tuple(sorted(still_open, key=lambda hold: (hold.expires_at, hold.id))),
        debt_entries=tuple(told.debt_entries),
        waived=told.waived,
    )


def reasons_why_not_more(state: CustomerState, now: datetime) -> tuple[Reason, ...]:
    """Say why there aren't more credits than there are, by what is known of the customer now."""
    now = max(now, state.account.booked_at)
    of_plans = (_plan_reasons(subscription, now) for subscription in state.subscriptions)
    return tuple(chain(_signup_reasons(state), *of_plans))


def _story(grant: Grant, repaid: int) -> GrantStory:
    return GrantStory(
        grant=grant,
        amount=grant.amount,
        used=grant.spent - repaid,
        repaid=repaid,
        revoked=grant.revoked,
        expired=grant.expired,
        held=grant.held,
        left=grant.remaining,
        owed=grant.owed,
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
