"""A store in memory: a real implementation of `billing.ports.Store`, for tests that need no database.

It keeps the promises that the database keeps: all or nothing, one transaction at a time, keys and numbers that are
unique, a journal that is only appended to. The storage's contract suite runs over it too.
"""

import asyncio
import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from billing.commands import Lease, Note
from billing.ledger.entries import Entry
from billing.ports import Changes, DeliveryEnd, Locked, Unit, Wanted
from billing.records import Alarm, Loss, LowBalance, Remembered, Reply, SignupSlot
from billing.standing import is_living
from billing.state import Charge, CustomerState, Grant, Hold
from billing.values import (
    EPOCH,
    AccountId,
    CommentId,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    HoldId,
    Reaction,
    RepositoryId,
)
from tests.billing.loading import brought, entries_for

T = TypeVar("T")


class ConstraintViolatedError(Exception):
    """What was to be saved contradicts what is there; a database would refuse it by a constraint."""


@dataclass
class Tables:
    """Everything that is kept. The values are immutable, so that copying the dictionaries copies all."""

    states: dict[CustomerId, CustomerState] = field(default_factory=dict)
    """Each customer without grants and holds."""
    grants: dict[tuple[AccountId, int], Grant] = field(default_factory=dict)
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    charges: dict[tuple[HoldId, int], Charge] = field(default_factory=dict)
    low_balances: list[LowBalance] = field(default_factory=list)
    entries: dict[tuple[AccountId, int], Entry] = field(default_factory=dict)
    remembered: dict[tuple[AccountId, str], Remembered] = field(default_factory=dict)
    notes: dict[tuple[AccountId, int], Note] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    signup_slots: dict[tuple[GitHubAccountId, int], SignupSlot] = field(default_factory=dict)
    open_alarms: dict[tuple[str, str], Alarm] = field(default_factory=dict)
    replies: dict[tuple[RepositoryId, CommentId, Reaction], Reply] = field(default_factory=dict)
    deliveries: dict[DeliveryId, DeliveryEnd] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    last_id: int = 0
    is_billing_on: bool = True

    def copy(self) -> "Tables":
        """Another one with the same content."""
        return Tables(**{name: copy.copy(value) for name, value in vars(self).items()})


class MemoryStore:
    """The store. Transactions run one after another.

    Attributes:
        tables: what was committed.
        transactions: how many transactions were committed.
    """

    def __init__(self) -> None:
        self.tables = Tables()
        self.transactions = 0
        self._locked_elsewhere: set[CustomerId] = set()
        self._turn = asyncio.Lock()

    async def transact(self, work: Callable[[Unit], T]) -> T:
        """Run `work` on a copy of the tables, and keep the copy if it returns."""
        async with self._turn:
            # Others get to wait here, as they do while a database syncs its disk.
            await asyncio.sleep(0)
            unit = MemoryUnit(self.tables.copy(), self._locked_elsewhere)
            result = work(unit)
            self.tables = unit.tables
            self.transactions += 1
            return result

    def claim(self, partition: str) -> Lease:
        """Take over a partition, as a worker does; whoever had it has lost it."""
        self.tables.leases[partition] = self.tables.leases.get(partition, 0) + 1
        return Lease(partition=partition, number=self.tables.leases[partition])

    @contextmanager
    def locked_elsewhere(self, customer_id: CustomerId) -> Iterator[None]:
        """Have another process hold this customer's lock for a while."""
        self._locked_elsewhere.add(customer_id)
        yield
        self._locked_elsewhere.remove(customer_id)

    def state(self, customer_id: CustomerId) -> CustomerState:
        """The customer with the open grants."""
        return MemoryUnit(self.tables, ()).loaded(customer_id, Wanted(now=EPOCH))

    def entries(self, account_id: AccountId) -> list[Entry]:
        """The account's journal."""
        return [entry for (owner, _), entry in sorted(self.tables.entries.items()) if owner == account_id]

    def grants(self, account_id: AccountId) -> list[Grant]:
        """All grants that the account ever had."""
        return [grant for (owner, _), grant in sorted(self.tables.grants.items()) if owner == account_id]

    def holds(self, account_id: AccountId) -> list[Hold]:
        """All holds that the account ever had."""
        return [hold for hold in self.tables.holds.values() if hold.account_id == account_id]

    def charges(self, account_id: AccountId) -> list[Charge]:
        """All charges of the account."""
        return [charge for charge in self.tables.charges.values() if charge.account_id == account_id]

    def notes(self, account_id: AccountId) -> dict[int, Note]:
        """The account's notes by sequence number."""
        return {seq: note for (owner, seq), note in self.tables.notes.items() if owner == account_id}


