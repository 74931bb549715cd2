"""The chain of periods of a subscription, and what should have been granted in the running one.

One chain for each customer and provider. It goes on through cancellation and new purchase until the running period
ends, and no period is ever cut again, so that whoever cancels and buys in turns gets nothing twice
(docs/decisions/0013-period-chain-and-proration.md).
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from billing.commands import MarketplaceHint
from billing.decide.plan_grants import GRACE
from billing.periods import (
    anchor_after,
    anchor_day_of,
    days_in_month_to,
    midnight,
    month_at,
    prorated,
    utc_date,
)
from billing.plans import Plan, PlanCatalog
from billing.standing import is_living
from billing.state import Period, Subscription
from billing.values import SubscriptionState, to_the_millisecond, value

DATED_ACTIONS: Final = ("purchased", "changed")
"""The deliveries whose effective date is the day since when the plan holds."""

CHANGE_AWAITED: Final = timedelta(hours=24)
"""A scheduled change that takes effect within this time of a month's start is waited for before it is granted."""


@value
class Observed:
    """A subscription that grants credits, before and after GitHub was asked.

    Attributes:
        before: as it was known; blank and ended if it wasn't.
        after: as GitHub shows it, still with the period of before.
        plan: the catalogue's plan of after.
        effective_at: since when the delivery says the plan holds, if it does and that isn't in the future.
        is_purchase: whether the delivery tells of a purchase.
    """

    before: Subscription
    after: Subscription
    plan: Plan
    effective_at: datetime | None
    is_purchase: bool
    now: datetime

    @property
    def allowance(self) -> int:
        """The credits of a full month, by what GitHub shows."""
        return monthly_allowance(self.plan, self.after.unit_count)

    @property
    def is_same_deal(self) -> bool:
        """Whether nothing changed that credits depend on. A changed catalogue waits for the next period."""
        deal_before = (self.before.state, self.before.plan, self.before.unit_count)
        return deal_before == (SubscriptionState.ACTIVE, self.after.plan, self.after.unit_count)

    @property
    def changed_on(self) -> date:
        """Since which day the plan holds: as the delivery says, else today.

        It held no earlier than GitHub was last asked and showed something else: an old delivery that is handled again
        dates nothing back. Only where this very plan was shown, but unknown to us, that tells nothing.
        """
        day = utc_date(self.now if self.effective_at is None else self.effective_at)
        if self.before.unmapped_plan_id == self.after.marketplace_plan_id:
            return day
        return max(day, utc_date(self.before.confirmed_at))


def effective_at(hint: MarketplaceHint, marketplace_plan_id: int, now: datetime) -> datetime | None:
    """Since when the plan that GitHub shows holds, as far as the delivery tells."""
    is_dated = hint.action in DATED_ACTIONS and hint.marketplace_plan_id in (None, marketplace_plan_id)
    if not is_dated or hint.effective_at is None or hint.effective_at > now:
        return None
    return to_the_millisecond(hint.effective_at)


def monthly_allowance(plan: Plan, unit_count: int) -> int:
    """The credits of a full month. Plans without units count one."""
    return plan.included_credits * unit_count


def grants_credits(subscription: Subscription) -> bool:
    """Whether the subscription is one that periods grant credits for: it lives, and isn't on its free trial."""
    return is_living(subscription) and subscription.state is not SubscriptionState.TRIALING


def follow_period(observed: Observed, plans: PlanCatalog) -> Subscription:
    """The subscription with its chain brought to now: the period begun, continued, or its target raised."""
    period = observed.after.period
    if period is not None and observed.now < period.ends_at:
        return _raised(observed, period)
    if period is not None and _goes_on(observed, period):
        anchor_day = _anchor_day(observed.after, otherwise=observed.after.anchor_day)
        return _continued(observed, period.ends_at, anchor_day, _allowance_before(observed, plans))
    return _begun(observed, period)


def _raised(observed: Observed, period: Period) -> Subscription:
    """The running period with a higher target, if the plan allows more than any seen in it so far; never lowered."""
    after, allowance = observed.after, observed.allowance
    more = allowance - period.allowance
    if more <= 0 or observed.is_same_deal:
        return after
    extra = _share_since_change(
        observed, more, start=utc_date(period.starts_at), end=utc_date(period.ends_at), anchor_day=after.anchor_day
    )
    target = min(period.target + extra, allowance)
    return replace(after, period=replace(period, allowance=allowance, target=target))


