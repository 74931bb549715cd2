"""What the sandbox's console is shown of the database."""

from dataclasses import replace
from typing import Final

from billing.explain import reasons_why_not_more
from billing.ledger.balance import available
from billing.ledger.book import CLOCK
from billing.ledger.burning import burn_rank
from billing.ledger.entries import Entry
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.settled import due_entries, settled
from billing.standing import effective_plan, is_living
from billing.state import CustomerState, Grant, Hold, Subscription
from billing.values import NEVER, EntryKind, GitHubAccountId, HoldState, Place
from bot.cli.entry_words import entry_in_words
from bot.cli.reason_words import reason_in_words
from sandbox.inspector import (
    AlarmView,
    BalanceView,
    CustomerView,
    DeliveryView,
    EffectView,
    EntryView,
    ExpiryView,
    GrantView,
    HoldView,
    Snapshot,
    SubscriptionView,
)
from storage.alarms import AlarmRow
from storage.database import Database
from storage.deliveries import DeliveryRow, DeliveryState
from storage.effects import EffectRow, EffectState
from storage.journal import JournalPage

MOST_CUSTOMERS: Final = 50
MOST_ENTRIES: Final = 200
MOST_DELIVERIES: Final = 40
MOST_EFFECTS: Final = 30
MOST_WAITING: Final = 500
BY_TIME: Final = frozenset({EntryKind.EXPIRE, EntryKind.RELEASE})
"""What may happen by the passing of time, and is booked later."""


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
        reads = self._database.reads
        found = await reads.by_github_account(GitHubAccountId(github_account_id))
        book = None if found is None else await reads.book(found.account.id)
        if found is None or book is None:
            return None
        page = await reads.latest_entries(book.account.id, limit=MOST_ENTRIES)
        booked = replace(found, account=book.account, grants=book.grants, holds=book.holds)
        return self._view(booked, page)

    def _view(self, booked: CustomerState, page: JournalPage) -> CustomerView:
        """Return a customer as the console shows it, with what is due but not booked."""
        now = self._clock.now()
        state = settled(booked, now)
        plan = effective_plan(state, self._plans)
        living = [each for each in state.subscriptions if each.plan == plan.id and is_living(each)]
        grants = {grant.number: grant for grant in state.grants}
        lasting = (grant for grant in state.grants if grant.remaining or grant.held)
        open_holds = (hold for hold in state.holds if hold.state is HoldState.OPEN)
        return CustomerView(
            id=str(state.customer.id),
            plan=plan.name,
            plan_state=living[0].state.value if living else "none",
            available=state.account.posted - state.account.held,
            held=state.account.held,
            debt=state.account.debt,
            shows_figures=state.customer.shows_figures,
            expired=tuple(
                ExpiryView(amount=-_change(entry), at=entry.occurred_at) for entry in due_entries(booked, now)
            ),
            subscriptions=tuple(_subscription_view(each, self._plans) for each in state.subscriptions),
            grants=tuple(_grant_view(grant) for grant in sorted(lasting, key=burn_rank)),
            holds=tuple(_hold_view(hold) for hold in sorted(open_holds, key=lambda hold: (hold.expires_at, hold.id))),
            entries=tuple(
                _entry_view(entry, entry_in_words(entry, grants, page.notes.get(entry.seq)))
                for entry in reversed(page.entries)
            ),
            reasons=tuple(reason_in_words(reason) for reason in reasons_why_not_more(state, now)),
        )

    async def is_at_rest(self) -> bool:
        """Whether everything that is due by now was handled and sent."""
        now = self._clock.now()
        deliveries = await self._database.inbox.list(state=DeliveryState.RECEIVED, limit=MOST_WAITING)
        effects = await self._database.outbox.list(state=EffectState.PENDING, limit=MOST_WAITING)
        return min([*(row.run_at for row in deliveries), *(row.run_at for row in effects)], default=NEVER) > now

    def _balance(self, state: CustomerState) -> BalanceView:
        """Return a customer as the list of accounts shows it."""
        return BalanceView(
            github_account_id=state.customer.github_account_id,
            plan=effective_plan(state, self._plans).name,
            available=available(state, self._clock.now()).count,
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
    """Return an entry of the ledger as the console shows it: by what it did to the credits that can be spent."""
    return EntryView(
        sequence=entry.seq,
        kind=entry.kind.value,
        amount=_change(entry),
        balance_after=entry.balance_after - entry.held_after,
        description=description,
        booked_at=entry.recorded_at,
        # An expiry, or a time-out, is booked before the next entry, whenever that comes.
        happened_at=entry.occurred_at if entry.actor == CLOCK and entry.kind in BY_TIME else entry.recorded_at,
    )


def _change(entry: Entry) -> int:
    """Return by how much an entry changed what can be spent: what it made available, less what it took."""
    return sum(((move.credit == Place.GRANT) - (move.debit == Place.GRANT)) * move.amount for move in entry.moves)


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
        held=grant.held,
    )


def _hold_view(hold: Hold) -> HoldView:
    """Return a hold as the console shows it."""
    return HoldView(id=hold.id, credits=hold.units, until=hold.expires_at)
