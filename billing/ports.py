"""What billing needs from the outside: a clock and a store. Implemented elsewhere (`bot`, `storage`, `sandbox`).

The store runs one synchronous function in one transaction. The function gets a `Unit`, through which it locks and
loads all the customers of a batch at once, and saves all that changed at once; the store commits when it returns and
rolls back when it raises. It may be run again after a rollback, so it must not touch anything but the unit.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from billing.commands import Cause, Lease
from billing.ledger.entries import Entry
from billing.records import Alarm, Loss, LowBalance, NoteRow, Recovery, Remembered, Reply, SignupSlot
from billing.state import Charge, CustomerState
from billing.values import AccountId, CustomerId, GitHubAccountId, HoldId, value

# The records are spoken across the port, so they can be had from here as well.
__all__ = [
    "Alarm",
    "Changes",
    "Charge",
    "Clock",
    "DeliveryEnd",
    "Locked",
    "Loss",
    "LowBalance",
    "NoteRow",
    "Recovery",
    "Remembered",
    "Reply",
    "SignupSlot",
    "Store",
    "Unit",
    "Wanted",
]

T = TypeVar("T")


class Clock(Protocol):
    """The time. A virtual one drives the sandbox and the tests."""

    def now(self) -> datetime:
        """The time in UTC, aware, exact to the millisecond."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when that much of this clock's time has gone by; a jump of a virtual clock counts."""
        ...


@value
class Locked:
    """Customers locked for this transaction, with all their state.

    Attributes:
        by_id, by_github: the states of those that exist and could be locked, under what they were asked for.
        entries: those that commands take back.
        busy: what was asked for but is locked by another transaction: leave it out, it waits for the next batch.
            What is neither here nor there doesn't exist.
    """

    by_id: Mapping[CustomerId, CustomerState]
    by_github: Mapping[GitHubAccountId, CustomerState]
    entries: Sequence[Entry] = ()
    busy: Collection[CustomerId | GitHubAccountId] = ()


@value
class Wanted:
    """What the commands of a batch need beside the open grants of their customers.

    Attributes:
        now: for accounts of which a hold may have timed out by then, those holds come as well, and the next one to.
        holds: those they name. With each hold come the grants that it lies on.
        grants: those they name, by customer; also closed ones.
        entries: those they take back, by customer and sequence number; the grants they moved come with them.
        used_at: for usage that is booked late, the earliest time it happened at: the grants that expired since come,
            and those of plans that could still be spent then.
    """

    now: datetime
    holds: Collection[HoldId] = ()
    grants: Collection[tuple[CustomerId, int]] = ()
    entries: Collection[tuple[CustomerId, int]] = ()
    used_at: Mapping[CustomerId, datetime] = field(default_factory=dict)


@value
class DeliveryEnd:
    """How a delivery ends in this transaction: `done`, `ignored`, `refused`; or `received` again, due at `run_at`."""

    cause: Cause
    state: str
    error: str = ""
    run_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Changes:
    """All that a batch of commands wants written. Built up command by command, saved at once."""

    states: list[tuple[CustomerState | None, CustomerState]] = field(default_factory=list)
    """Before and after, one pair a customer; no before for a new one."""
    entries: list[Entry] = field(default_factory=list)
    notes: list[NoteRow] = field(default_factory=list)
    refusals: list[Remembered] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    signup_slots: list[SignupSlot] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    low_balances: list[LowBalance] = field(default_factory=list)
    """Told of once this is committed."""
    replies: list[Reply] = field(default_factory=list)
    """To be sent once this is committed. A comment that has its reply already gets no second one."""
    deliveries: list[DeliveryEnd] = field(default_factory=list)


class Unit(Protocol):
    """One transaction, for a batch. Synchronous: it runs where the connection lives."""

    def lost_leases(self, leases: Collection[Lease]) -> Collection[Lease]:
        """Lock the partitions and return those leases that another worker has taken over."""
        ...

    def lock(
        self, customer_ids: Collection[CustomerId], github_ids: Collection[GitHubAccountId], wanted: Wanted
    ) -> Locked:
        """Lock these customers in id order and load their state, one query a table."""
        ...

    def is_billing_on(self) -> bool:
        """Whether the kill switch of the database lets us bill."""
        ...

    def new_ids(self, count: int) -> Sequence[int]:
        """Fresh ids, ascending, for customers, credit accounts and holds."""
        ...

    def remembered(self, keys: Collection[tuple[AccountId, str]]) -> Mapping[tuple[AccountId, str], Remembered]:
        """What was answered before for these idempotency keys."""
        ...

    def losses_since(self, since: datetime) -> int:
        """How many subscriptions were lost since then."""
        ...

    def living_subscriptions(self) -> int:
        """How many Marketplace subscriptions there are that haven't ended. Costs in proportion; ask it seldom."""
        ...

    def signup_slots(self, installer_ids: Collection[GitHubAccountId]) -> Sequence[SignupSlot]:
        """The taken places of these installers, old ones included."""
        ...

    def save(self, changes: Changes, now: datetime) -> None:
        """Write everything, by one executemany a table."""
        ...


class Store(Protocol):
    """Runs functions in transactions, several that wait together in one commit."""

    async def transact(self, work: Callable[[Unit], T]) -> T:
        """Run `work` in a transaction and return what it returned, after the commit.

        Raises:
            TemporaryFailureError: when the database is away.
        """
        ...