def _goes_on(observed: Observed, period: Period) -> bool:
    """Whether the chain continues where its last period ended.

    It doesn't after a purchase since then: nobody buys what they have, so there was an end that we weren't told of.
    """
    bought_since = (
        observed.is_purchase and observed.effective_at is not None and observed.effective_at >= period.ends_at
    )
    return is_living(observed.before) and not bought_since


def _continued(observed: Observed, since: datetime, anchor_day: int, allowance_before: int) -> Subscription:
    """The chain, which had come to `since`, in its month that holds now; months that nobody asked in aren't granted.

    While the month's grant has to wait, the old period stays, and a later observation begins the month. A change of
    plan within it counts from its day on.
    """
    after, allowance = observed.after, observed.allowance
    starts_at, ends_at = month_at(observed.now, since=since, anchor_day=anchor_day)
    start, end = utc_date(starts_at), utc_date(ends_at)
    if _is_unpaid(after, start) or _is_about_to_change(observed, starts_at):
        return after
    from_the_start = allowance if observed.changed_on <= start else min(allowance, allowance_before)
    target = prorated(from_the_start, days_left=(end - start).days, days=days_in_month_to(end, anchor_day))
    target += _share_since_change(observed, allowance - from_the_start, start=start, end=end, anchor_day=anchor_day)
    period = _new_period(starts_at, ends_at, allowance=allowance, target=min(target, allowance))
    return replace(after, anchor_day=anchor_day, period=period)


def _is_unpaid(after: Subscription, start: date) -> bool:
    """Whether the customer may not have paid yet for a month that starts on this day: GitHub shows no later billing."""
    return after.next_billing_date is not None and utc_date(after.next_billing_date) <= start


def _is_about_to_change(observed: Observed, starts_at: datetime) -> bool:
    """Whether a scheduled change or end was due when the month began, and may not hold yet.

    GitHub applies them late. It is waited for no longer than for a payment.
    """
    changes_at = observed.after.pending_effective_at
    is_due = changes_at is not None and changes_at <= starts_at + CHANGE_AWAITED
    return is_due and observed.now < starts_at + GRACE


def _begun(observed: Observed, last: Period | None) -> Subscription:
    """The first period of a chain, or the first after a chain had ended.

    GitHub charges the first cycle only up to the account's billing date, so a purchase is granted alike; a plan that is
    first seen without its purchase gets the full month.
    """
    after, now = observed.after, observed.now
    starts_at = now
    if observed.is_purchase and observed.effective_at is not None:
        starts_at = observed.effective_at if last is None or observed.effective_at >= last.ends_at else now
    start = utc_date(starts_at)
    anchor_day = _anchor_day(after, otherwise=start.day)
    end = anchor_after(start, anchor_day)
    if midnight(end) <= now:
        # The purchase is told of so late that its first period is over: granted is the month that holds now.
        return _continued(observed, midnight(end), anchor_day, observed.allowance)
    if _is_unpaid(after, start):
        return after
    target = observed.allowance
    if observed.plan.first_period == "prorated" and observed.is_purchase and after.next_billing_date is not None:
        target = prorated(target, days_left=(end - start).days, days=days_in_month_to(end, anchor_day))
    period = _new_period(starts_at, midnight(end), allowance=observed.allowance, target=target)
    return replace(after, anchor_day=anchor_day, period=period)


def _anchor_day(after: Subscription, *, otherwise: int) -> int:
    """The day of the month on which periods end from now on: that of GitHub's billing date, if there is one."""
    if after.next_billing_date is None:
        return otherwise
    return anchor_day_of(utc_date(after.next_billing_date), known=after.anchor_day)


def _allowance_before(observed: Observed, plans: PlanCatalog) -> int:
    """A month's credits before what GitHub shows now came to hold."""
    before = observed.before
    plan = plans.find(before.plan)
    if plan is None or not grants_credits(before):
        return 0
    return monthly_allowance(plan, before.unit_count)


def _share_since_change(observed: Observed, amount: int, *, start: date, end: date, anchor_day: int) -> int:
    """The share of a month's amount from the day of the change to the period's end."""
    days_left = max((end - max(start, observed.changed_on)).days, 0)
    return prorated(amount, days_left=days_left, days=days_in_month_to(end, anchor_day))


def _new_period(starts_at: datetime, ends_at: datetime, *, allowance: int, target: int) -> Period:
    return Period(starts_at=starts_at, ends_at=ends_at, allowance=allowance, target=target, granted=0, grants=0)