class MemoryUnit:
    """One transaction on tables of its own."""

    def __init__(self, tables: Tables, locked_elsewhere: Collection[CustomerId]) -> None:
        self.tables = tables
        self._locked_elsewhere = locked_elsewhere

    def lost_leases(self, leases: Collection[Lease]) -> Collection[Lease]:
        """Those leases that were given to another worker since."""
        return {lease for lease in leases if self.tables.leases.get(lease.partition) != lease.number}

    def lock(
        self, customer_ids: Collection[CustomerId], github_ids: Collection[GitHubAccountId], wanted: Wanted
    ) -> Locked:
        """The states of these customers."""
        by_id: dict[CustomerId, CustomerState] = {}
        by_github: dict[GitHubAccountId, CustomerState] = {}
        busy: set[CustomerId | GitHubAccountId] = set()
        entries: list[Entry] = []
        for customer_id, closed in self.tables.states.items():
            github_id = closed.customer.github_account_id
            if customer_id in self._locked_elsewhere:
                busy |= {customer_id} & set(customer_ids) | {github_id} & set(github_ids)
                continue
            state = self.loaded(customer_id, wanted)
            entries += self._entries_for(state, wanted)
            if customer_id in customer_ids:
                by_id[customer_id] = state
            if github_id in github_ids:
                by_github[github_id] = state
        return Locked(by_id=by_id, by_github=by_github, entries=entries, busy=busy)

    def loaded(self, customer_id: CustomerId, wanted: Wanted) -> CustomerState:
        """The customer with the open grants, and what is wanted beside them."""
        state = self.tables.states[customer_id]
        mine = [grant for (owner, _), grant in self.tables.grants.items() if owner == state.account.id]
        return brought(state, mine, self.tables.holds.values(), wanted, self._entries_for(state, wanted))

    def is_billing_on(self) -> bool:
        """The flag."""
        return self.tables.is_billing_on

    def _entries_for(self, state: CustomerState, wanted: Wanted) -> Sequence[Entry]:
        """The entries that commands about this customer take back."""
        journal = [entry for (owner, _), entry in self.tables.entries.items() if owner == state.account.id]
        return entries_for(wanted, journal, state.customer.id)

    def new_ids(self, count: int) -> Sequence[int]:
        """The next ids."""
        first = self.tables.last_id + 1
        self.tables.last_id += count
        return range(first, first + count)

    def remembered(self, keys: Collection[tuple[AccountId, str]]) -> Mapping[tuple[AccountId, str], Remembered]:
        """The answers given for these keys."""
        return {key: self.tables.remembered[key] for key in keys if key in self.tables.remembered}

    def losses_since(self, since: datetime) -> int:
        """How many losses there were."""
        return sum(loss.at >= since for loss in self.tables.losses)

    def living_subscriptions(self) -> int:
        """How many subscriptions live."""
        return sum(is_living(each) for state in self.tables.states.values() for each in state.subscriptions)

    def signup_slots(self, installer_ids: Collection[GitHubAccountId]) -> Sequence[SignupSlot]:
        """The places of these installers."""
        return [slot for slot in self.tables.signup_slots.values() if slot.installer_id in installer_ids]

    def save(self, changes: Changes, now: datetime) -> None:
        """Write everything; what contradicts the tables raises, and the store forgets the transaction."""
        for before, after in changes.states:
            self._save_state(before, after)
        for entry in changes.entries:
            self._append(entry)
        for refusal in changes.refusals:
            self._remember(refusal)
        for row in changes.notes:
            self.tables.notes[row.account_id, row.seq] = row.note
        for charge in changes.charges:
            _require((charge.hold_id, charge.number) not in self.tables.charges, "the unit was charged before")
            self.tables.charges[charge.hold_id, charge.number] = charge
        self.tables.low_balances += changes.low_balances
        self.tables.losses += changes.losses
        for slot in changes.signup_slots:
            self.tables.signup_slots[slot.installer_id, slot.slot] = slot
        for alarm in changes.alarms:
            self.tables.open_alarms[alarm.kind, alarm.subject] = alarm
        for recovery in changes.recoveries:
            self.tables.open_alarms.pop((recovery.kind, recovery.subject), None)
        for reply in changes.replies:
            question = reply.question
            self.tables.replies.setdefault((question.repository_id, question.comment_id, reply.reaction), reply)
        for end in changes.deliveries:
            _require(end.run_at is None or end.run_at >= now, "a delivery is due in the past")
            self.tables.deliveries[end.cause.delivery_id] = end

    def _save_state(self, before: CustomerState | None, after: CustomerState) -> None:
        """Write a customer and the grants."""
        stored = self.tables.states.get(after.customer.id)
        _require((before is None) == (stored is None), "the customer isn't new, or doesn't exist")
        if stored is not None and before is not None:
            _require(stored.account.version == before.account.version, "the account was changed meanwhile")
        owners = {state.customer.github_account_id: state.customer.id for state in self.tables.states.values()}
        owner = owners.get(after.customer.github_account_id, after.customer.id)
        _require(owner == after.customer.id, "the GitHub account has another customer")
        _require(0 <= after.account.held <= after.account.posted, "the balance is below zero")
        _require(after.account.debt >= 0, "the debt is below zero")
        self.tables.states[after.customer.id] = replace(after, grants=(), holds=())
        for grant in after.grants:
            places = (grant.remaining, grant.held, grant.spent, grant.expired, grant.revoked)
            _require(min(places) >= 0, "a grant is overdrawn")
            _require(sum(places) == grant.amount > 0, "a grant doesn't add up")
            _require(0 <= grant.taken <= grant.revoked, "more was taken than revoked")
            _require(
                0 <= grant.owed <= grant.amount >= grant.reversed >= 0, "more is to be given back than was granted"
            )
            self.tables.grants[after.account.id, grant.number] = grant
        for hold in after.holds:
            _require(0 <= hold.captured <= hold.units, "more is captured than held")
            self.tables.holds[hold.id] = hold

    def _append(self, entry: Entry) -> None:
        """Append an entry to the journal."""
        place = (entry.account_id, entry.seq)
        _require(place not in self.tables.entries, "the sequence number is taken")
        before = self.tables.entries.get((entry.account_id, entry.seq - 1))
        _require(entry.seq == 1 or before is not None, "an entry is missing")
        _require(before is None or before.hash == entry.previous_hash, "the chain forks")
        self.tables.entries[place] = entry
        self._remember(
            Remembered(
                account_id=entry.account_id,
                key=entry.key,
                request_hash=entry.request_hash,
                seq=entry.seq,
                refusal="",
                recorded_at=entry.recorded_at,
            )
        )

    def _remember(self, remembered: Remembered) -> None:
        name = (remembered.account_id, remembered.key)
        _require(name not in self.tables.remembered, "the key was used before")
        self.tables.remembered[name] = remembered


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001 -- reads as a sentence
    if not holds:
        raise ConstraintViolatedError(problem)
