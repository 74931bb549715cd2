"""Partitions: deliveries of one account are handled by one worker at a time, under a lease.

A partition's `due_at` is when a worker should next look at it: when its earliest delivery is due, or, while it is
leased, when the lease runs out. So the due ones are the first of one index, and a worker that died is taken over
without any sweeper. A lease isn't ended by its time but by its number: who claims next draws a higher one, and a commit
under a lower one is refused (docs/decisions/0005-partitions-are-exclusive.md).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.commands import Lease
from billing.values import NEVER, to_milliseconds
from storage.statements import listed, padded_batches, register
from storage.tables import RECEIVED, billing_events, partitions
from storage.transactions import Transaction

NEVER_MS: Final = to_milliseconds(NEVER)

_upsert = insert(partitions)
WAKE = register(
    "partitions.wake",
    _upsert.on_conflict_do_update(
        index_elements=[partitions.c.key],
        set_={
            "due_at": case(
                # Whoever holds it looks again when giving it back.
                (partitions.c.lease_until > bindparam("now"), partitions.c.due_at),
                (_upsert.excluded.due_at < partitions.c.due_at, _upsert.excluded.due_at),
                else_=partitions.c.due_at,
            )
        },
    ),
)

_due = (
    select(partitions.c.key)
    .where(partitions.c.due_at <= bindparam("now"))
    .order_by(partitions.c.due_at, partitions.c.key)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
CLAIM = register(
    "partitions.claim",
    update(partitions)
    .where(partitions.c.key.in_(select(_due.c.key)))
    .values(
        lease_number=partitions.c.lease_number + 1,
        lease_until=bindparam("until"),
        due_at=bindparam("until"),
    )
    .returning(partitions.c.key, partitions.c.lease_number),
)

LOCK = register(
    "partitions.lock",
    select(partitions.c.key, partitions.c.lease_number)
    .where(partitions.c.key.in_(listed("keys")))
    .order_by(partitions.c.key)
    .with_for_update(),
)

RENEW = register(
    "partitions.renew",
    update(partitions)
    .where(partitions.c.key == bindparam("partition"), partitions.c.lease_number == bindparam("number"))
    .values(lease_until=bindparam("until"), due_at=bindparam("until")),
)

_next_run_at = (
    select(func.min(billing_events.c.run_at))
    .where(billing_events.c.state == RECEIVED, billing_events.c.partition == partitions.c.key)
    .scalar_subquery()
)
RELEASE = register(
    "partitions.release",
    update(partitions)
    .where(partitions.c.key == bindparam("partition"))
    .values(lease_until=0, due_at=func.coalesce(_next_run_at, NEVER_MS)),
)


def wake(transaction: Transaction, due: Mapping[str, int], now: int) -> None:
    """See to it that these partitions are looked at when something in them is due. Times in milliseconds."""
    if due:
        transaction.execute(WAKE, [{"key": key, "due_at": due[key], "now": now} for key in sorted(due)])
        transaction.announce_work()


def claim(transaction: Transaction, count: int, *, now: int, until: int) -> list[Lease]:
    """Take up to so many due partitions, those due longest first. Times in milliseconds."""
    rows = transaction.execute(CLAIM, {"count": count, "now": now, "until": until})
    return [Lease(partition=row.key, number=row.lease_number) for row in rows]


def lock_leases(transaction: Transaction, leases: Collection[Lease]) -> set[Lease]:
    """Lock the partitions for the rest of the transaction; those leases that still hold.

    The partitions are locked in the order of their keys, as everywhere, so that two transactions don't deadlock.
    """
    held: set[Lease] = set()
    for keys in padded_batches(sorted({lease.partition for lease in leases})):
        for row in transaction.execute(LOCK, {"keys": keys}):
            held.add(Lease(partition=row.key, number=row.lease_number))
    return held.intersection(leases)


def renew(transaction: Transaction, leases: Iterable[Lease], until: int) -> None:
    """Let these leases last until then, in milliseconds; those that were lost stay so."""
    rows = sorted((lease.partition, lease.number) for lease in leases)
    if rows:
        transaction.execute(RENEW, [{"partition": key, "number": number, "until": until} for key, number in rows])


def release(transaction: Transaction, leases: Collection[Lease]) -> None:
    """Give these partitions back, due when the earliest of their deliveries is; those that were lost stay as they are.

    They are locked by a statement of its own, so that the next one sees what was recorded until then.
    """
    held = lock_leases(transaction, leases)
    if held:
        transaction.execute(RELEASE, [{"partition": key} for key in sorted(lease.partition for lease in held)])
