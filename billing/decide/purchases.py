"""What becomes of a customer whose plan GitHub shows: the subscription, its period, and the credits it lacks."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from billing.commands import Applied, FollowMarketplace, MarketplaceTruth, PendingChange
from billing.decide.customers import met, with_subscription
from billing.decide.decision import Decision, Facts
from billing.decide.plan_grants import grant_target
from billing.decide.plan_periods import Observed, effective_at, follow_period, grants_credits
from billing.ledger.book import Book, Voucher
from billing.plans import Plan, PlanCatalog
from billing.records import Alarm, Recovery
from billing.standing import is_living
from billing.state import CustomerState, Subscription
from billing.values import EPOCH, DeliveryId, Provider, SubscriptionState, to_the_millisecond

UNKNOWN_PLAN_ALARM: Final = "unknown_plan"

UNSEEN: Final = Subscription(
    provider=Provider.GITHUB_MARKETPLACE,
    plan="",
    state=SubscriptionState.ENDED,
    marketplace_plan_id=0,
    unmapped_plan_id=0,
    unit_count=0,
    billing_cycle="",
    next_billing_date=None,
    anchor_day=0,
    period=None,
    pending_plan="",
    pending_effective_at=None,
    cancel_at_period_end=False,
    observation=0,
    started_at=EPOCH,
    confirmed_at=EPOCH,
    missing_since=None,
    ended_at=None,
    last_delivery_id=DeliveryId(0),
)
"""A subscription before GitHub was first asked: as if it had ended without ever having been anything."""


def follow_purchase(
    state: CustomerState | None,
    command: FollowMarketplace,
    truth: MarketplaceTruth,
    now: datetime,
    plans: PlanCatalog,
    facts: Facts,
) -> Decision:
    """Apply GitHub's answer that the account has a plan. A purchase alone brings no sign-up credits."""
    state = met(state, command.account, truth.account, source="github_marketplace", now=now, facts=facts)
    before = state.subscription(Provider.GITHUB_MARKETPLACE) or UNSEEN
    plan = plans.sold_as(truth.marketplace_plan_id)
    held_since = effective_at(command.hint, truth.marketplace_plan_id, now)
    is_purchase = command.hint.action == "purchased"
    after = _shown(before, truth, plan, plans)
    after = replace(
        after,
        observation=command.cause.observation,
        started_at=before.started_at if is_living(before) else (held_since or now),
        confirmed_at=command.cause.asked_at,
        last_delivery_id=command.cause.delivery_id,
    )
    book = Book.of(state, now)
    if plan is not None and grants_credits(after):
        observed = Observed(
            before=before, after=after, plan=plan, effective_at=held_since, is_purchase=is_purchase, now=now
        )
        voucher = Voucher(key="", actor=f"delivery:{command.cause.delivery_id}", occurred_at=command.cause.received_at)
        after = grant_target(book, follow_period(observed, plans), plan, voucher)
    return Decision(
        state=replace(with_subscription(state, after), account=book.account, grants=book.grants, holds=book.holds),
        entries=tuple(book.entries),
        alarms=() if plan is not None else (_unknown_plan(truth),),
        recoveries=_recoveries(before, plans),
        outcome=Applied(customer_id=state.customer.id, entries=tuple(entry.seq for entry in book.entries)),
    )


def _shown(before: Subscription, truth: MarketplaceTruth, plan: Plan | None, plans: PlanCatalog) -> Subscription:
    """The subscription as GitHub shows it.

    A plan that the catalogue doesn't know leaves the customer what they had, which is nothing after an end.
    """
    pending = truth.pending
    kept_plan = before.plan if is_living(before) else ""
    return replace(
        before,
        plan=kept_plan if plan is None else plan.id,
        state=SubscriptionState.TRIALING if truth.on_free_trial else SubscriptionState.ACTIVE,
        marketplace_plan_id=truth.marketplace_plan_id,
        unmapped_plan_id=truth.marketplace_plan_id if plan is None else 0,
        unit_count=before.unit_count if plan is None else _units(before, truth),
        is_free=not (truth.monthly_price_cents or truth.yearly_price_cents),
        billing_cycle=truth.billing_cycle,
        next_billing_date=_exact(truth.next_billing_date),
        pending_plan="" if pending is None else _pending_plan(pending, plans),
        pending_effective_at=None if pending is None else _exact(pending.effective_at),
        cancel_at_period_end=pending is not None and pending.marketplace_plan_id is None,
        missing_since=None,
        ended_at=None,
    )


def _units(before: Subscription, truth: MarketplaceTruth) -> int:
    """How many units are bought: as GitHub says, else as last known, at least one; of a flat plan just one."""
    if not truth.per_unit:
        return 1
    return max(before.unit_count if truth.unit_count is None else truth.unit_count, 1)


def _exact(moment: datetime | None) -> datetime | None:
    return None if moment is None else to_the_millisecond(moment)


def _pending_plan(pending: PendingChange, plans: PlanCatalog) -> str:
    """How the plan to come is shown: by the catalogue's id, else by GitHub's name; "" when the end is to come."""
    if pending.marketplace_plan_id is None:
        return ""
    plan = plans.sold_as(pending.marketplace_plan_id)
    return pending.plan_name if plan is None else plan.id


def _unknown_plan(truth: MarketplaceTruth) -> Alarm:
    detail = (
        f"customers have the Marketplace plan {truth.marketplace_plan_id} ({truth.plan_name!r}), which the catalogue "
        "doesn't know: add the number to marketplace_plan_ids of a plan in plans.toml and restart; until then they "
        "keep what they had without new credits, then they are caught up by themselves"
    )
    return Alarm(kind=UNKNOWN_PLAN_ALARM, subject=f"plan:{truth.marketplace_plan_id}", detail=detail)


def _recoveries(before: Subscription, plans: PlanCatalog) -> tuple[Recovery, ...]:
    """The alarm that is over: the plan that was unknown for this customer has a place in the catalogue by now."""
    if not before.unmapped_plan_id or plans.sold_as(before.unmapped_plan_id) is None:
        return ()
    return (Recovery(kind=UNKNOWN_PLAN_ALARM, subject=f"plan:{before.unmapped_plan_id}"),)
