"""Any life of a Marketplace subscription, told late, twice, out of order or not at all: nothing is minted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from billing.commands import MarketplaceTruth
from billing.periods import anchor_after, midnight, utc_date
from billing.state import Period
from billing.values import SubscriptionState
from tests.billing.builders import FREE, MAX, PLANS, PRO, ROLLING, STARTER, TEAM, History, day, truth

CATALOG_PLANS = (FREE, STARTER, PRO, MAX, TEAM, ROLLING)


@dataclass(frozen=True)
class Step:
    """What happens at GitHub after so many hours, and what we are told.

    Attributes:
        plan: the plan from then on; None after a cancellation.
        told: which delivery comes by: the newest (0), an earlier one again (how many back), or none (None).
    """

    hours: int
    plan: int | None
    units: int
    told: int | None


STEPS = st.lists(
    st.builds(
        Step,
        hours=st.integers(0, 24 * 45),
        plan=st.none() | st.sampled_from(CATALOG_PLANS),
        units=st.integers(1, 12),
        told=st.none() | st.integers(0, 4),
    ),
    min_size=1,
    max_size=14,
)


class Marketplace:
    """GitHub as far as the property needs it: one account's purchase, and the deliveries that it sent."""

    def __init__(self, *, anchor_day: int) -> None:
        self.anchor_day = anchor_day
        self.plan: int | None = None
        self.units = 1
        self.deliveries: list[tuple[str, int | None, datetime]] = []
        self.allowances: list[tuple[datetime, int]] = []

    def change(self, step: Step, now: datetime) -> None:
        """Let the step happen and send its delivery."""
        if step.plan is None:
            action, hinted = "cancelled", self.plan
        else:
            action, hinted = ("purchased" if self.plan is None else "changed"), step.plan
        self.plan, self.units = step.plan, step.units
        self.allowances.append((now, self.allowance))
        self.deliveries.append((action, hinted, midnight(utc_date(now))))

    @property
    def allowance(self) -> int:
        """A month's credits by the plan of the moment."""
        plan = None if self.plan is None else PLANS.sold_as(self.plan)
        return 0 if plan is None else plan.included_credits * (self.units if self.plan == TEAM else 1)

    def shown(self, now: datetime) -> MarketplaceTruth | None:
        """What GitHub answers."""
        if self.plan is None:
            return None
        billed_at = None if self.plan == FREE else midnight(anchor_after(utc_date(now), self.anchor_day))
        return truth(self.plan, billed_at=billed_at, units=self.units)

    def highest_since(self, since: datetime, now: datetime) -> int:
        """The highest allowance that held at any time of a span."""
        changes = [*self.allowances, (now + timedelta(days=1), 0)]
        return max(allowance for (_, allowance), (end, _) in pairwise(changes) if end > since)


def check(history: History, marketplace: Marketplace, periods: list[Period]) -> None:
    """Hold the subscription, its chain and its grants against each other and against GitHub."""
    period = history.subscription.period
    if period is None:
        return
    # What rolled over into a period isn't granted in it.
    made = [entry.moves[0].grant_number for entry in history.journal if entry.key.startswith("plan:")]
    months = [history.all_grants[number] for number in made]
    granted = sum(each.amount for each in months if each.period_starts_at == period.starts_at)
    assert granted == period.granted <= period.target <= period.allowance
    assert period.granted <= marketplace.highest_since(midnight(utc_date(period.starts_at)), history.now)
    assert period.starts_at < period.ends_at
    assert (period.ends_at - period.starts_at) <= timedelta(days=32)
    if periods and periods[-1].starts_at == period.starts_at:
        last = periods.pop()
        assert period.ends_at == last.ends_at, "a period is never cut or stretched"
        assert period.target >= last.target, "what was promised stays"
    elif periods:
        assert period.starts_at >= periods[-1].ends_at, "periods don't overlap"
    periods.append(period)


@given(steps=STEPS, anchor_day=st.integers(1, 31), start=st.integers(0, 800))
def test_no_life_of_a_subscription_mints_credits(steps: list[Step], anchor_day: int, start: int) -> None:
    history = History(now=day(1, 1, 9) + timedelta(days=start))
    marketplace = Marketplace(anchor_day=anchor_day)
    periods: list[Period] = []
    for step in steps:
        history.wait(hours=step.hours)
        marketplace.change(step, history.now)
        if step.told is None:
            continue
        action, hinted, effective_at = marketplace.deliveries[-1 - step.told % len(marketplace.deliveries)]
        shown = marketplace.shown(history.now)
        history.follow(shown, action, hinted=hinted, effective_at=effective_at, repeats=4)
        booked = len(history.journal)
        history.follow(shown, action, hinted=hinted, effective_at=effective_at, repeats=4)
        assert len(history.journal) == booked, "the second time nothing is left to do"
        if history.state is not None:
            assert history.subscription.state is not SubscriptionState.TRIALING
            check(history, marketplace, periods)


@given(
    plans=st.lists(st.sampled_from(CATALOG_PLANS), min_size=1, max_size=20),
    hours=st.lists(st.integers(0, 30), min_size=20, max_size=20),
)
def test_flipping_plans_within_a_period_never_grants_more_than_its_highest(plans: list[int], hours: list[int]) -> None:
    history = History(now=day(12, 1, 9))
    marketplace = Marketplace(anchor_day=30)
    for plan, wait in zip(plans, hours, strict=False):
        marketplace.change(Step(hours=0, plan=plan, units=12, told=0), history.now)
        action, hinted, effective_at = marketplace.deliveries[-1]
        history.follow(marketplace.shown(history.now), action, hinted=hinted, effective_at=effective_at)
        history.wait(hours=wait)
    highest = max(allowance for _, allowance in marketplace.allowances)
    assert history.period.starts_at == day(12, 1)
    assert history.period.granted == history.customer.account.posted <= highest


@given(anchor_day=st.integers(1, 31), bought=st.integers(0, 800), months=st.integers(1, 30))
def test_who_holds_a_plan_gets_every_month_once_in_full(anchor_day: int, bought: int, months: int) -> None:
    history = History(now=day(1, 1, 9) + timedelta(days=bought))
    marketplace = Marketplace(anchor_day=anchor_day)
    marketplace.change(Step(hours=0, plan=PRO, units=1, told=0), history.now)
    action, hinted, effective_at = marketplace.deliveries[0]
    history.follow(marketplace.shown(history.now), action, hinted=hinted, effective_at=effective_at)
    periods = [history.period]
    for _ in range(months):
        history.now = history.period.ends_at + timedelta(hours=6)
        history.follow(marketplace.shown(history.now), "pending_change")
        periods.append(history.period)
        assert history.period.granted == 60
        assert history.available == 60
    for earlier, later in pairwise(periods):
        assert later.starts_at == earlier.ends_at, "the chain has no gap"
    for period in periods[1:]:
        assert 28 <= (period.ends_at - period.starts_at).days <= 31
        following = utc_date(period.ends_at) + timedelta(days=1)
        assert utc_date(period.ends_at).day == anchor_day or following.day == 1, "only a short month clamps"
