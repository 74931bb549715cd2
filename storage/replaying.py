"""Handling deliveries again, and how long their bodies are kept for that."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, bindparam, literal_column, select, update

from storage.dead_letters import recover_deliveries
from storage.deliveries import DeliveryState
from storage.partitions import wake
from storage.statements import BATCH, listed, padded_batches, register
from storage.tables import KEPT_BODY, RECEIVED, billing_events, subscriptions
from storage.transactions import Transaction

REPLAY = register(
    "replaying.replay",
    update(billing_events)
    .where(billing_events.c.id.in_(listed("ids")), billing_events.c.body.is_not(None))
    .values(state=RECEIVED, attempts=0, repeats=0, run_at=bindparam("due_at"), finished_at=0, error="")
    .returning(billing_events.c.id, billing_events.c.partition, billing_events.c.event),
)

_is_unmapped = subscriptions.c.unmapped_plan_id != literal_column("0")
FIND_UNMAPPED = register(
    "replaying.find_unmapped",
    select(subscriptions.c.last_delivery_id).where(
        _is_unmapped, subscriptions.c.unmapped_plan_id.in_(listed("plan_ids"))
    ),
)

FIND_OLD_BODIES = register(
    "replaying.find_old_bodies",
    select(billing_events.c.id)
    .where(
        KEPT_BODY,
        billing_events.c.finished_at < bindparam("before"),
        # What is dead or waits for its plan to be mapped has still to be handled.
        billing_events.c.state != DeliveryState.DEAD,
        billing_events.c.id.not_in(select(subscriptions.c.last_delivery_id).where(_is_unmapped)),
    )
    .order_by(billing_events.c.finished_at)
    .limit(BATCH),
)
DROP_BODIES = register(
    "replaying.drop_bodies",
    # Somebody may have had it replayed meanwhile.
    update(billing_events)
    .where(billing_events.c.id.in_(listed("ids")), billing_events.c.finished_at > 0)
    .values(body=None),
)


def replay(transaction: Transaction, ids: Collection[int], now: int) -> list[int]:
    """Queue these deliveries anew, due at once; those of them that exist and still have their body. In milliseconds."""
    rows: list[Row[Any]] = []
    for batch in padded_batches(sorted(set(ids))):
        rows += transaction.execute(REPLAY, {"ids": batch, "due_at": now}).all()
    wake(transaction, {row.partition: now for row in rows}, now)
    recover_deliveries(transaction, {row.event for row in rows}, now)
    return sorted(row.id for row in rows)


def replay_unmapped(transaction: Transaction, mapped_plan_ids: Collection[int], now: int) -> int:
    """Queue the last deliveries of subscriptions whose unknown plan is one of these; how many. In milliseconds."""
    ids: set[int] = set()
    for batch in padded_batches(sorted(set(mapped_plan_ids))):
        ids.update(transaction.execute(FIND_UNMAPPED, {"plan_ids": batch}).scalars())
    return len(replay(transaction, ids, now))


def drop_bodies(transaction: Transaction, before: int) -> int:
    """Drop some bodies of deliveries that ended before then; how many. Time in milliseconds."""
    ids = transaction.execute(FIND_OLD_BODIES, {"before": before}).scalars()
    for batch in padded_batches(ids):
        transaction.execute(DROP_BODIES, {"ids": batch})
    return len(ids)
