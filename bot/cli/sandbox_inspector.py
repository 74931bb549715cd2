"""What the sandbox's console is shown of the database."""

from typing import Final

from billing.explain import explain
from billing.ledger.balance import available, burn_order, is_due
from billing.ledger.entries import Entry
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.standing import effective_plan, is_living
from billing.state import CustomerState, Grant, Subscription
from billing.values import NEVER, EntryKind, GitHubAccountId
from bot.cli.explaining import entry_in_words, reason_in_words
from sandbox.inspector import (
    AlarmView,
    BalanceView,
    CustomerView,
    DeliveryView,
    EffectView,
    EntryView,
    ExpiryView,
    GrantView,
    Snapshot,
    SubscriptionView,
)
from storage.alarms import AlarmRow
from storage.database import Database
from storage.deliveries import DeliveryRow, DeliveryState
from storage.effects import EffectRow, EffectState

MOST_CUSTOMERS: Final = 50
MOST_ENTRIES: Final = 200
MOST_DELIVERIES: Final = 40
MOST_EFFECTS: Final = 30
MOST_WAITING: Final = 500


class StorageInspector:
    """Shows the console what is in the database; a `sandbox.inspector.Inspector`.

    Args:
        database: opened.
        plans: the catalogue.
        clock: the one that the server goes by.
    """

    def __init__(self, database: Database, plans: PlanCatalog, *, clock: Clock) -> None:
        self._database = database
        self._plans = plans
        self._clock = clock

    async def version(self) -> int:
        """A number that is another one whenever anything was committed."""
        return await self._database.reads.change_counter()

    async def snapshot(self) -> Snapshot:
        """What the console shows whomever it looks at."""
        customers = await self._database.reads.customers(limit=MOST_CUSTOMERS)
        deliveries = await self._database.inbox.list(limit=MOST_DELIVERIES)
        effects = await self._database.outbox.list(limit=MOST_EFFECTS)
        alarms = await self._database.alarms.list()
        return Snapshot(
            balances=tuple(self._balance(state) for state in customers),
            deliveries=tuple(_delivery_view(row) for row in deliveries),
            effects=tuple(_effect_view(row) for row in effects),
            alarms=tuple(_alarm_view(row) for row in alarms),
        )

    async def customer(self, github_account_id: int) -> CustomerView | None:
        """One customer with plan, balance and ledger."""
        state = await self._database.reads.by_github_account(GitHubAccountId(github_account_id))
        if state is None:
            return None
        page = await self._database.reads.latest_entries(state.account.id, limit=MOST_ENTRIES)
        made = await self._database.reads.grants(state.account.id, include_closed=True)
        now = max(self._clock.now(), state.account.booked_at)
        plan = effective_plan(state, self._plans)
        living = [each for each in state.subscriptions if each.plan == plan.id and is_living(each)]
        grants = {grant.number: grant for grant in made}
        return CustomerView(
            id=str(state.customer.id),
            plan=plan.name,
            plan_state=living[0].state.value if living else "none",
            available=available(state, now).count,
            shows_figures=state.customer.shows_figures,
            expired=tuple(
                ExpiryView(amount=grant.remaining, at=grant.expires_at) for grant in state.grants if is_due(grant, now)
            ),
            subscriptions=tuple(_subscription_view(each, self._plans) for each in state.subscriptions),
            grants=tuple(_grant_view(grant) for grant in burn_order(state.grants) if not is_due(grant, now)),
            entries=tuple(
                _entry_view(entry, entry_in_words(entry, grants, page.notes.get(entry.seq)))
                for entry in reversed(page.entries)
            ),
            reasons=tuple(reason_in_words(reason) for reason in explain(state, (), (), self._plans, now).reasons),
        )

    async def is_at_rest(self) -> bool:
        """Whether everything that is due by now was handled and sent."""
        now = self._clock.now()
        deliveries = await self._database.inbox.list(state=DeliveryState.RECEIVED, limit=MOST_WAITING)
        effects = await self._database.outbox.list(state=EffectState.PENDING, limit=MOST_WAITING)
        return min([*(row.run_at for row in deliveries), *(row.run_at for row in effects)], default=NEVER) > now

    def _balance(self, state: CustomerState) -> BalanceView:
        """Return a customer as the list of accounts shows it."""
        now = max(self._clock.now(), state.account.booked_at)
        return BalanceView(
            github_account_id=state.customer.github_account_id,
            plan=effective_plan(state, self._plans).name,
            available=available(state, now).count,
        )


def _delivery_view(row: DeliveryRow) -> DeliveryView:
    """Return a delivery as the console shows it."""
    return DeliveryView(
        id=str(row.id),
        subject=_subject_of(row.partition),
        event=row.event,
        action=row.action or None,
        state=row.state.value,
        attempts=row.attempts,
        received_at=row.received_at,
        next_try_at=row.run_at if row.state is DeliveryState.RECEIVED else None,
        error=row.error or None,
    )


def _subject_of(partition: str) -> str:
    """Return what a partition such as `github:7` or `github:thread:7:12` is about, in the console's words."""
    _, _, name = partition.partition(":")
    return f"account:{name}" if name.isdigit() else name


def _effect_view(row: EffectRow) -> EffectView:
    """Return an effect as the console shows it."""
    return EffectView(
        id=str(row.id),
        kind=row.topic,
        state=row.state.value,
        subject=row.key,
        attempts=row.attempts,
        created_at=row.created_at,
        next_try_at=row.run_at if row.state is EffectState.PENDING else None,
        error=row.error or None,
    )


def _alarm_view(row: AlarmRow) -> AlarmView:
    """Return an alarm as the console shows it."""
    return AlarmView(
        id=f"{row.kind}:{row.subject}",
        kind=row.kind,
        subject=row.subject,
        detail=row.detail,
        raised_at=row.first_at,
    )


def _entry_view(entry: Entry, description: str) -> EntryView:
    """Return an entry of the ledger as the console shows it."""
    return EntryView(
        sequence=entry.seq,
        kind=entry.kind.value,
        amount=entry.amount,
        balance_after=entry.balance_after,
        description=description,
        booked_at=entry.recorded_at,
        # An expiry is booked before the next entry, whenever that comes.
        happened_at=entry.occurred_at if entry.kind is EntryKind.EXPIRE else entry.recorded_at,
    )


def _subscription_view(subscription: Subscription, plans: PlanCatalog) -> SubscriptionView:
    """Return a subscription as the console shows it."""
    plan, pending = plans.find(subscription.plan), plans.find(subscription.pending_plan)
    return SubscriptionView(
        provider=subscription.provider.value,
        plan=plan.name if plan else f"unknown plan {subscription.unmapped_plan_id}",
        state=subscription.state.value,
        pending_plan=pending.name if pending else subscription.pending_plan or None,
        ends=subscription.cancel_at_period_end,
        changes_at=subscription.pending_effective_at,
    )


def _grant_view(grant: Grant) -> GrantView:
    """Return a grant as the console shows it."""
    return GrantView(
        id=str(grant.number),
        origin=grant.origin.value,
        amount=grant.amount,
        remaining=grant.remaining,
        expires_at=None if grant.expires_at == NEVER else grant.expires_at,
    )
