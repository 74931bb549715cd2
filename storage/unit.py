"""The unit of work: what `billing.ports.Unit` promises, over one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, func, literal_column, select

from billing.commands import Lease
from billing.errors import LeaseLostError
from billing.ports import Changes, Locked, Remembered, SignupSlot, Unit, Wanted
from billing.state import CustomerState
from billing.values import (
    AccountId,
    CustomerId,
    GitHubAccountId,
    from_milliseconds,
    to_milliseconds,
)
from storage.flags import Flag, is_on
from storage.loading import load
from storage.looking_up import rows_of
from storage.mapping import key_hash, remembered_entry, remembered_refusal
from storage.numbers import draw
from storage.partitions import lock_leases
from storage.saving import SlotKey, save
from storage.statements import listed, padded_batches, register
from storage.tables import (
    ENDED,
    credit_transactions,
    customers,
    refusals,
    signup_slots,
    subscription_losses,
    subscriptions,
)
from storage.transactions import Transaction
from storage.writer import Writer

T = TypeVar("T")

FIND_BY_GITHUB = register(
    "unit.find_by_github",
    select(customers.c.id, customers.c.github_account_id).where(customers.c.github_account_id.in_(listed("ids"))),
)
FIND = register("unit.find", select(customers.c.id).where(customers.c.id.in_(listed("ids"))))
LOCK = register(
    "unit.lock",
    select(customers)
    .where(customers.c.id.in_(listed("ids")))
    .order_by(customers.c.id)
    .with_for_update(skip_locked=True),
)
REMEMBERED_ENTRIES = register(
    "unit.remembered_entries",
    select(
        credit_transactions.c.account_id,
        credit_transactions.c.seq,
        credit_transactions.c.idempotency_key,
        credit_transactions.c.request_hash,
        credit_transactions.c.recorded_at,
    ).where(credit_transactions.c.key_hash.in_(listed("hashes"))),
)
REMEMBERED_REFUSALS = register(
    "unit.remembered_refusals", select(refusals).where(refusals.c.key_hash.in_(listed("hashes")))
)
LOSSES_SINCE = register(
    "unit.losses_since",
    select(func.count()).select_from(subscription_losses).where(subscription_losses.c.at >= bindparam("since")),
)
LIVING = register(
    "unit.living_subscriptions",
    select(func.count())
    .select_from(subscriptions)
    .where(subscriptions.c.state != ENDED, subscriptions.c.provider == literal_column("'github_marketplace'")),
)
SLOTS = register(
    "unit.signup_slots",
    select(signup_slots)
    .where(signup_slots.c.installer_id.in_(listed("ids")))
    .order_by(signup_slots.c.installer_id, signup_slots.c.slot)
    .with_for_update(),
)


class SqlUnit:
    """One transaction, for a batch of commands."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._held: set[Lease] = set()
        self._taken_slots: set[SlotKey] = set()

    def lost_leases(self, leases: Collection[Lease]) -> Collection[Lease]:
        """Lock the partitions in the order of their keys and return those leases that another worker has taken over."""
        held = lock_leases(self._transaction, leases)
        self._held |= held
        return set(leases) - held

    def lock(
        self, customer_ids: Collection[CustomerId], github_ids: Collection[GitHubAccountId], wanted: Wanted
    ) -> Locked:
        """Lock these customers in the order of their ids and load their state, one query a table."""
        by_github = {
            GitHubAccountId(row.github_account_id): CustomerId(row.id)
            for row in rows_of(self._transaction, FIND_BY_GITHUB, sorted(set(github_ids)))
        }
        rows = rows_of(self._transaction, LOCK, sorted(set(customer_ids).union(by_github.values())))
        loaded = load(self._transaction, rows, wanted)
        locked: dict[CustomerId, CustomerState] = {state.customer.id: state for state in loaded.states}
        missing = [customer_id for customer_id in set(customer_ids) if customer_id not in locked]
        busy: set[CustomerId | GitHubAccountId] = {
            CustomerId(row.id) for row in rows_of(self._transaction, FIND, sorted(missing))
        }
        busy |= {github_id for github_id, customer_id in by_github.items() if customer_id not in locked}
        return Locked(
            by_id={customer_id: locked[customer_id] for customer_id in customer_ids if customer_id in locked},
            by_github={
                github_id: locked[customer_id] for github_id, customer_id in by_github.items() if customer_id in locked
            },
            entries=loaded.entries,
            busy=busy,
        )

    def is_billing_on(self) -> bool:
        """Whether the kill switch of the database lets us bill."""
        return is_on(self._transaction, Flag.BILLING_ENABLED)

    def new_ids(self, count: int) -> Sequence[int]:
        """Fresh ids, ascending, for customers, credit accounts and holds."""
        return draw(self._transaction, "ids", count)

    def remembered(self, keys: Collection[tuple[AccountId, str]]) -> Mapping[tuple[AccountId, str], Remembered]:
        """What was answered before for these idempotency keys."""
        answers: list[Remembered] = []
        for hashes in padded_batches(sorted({key_hash(account_id, key) for account_id, key in keys})):
            entries = self._transaction.execute(REMEMBERED_ENTRIES, {"hashes": hashes})
            answers += [remembered_entry(row) for row in entries]
            refused = self._transaction.execute(REMEMBERED_REFUSALS, {"hashes": hashes})
            answers += [remembered_refusal(row) for row in refused]
        return {(answer.account_id, answer.key): answer for answer in answers}

    def losses_since(self, since: datetime) -> int:
        """How many subscriptions were lost since then."""
        count: int = self._transaction.execute(LOSSES_SINCE, {"since": to_milliseconds(since)}).scalar_one()
        return count

    def living_subscriptions(self) -> int:
        """How many Marketplace subscriptions there are that haven't ended. Costs in proportion; ask it seldom."""
        count: int = self._transaction.execute(LIVING).scalar_one()
        return count

    def signup_slots(self, installer_ids: Collection[GitHubAccountId]) -> Sequence[SignupSlot]:
        """The taken places of these installers, old ones included. They are locked."""
        slots = [
            SignupSlot(
                installer_id=GitHubAccountId(row.installer_id),
                slot=row.slot,
                customer_id=CustomerId(row.customer_id),
                taken_at=from_milliseconds(row.taken_at),
            )
            for row in rows_of(self._transaction, SLOTS, sorted(set(installer_ids)))
        ]
        self._taken_slots.update((slot.installer_id, slot.slot) for slot in slots)
        return slots

    def save(self, changes: Changes, now: datetime) -> None:
        """Write everything, by one executemany a table.

        Raises:
            LeaseLostError: Another worker has a partition whose delivery was to end here. Nothing is written.
        """
        leases = {end.cause.lease for end in changes.deliveries}
        unseen = leases - self._held
        lost = self.lost_leases(unseen) if unseen else ()
        for lease in lost:
            raise LeaseLostError(lease.partition)
        save(self._transaction, changes, self._taken_slots, to_milliseconds(now))


class SqlStore:
    """Runs functions in transactions, several that wait together in one commit. Implements `billing.ports.Store`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def transact(self, work: Callable[[Unit], T]) -> T:
        """Run `work` in a transaction and return what it returned, after the commit. It runs in another thread.

        Raises:
            TemporaryFailureError: when the database is away.
        """
        return await self._writer.run_apart(lambda transaction: work(SqlUnit(transaction)))
