"""Plans at GitHub Marketplace: one observation for all deliveries, applied as GitHub answers now.

A delivery is a hint to ask; what it says itself serves the proration and the patience below, never the plan
(docs/decisions/0010-plan-state-is-pulled.md).
"""

from datetime import datetime

from billing.commands import FollowMarketplace, MarketplaceHint, MarketplaceTruth
from billing.decide.decision import Decision, Facts, contradicted, overtaken
from billing.decide.endings import follow_absence
from billing.decide.purchases import follow_purchase
from billing.plans import PlanCatalog
from billing.state import CustomerState
from billing.values import Provider


def follow_marketplace(
    state: CustomerState | None, command: FollowMarketplace, now: datetime, plans: PlanCatalog, facts: Facts
) -> Decision:
    """Bring the account's subscription to what GitHub says now."""
    known = None if state is None else state.subscription(Provider.GITHUB_MARKETPLACE)
    if known is not None and command.cause.observation < known.observation:
        return overtaken(now)
    if contradicts(command.hint, command.truth) and (later := contradicted(command.cause, now)) is not None:
        return later
    if command.truth is None:
        return follow_absence(state, command, now, facts)
    return follow_purchase(state, command, command.truth, now, plans, facts)


def contradicts(hint: MarketplaceHint, truth: MarketplaceTruth | None) -> bool:
    """Whether GitHub's answer can't be what led to the delivery.

    Either may be the stale one: answers lag behind deliveries, and deliveries come late.
    """
    match hint.action:
        case "purchased" | "changed":
            return truth is None or hint.marketplace_plan_id not in (None, truth.marketplace_plan_id)
        case "cancelled":
            return truth is not None and hint.marketplace_plan_id in (None, truth.marketplace_plan_id)
        case _:
            return False
