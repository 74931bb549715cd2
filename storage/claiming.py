"""Claiming deliveries: due partitions under a lease, and of each the oldest deliveries that are due."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select, update

from billing.commands import Lease
from billing.values import DeliveryId, from_milliseconds
from storage import partitions
from storage.deliveries import ClaimedDelivery
from storage.numbers import draw
from storage.statements import BATCH, listed, padded_batches, register
from storage.tables import RECEIVED, billing_events
from storage.tables import partitions as partition_table
from storage.transactions import Transaction

CLAIM_BYTES: Final = 1024 * 1024
"""Beyond this much of compressed bodies no further delivery is claimed at once, so that memory stays bounded."""

_later = billing_events.alias("later")
# When the last delivery of the partition's share is due: so one with a long queue takes no more than that (but for
# those due in the same millisecond), and its queue isn't read to the end.
_last_of_share = (
    select(_later.c.run_at)
    .where(_later.c.partition == partition_table.c.key, _later.c.state == RECEIVED, _later.c.run_at <= bindparam("now"))
    .order_by(_later.c.run_at)
    .limit(1)
    .offset(bindparam("share") - 1)
    .scalar_subquery()
)
PICK = register(
    "claiming.pick",
    select(billing_events.c.id, billing_events.c.partition, func.length(billing_events.c.body).label("size"))
    .select_from(partition_table)
    .join(
        billing_events,
        (billing_events.c.partition == partition_table.c.key)
        & (billing_events.c.state == RECEIVED)
        & (billing_events.c.run_at <= func.coalesce(_last_of_share, bindparam("now"))),
    )
    .where(partition_table.c.key.in_(listed("keys")))
    .order_by(billing_events.c.run_at, billing_events.c.id)
    .limit(bindparam("limit")),
)
TAKE = register(
    "claiming.take",
    update(billing_events)
    .where(billing_events.c.id.in_(listed("ids")))
    .values(attempts=billing_events.c.attempts + 1)
    .returning(
        billing_events.c.id,
        billing_events.c.route,
        billing_events.c.delivery_id,
        billing_events.c.event,
        billing_events.c.action,
        billing_events.c.partition,
        billing_events.c.received_at,
        billing_events.c.run_at,
        billing_events.c.attempts,
        billing_events.c.repeats,
        billing_events.c.body,
    ),
)


def claim(
    transaction: Transaction, *, partition_count: int, delivery_count: int, now: int, lease: timedelta
) -> Sequence[ClaimedDelivery]:
    """Take up to so many partitions (at most 64) and due deliveries, the oldest first. Time in milliseconds."""
    until = now + lease // timedelta(milliseconds=1)
    leases = partitions.claim(transaction, min(partition_count, BATCH), now=now, until=until)
    if not leases:
        return []
    by_partition = {lease.partition: lease for lease in leases}
    picked = _pick(transaction, by_partition, min(delivery_count, BATCH), now)
    taken: list[Row[Any]] = []
    for ids in padded_batches(picked):
        taken += transaction.execute(TAKE, {"ids": ids})
    taken.sort(key=lambda row: (row.run_at, row.id))
    idle = set(by_partition) - {row.partition for row in taken}
    # Due for nothing, as after a crash between a commit and the release.
    partitions.release(transaction, [by_partition[key] for key in idle])
    observations = draw(transaction, "observations", len(taken))
    return [
        _to_claimed(row, by_partition[row.partition], observation)
        for row, observation in zip(taken, observations, strict=True)
    ]


def _pick(transaction: Transaction, by_partition: dict[str, Lease], limit: int, now: int) -> list[int]:
    share = max(1, limit // len(by_partition))
    picked: list[int] = []
    size = 0
    for keys in padded_batches(sorted(by_partition)):
        for row in transaction.execute(PICK, {"keys": keys, "now": now, "share": share, "limit": limit}):
            if picked and size + row.size > CLAIM_BYTES:
                break
            size += row.size
            picked.append(row.id)
    return picked


def _to_claimed(row: Row[Any], lease: Lease, observation: int) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=DeliveryId(row.id),
        route=row.route,
        delivery_id=row.delivery_id,
        event=row.event,
        action=row.action,
        partition=row.partition,
        body=row.body,
        received_at=from_milliseconds(row.received_at),
        attempts=row.attempts,
        repeats=row.repeats,
        observation=observation,
        lease=lease,
    )
