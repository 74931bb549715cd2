"""A product of a few lines for tests of the console: it shows what it is told to, and notes what is asked of it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sandbox.github.errors import ActionError
from sandbox.inspector import (
    AlarmView,
    BalanceView,
    CustomerView,
    DeliveryView,
    EffectView,
    EntryView,
    GrantView,
    Snapshot,
    SubscriptionView,
)


@dataclass(slots=True)
class HeldProduct:
    """An `Inspector` and a `Desk` over values that a test sets.

    Attributes:
        shown: What is shown whomever one looks at.
        customers: By their accounts' ids.
        is_resting: Whether all work is done.
        looks: How often the version was asked.
        failure: Raised instead of an answer.
        asked: What the desk was asked for.
    """

    shown: Snapshot = field(default_factory=Snapshot)
    customers: dict[int, CustomerView] = field(default_factory=dict)
    is_resting: bool = True
    rests_asked_for: int = 0
    changes: int = 0
    looks: int = 0
    failure: Exception | None = None
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    async def version(self) -> int:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return self.changes

    async def snapshot(self) -> Snapshot:
        return self.shown

    async def customer(self, github_account_id: int) -> CustomerView | None:
        return self.customers.get(github_account_id)

    async def is_at_rest(self) -> bool:
        self.rests_asked_for += 1
        return self.is_resting

    async def grant(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the protocol's word
        return self._note("grant", account_id, credits)

    async def spend(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the protocol's word
        return self._note("spend", account_id, credits)

    async def hold(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the protocol's word
        return self._note("hold", account_id, credits)

    async def capture(self, account_id: int, hold_id: int) -> str:
        return self._note("capture", account_id, hold_id)

    async def release(self, account_id: int, hold_id: int) -> str:
        return self._note("release", account_id, hold_id)

    async def show_figures(self, account_id: int, shown: bool) -> str:  # noqa: FBT001 -- the protocol's shape
        return self._note("show_figures", account_id, int(shown))

    def show(self, snapshot: Snapshot | None = None, customers: dict[int, CustomerView] | None = None) -> None:
        """Show something else from now on."""
        self.shown = self.shown if snapshot is None else snapshot
        self.customers = self.customers if customers is None else customers
        self.changes += 1

    def _note(self, what: str, account_id: int, amount: int) -> str:
        """Note what was asked; of an unknown account it is refused."""
        if account_id not in self.customers:
            raise ActionError("nobody knows the account")
        self.asked.append((what, account_id, amount))
        return f"{what} of {amount} is done."


def customer(*, now: datetime, available: int = 47, note: str = "") -> CustomerView:
    """Return a customer on Pro: two grants, a fix, and credits that expired; the plan's expire in ten days."""
    began = now - timedelta(days=20)
    entry = EntryView(
        sequence=1,
        kind="grant",
        amount=5,
        balance_after=5,
        description="5 credits for signing up",
        booked_at=began,
        happened_at=began,
    )
    return CustomerView(
        id="12",
        plan="Pro",
        plan_state="active",
        available=available,
        subscriptions=(
            SubscriptionView(
                provider="github_marketplace", plan="Pro", state="active", pending_plan="Trial", changes_at=now
            ),
        ),
        grants=(
            GrantView(id="2", origin="plan", amount=60, remaining=42, expires_at=now + timedelta(days=10)),
            GrantView(id="1", origin="signup", amount=5, remaining=5, expires_at=None),
        ),
        entries=(
            replace(
                entry,
                sequence=4,
                kind="expire",
                amount=-17,
                balance_after=available,
                description="expired, of grant 2",
                booked_at=now,
                happened_at=now - timedelta(days=2),
            ),
            replace(
                entry, sequence=3, kind="spend", amount=-1, balance_after=64, description=note or "used, of grant 2"
            ),
            replace(entry, sequence=2, amount=60, balance_after=65, description="60 credits of the plan"),
            entry,
        ),
        reasons=("The period isn't a full one: 43 of 60 credits.",),
    )


def busy_snapshot(*, now: datetime, account_id: int = 7, balance: int = 47) -> Snapshot:
    """Return a snapshot with a delivery and an effect in each state, a balance and an alarm."""
    delivery = DeliveryView(
        id="1",
        subject=f"account:{account_id}",
        event="installation",
        action="created",
        state="done",
        attempts=1,
        received_at=now,
    )
    effect = EffectView(id="1", kind="reply", state="done", subject="thread:1001:1", attempts=1, created_at=now)
    later = now + timedelta(minutes=5)
    return Snapshot(
        balances=(BalanceView(github_account_id=account_id, plan="Pro", available=balance),),
        deliveries=(
            delivery,
            replace(
                delivery,
                id="2",
                state="received",
                event="marketplace_purchase",
                action="purchased",
                attempts=2,
                next_try_at=later,
                error="GitHub answered 502",
            ),
            replace(delivery, id="3", subject="", state="ignored", event="ping", action=None),
            replace(delivery, id="4", state="refused", error="unknown plan 9999"),
            replace(delivery, id="5", state="dead", error="GitHub answered 502 twelve times", attempts=12),
        ),
        effects=(
            effect,
            replace(effect, id="2", state="pending", attempts=3, next_try_at=later, error="no answer came"),
            replace(effect, id="3", kind="alert", subject="unknown_plan", state="dead", error="no mail server"),
        ),
        alarms=(
            AlarmView(id="1", kind="unknown_plan", subject="plan 9999", detail="Add it to plans.toml.", raised_at=now),
        ),
    )
