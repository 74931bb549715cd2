"""A product of a few lines for tests of the console: it holds what it is told to show."""

from dataclasses import dataclass, replace
from datetime import datetime

from sandbox.inspector import (
    AlarmView,
    CustomerView,
    DeliveryView,
    EffectView,
    EntryView,
    GrantView,
    Snapshot,
    SubscriptionView,
)


@dataclass(slots=True)
class HeldSnapshot:
    """An `Inspector` over values that a test sets.

    Attributes:
        looks: How often the version was asked.
        failure: Raised instead of an answer.
    """

    shown: Snapshot
    changes: int = 0
    looks: int = 0
    failure: Exception | None = None

    async def version(self) -> int:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return self.changes

    async def snapshot(self) -> Snapshot:
        return self.shown

    def show(self, snapshot: Snapshot) -> None:
        """Show something else from now on."""
        self.shown = snapshot
        self.changes += 1


def customer(account_id: int, login: str, *, now: datetime, available: int = 48, note: str = "") -> CustomerView:
    """Return a customer on Pro with two grants and three entries."""
    entry = EntryView(sequence=1, kind="grant", amount=5, balance_after=5, description="installation", booked_at=now)
    return CustomerView(
        id=f"cus_{account_id}",
        github_account_id=account_id,
        login=login,
        plan="Pro",
        plan_state="active",
        available=available,
        next_expiry=now,
        subscriptions=(
            SubscriptionView(
                provider="github_marketplace",
                plan="Pro",
                state="active",
                pending_plan="Trial",
                changes_at=now,
            ),
        ),
        grants=(
            GrantView(id="1", origin="plan", amount=43, remaining=43, expires_at=now),
            GrantView(id="2", origin="signup", amount=5, remaining=5, expires_at=None),
        ),
        entries=(
            replace(entry, sequence=3, kind="spend", amount=-1, balance_after=available, description=note or "a fix"),
            replace(entry, sequence=2, amount=43, balance_after=49, description="Pro until 1 Feb"),
            entry,
        ),
        reasons=("The period isn't a full one: 43 of 60 credits.",),
    )


def busy_snapshot(customers: tuple[CustomerView, ...], *, now: datetime) -> Snapshot:
    """Return a snapshot with a delivery in each state, effects and an alarm."""
    delivery = DeliveryView(
        id="1",
        github_account_id=None,
        event="installation",
        action="created",
        state="done",
        attempts=1,
        received_at=now,
    )
    effect = EffectView(id="1", kind="forward", state="done", subject="installation", attempts=1, created_at=now)
    return Snapshot(
        customers=customers,
        deliveries=(
            delivery,
            replace(delivery, id="2", state="received", event="marketplace_purchase", attempts=2),
            replace(delivery, id="3", state="ignored", event="ping", action=None),
            replace(delivery, id="4", state="refused", error="unknown plan 9999"),
            replace(delivery, id="5", state="dead", error="GitHub answered 502 twelve times", attempts=12),
        ),
        effects=(effect, replace(effect, id="2", state="pending", attempts=3)),
        alarms=(
            AlarmView(id="1", kind="unknown_plan", subject="plan 9999", detail="Add it to plans.toml.", raised_at=now),
        ),
    )
