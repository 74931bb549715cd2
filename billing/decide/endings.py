"""What becomes of a subscription that GitHub doesn't show (any more).

A paid plan vanishes from GitHub's answers for hours after a failed payment and comes back, so a missing one isn't ended
at once unless a cancellation was delivered; and many missing at once are rather a fault than as many cancellations
(docs/decisions/0012-too-many-losses-stop-all.md).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from billing.commands import Applied, FollowMarketplace, Ignored, Postponed
from billing.decide.customers import with_subscription
from billing.decide.decision import Decision, Facts
from billing.records import Alarm, Loss, Recovery
from billing.standing import is_living
from billing.state import CustomerState, Subscription
from billing.values import Provider, SubscriptionState

UNCONFIRMED_FOR: Final = timedelta(hours=24)
"""How long a paid plan stands that GitHub doesn't show though nobody cancelled it."""

LEAST_LOSSES: Final = 20
"""Fewer losses within an hour never stop further ones."""

LOSS_PERCENT: Final = 5
"""Losses within an hour, of all living subscriptions, that stop further ones."""

LOSSES_PAUSE: Final = timedelta(minutes=15)
"""When a subscription that may not end now is looked at again."""

LOSSES_ALARM: Final = "marketplace_losses"


def follow_absence(state: CustomerState | None, command: FollowMarketplace, now: datetime, facts: Facts) -> Decision:
    """Apply GitHub's answer that the account has no plan."""
    known = None if state is None else state.subscription(Provider.GITHUB_MARKETPLACE)
    if state is None or known is None:
        return Decision(outcome=Ignored(reason="GitHub shows no plan"))
    missing = replace(
        known,
        observation=command.cause.observation,
        last_delivery_id=command.cause.delivery_id,
        missing_since=known.missing_since or now,
    )
    if not is_living(known):
        return Decision(state=with_subscription(state, missing), outcome=Ignored(reason="GitHub shows no plan"))
    if not _may_end(known, command, now):
        unconfirmed = replace(missing, state=SubscriptionState.UNCONFIRMED)
        return Decision(
            state=with_subscription(state, unconfirmed), outcome=Applied(customer_id=state.customer.id, entries=())
        )
    if facts.losses_last_hour >= most_losses(facts.living):
        return _held_back(facts, now)
    return Decision(
        state=with_subscription(state, _ended(missing, now)),
        losses=(Loss(customer_id=state.customer.id, provider=known.provider, at=now),),
        recoveries=(Recovery(kind=LOSSES_ALARM, subject=known.provider),),
        outcome=Applied(customer_id=state.customer.id, entries=()),
    )


def most_losses(living: int) -> int:
    """How many losses within an hour are borne before they stop: so many per cent of the living, but not too few."""
    return max(LEAST_LOSSES, -(-living * LOSS_PERCENT // 100))


def _may_end(known: Subscription, command: FollowMarketplace, now: datetime) -> bool:
    """Whether a living subscription that GitHub doesn't show ends now, or waits to be seen again."""
    # GitHub's last showing is dated by when it was asked for: a cancellation received since is the newer word, even if
    # it came while the answer was on its way.
    is_cancelled = command.hint.action == "cancelled" and command.cause.received_at >= known.confirmed_at
    return known.is_free or is_cancelled or now - (known.missing_since or now) >= UNCONFIRMED_FOR


def _ended(missing: Subscription, now: datetime) -> Subscription:
    """The subscription at its end. Its period and the credits granted in it stay as they are."""
    return replace(
        missing,
        state=SubscriptionState.ENDED,
        ended_at=now,
        unmapped_plan_id=0,
        pending_plan="",
        pending_effective_at=None,
        cancel_at_period_end=False,
    )


def _held_back(facts: Facts, now: datetime) -> Decision:
    detail = (
        f"{facts.losses_last_hour} Marketplace subscriptions ended within an hour because GitHub no longer shows them; "
        "look at the listing and its plans: further ones wait, and go on by themselves as the hour passes"
    )
    return Decision(
        outcome=Postponed(until=now + LOSSES_PAUSE, reason="too many subscriptions ended within an hour"),
        alarms=(Alarm(kind=LOSSES_ALARM, subject=Provider.GITHUB_MARKETPLACE, detail=detail),),
    )
