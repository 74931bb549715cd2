"""Recording deliveries: all that wait in a few statements, and a repeat told from a new one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.values import to_milliseconds
from storage.dead_letters import recover_deliveries
from storage.deliveries import DeliveryState, NewDelivery, Recorded
from storage.effects import NewEffect, enqueue
from storage.partitions import wake
from storage.statements import listed, padded_batches, register
from storage.tables import RECEIVED, billing_events, pings
from storage.transactions import Transaction

NOTED_EACH_MS: Final = 60_000
"""How exactly a route's last delivery is known. Noting each would make its row the one that all processes wait for."""

RECORD = register(
    "recording.record",
    insert(billing_events)
    .on_conflict_do_nothing(index_elements=[billing_events.c.delivery_id, billing_events.c.route])
    .returning(billing_events.c.delivery_id, billing_events.c.route),
)
FIND_REPEATS = register(
    "recording.find_repeats",
    select(
        billing_events.c.id,
        billing_events.c.delivery_id,
        billing_events.c.route,
        billing_events.c.event,
        billing_events.c.state,
    ).where(billing_events.c.delivery_id.in_(listed("delivery_ids"))),
)
REQUEUE = register(
    "recording.requeue",
    update(billing_events)
    .where(billing_events.c.id == bindparam("event_id"), billing_events.c.state == DeliveryState.DEAD)
    .values(
        state=RECEIVED,
        attempts=0,
        repeats=0,
        run_at=bindparam("due_at"),
        finished_at=0,
        error="",
        body=bindparam("content"),
    ),
)
_ping = insert(pings)
NOTE_EVENT = register(
    "recording.note_event",
    _ping.on_conflict_do_update(index_elements=[pings.c.route], set_={"last_event_at": _ping.excluded.last_event_at}),
)

Key = tuple[str, str]
Item = tuple[NewDelivery | None, NewEffect | None]


class Recording:
    """Records deliveries, each with what is to be sent because of it. A writer's step."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._noted: dict[str, int] = {}

    def record(self, transaction: Transaction, items: Sequence[Item]) -> Sequence[Recorded]:
        """Record all of them; what each came to, in their order."""
        now = self._now()
        # Of two with the same id in one batch the first counts.
        by_key = {_key(delivery): delivery for delivery, _ in reversed(items) if delivery is not None}
        by_key = dict(reversed(by_key.items()))
        new = self._insert(transaction, by_key)
        requeued = self._requeue(transaction, {key: by_key[key] for key in by_key.keys() - new}, now)
        due = {by_key[key].partition: to_milliseconds(by_key[key].received_at) for key in new}
        wake(transaction, due | {by_key[key].partition: now for key in requeued}, now)
        sent = enqueue(transaction, [effect for _, effect in items if effect is not None], now)
        self._note_events(transaction, by_key.values(), now)
        return [_outcome(item, new, requeued, sent) for item in items]

    @staticmethod
    def _insert(transaction: Transaction, by_key: dict[Key, NewDelivery]) -> set[Key]:
        if not by_key:
            return set()
        rows = [
            {
                "source": delivery.partition.partition(":")[0],
                "route": delivery.route,
                "delivery_id": delivery.delivery_id,
                "event": delivery.event,
                "action": delivery.action,
                "partition": delivery.partition,
                "received_at": (received_at := to_milliseconds(delivery.received_at)),
                "run_at": received_at,
                "body": delivery.body,
            }
            for delivery in by_key.values()
        ]
        # One alone needn't be made one statement with others.
        recorded = transaction.execute(RECORD, rows if len(rows) > 1 else rows[0])
        return {(row.delivery_id, row.route) for row in recorded}

    @staticmethod
    def _requeue(transaction: Transaction, repeats: dict[Key, NewDelivery], now: int) -> set[Key]:
        """Queue those repeats anew that are dead; which they were."""
        if not repeats:
            return set()
        dead = []
        for delivery_ids in padded_batches(sorted({delivery_id for delivery_id, _ in repeats})):
            found = transaction.execute(FIND_REPEATS, {"delivery_ids": delivery_ids})
            dead += [
                row for row in found if row.state == DeliveryState.DEAD and (row.delivery_id, row.route) in repeats
            ]
        if not dead:
            return set()
        transaction.execute(
            REQUEUE,
            [{"event_id": row.id, "due_at": now, "content": repeats[row.delivery_id, row.route].body} for row in dead],
        )
        recover_deliveries(transaction, {row.event for row in dead}, now)
        return {(row.delivery_id, row.route) for row in dead}

    def _note_events(self, transaction: Transaction, deliveries: Iterable[NewDelivery], now: int) -> None:
        routes = {delivery.route for delivery in deliveries}
        unknown = sorted(route for route in routes if now - self._noted.get(route, 0) >= NOTED_EACH_MS)
        if unknown:
            transaction.execute(NOTE_EVENT, [{"route": route, "last_event_at": now} for route in unknown])
            transaction.after_commit(lambda: self._noted.update(dict.fromkeys(unknown, now)))


def _key(delivery: NewDelivery) -> Key:
    return delivery.delivery_id, delivery.route


def _outcome(item: Item, new: set[Key], requeued: set[Key], sent: set[str]) -> Recorded:
    delivery, effect = item
    if delivery is None:
        return Recorded.NEW if effect is not None and effect.dedupe_key in sent else Recorded.REPEAT
    key = _key(delivery)
    for keys, outcome in ((new, Recorded.NEW), (requeued, Recorded.REQUEUED)):
        if key in keys:
            # A second one in the same batch repeats the first.
            keys.discard(key)
            return outcome
    return Recorded.REPEAT
