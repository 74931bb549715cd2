"""Deliveries that failed: put off, or given up with an alarm. All that fail together are written together.

When GitHub is down every delivery fails. Were each written by itself, a transaction of many would lock their
partitions in any order, and deadlock with another process that records deliveries of the same accounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, update

from storage.dead_letters import deliveries_died
from storage.deliveries import ClaimedDelivery, DeliveryState
from storage.partitions import lock_leases
from storage.statements import register
from storage.tables import RECEIVED, billing_events
from storage.transactions import Transaction

_is_unfinished = (billing_events.c.id == bindparam("event_id")) & (billing_events.c.state == RECEIVED)
PUT_OFF = register(
    "unfinished.put_off",
    update(billing_events)
    .where(_is_unfinished)
    .values(
        run_at=bindparam("due_at"),
        error=bindparam("reason"),
        # Claiming counted it.
        attempts=billing_events.c.attempts - bindparam("uncounted"),
    ),
)
BURY = register(
    "unfinished.bury",
    update(billing_events)
    .where(_is_unfinished)
    .values(state=DeliveryState.DEAD, finished_at=bindparam("now"), error=bindparam("reason")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A delivery that failed, and why.

    Attributes:
        due_at: when it is due again, in milliseconds; 0 if it is given up.
        is_attempt: whether anything was tried at all.
    """

    delivery: ClaimedDelivery
    reason: str
    due_at: int = 0
    is_attempt: bool = True


def put_off(transaction: Transaction, failures: Sequence[Failure]) -> Sequence[bool]:
    """Let them be due again when they say; of each, whether its lease still held. A writer's step."""
    held = _with_lease(transaction, failures)
    if held:
        rows = [
            {
                "event_id": each.delivery.id,
                "due_at": each.due_at,
                "reason": each.reason,
                "uncounted": 0 if each.is_attempt else 1,
            }
            for each in held
        ]
        transaction.execute(PUT_OFF, rows)
    return [failure in held for failure in failures]


def bury(transaction: Transaction, failures: Sequence[Failure], now: int) -> Sequence[bool]:
    """Give them up and raise their alarms; of each, whether its lease still held. Time in milliseconds."""
    held = _with_lease(transaction, failures)
    if held:
        rows = [{"event_id": each.delivery.id, "now": now, "reason": each.reason} for each in held]
        transaction.execute(BURY, rows)
        deliveries_died(transaction, [(each.delivery.id, each.delivery.event) for each in held], now)
    return [failure in held for failure in failures]


def _with_lease(transaction: Transaction, failures: Sequence[Failure]) -> list[Failure]:
    leases = lock_leases(transaction, {failure.delivery.lease for failure in failures})
    return [failure for failure in failures if failure.delivery.lease in leases]
