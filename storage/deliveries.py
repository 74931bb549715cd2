"""Deliveries as values: as they come in, in a worker's hands, and as people look at them."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from billing.commands import Lease
from billing.values import DeliveryId, from_milliseconds
from storage.columns import optional_moment


class DeliveryState(enum.StrEnum):
    """Where a delivery stands. `RECEIVED` is the only one that a worker takes up."""

    RECEIVED = "received"
    DONE = "done"
    IGNORED = "ignored"
    REFUSED = "refused"
    DEAD = "dead"


class Recorded(enum.Enum):
    """What recording a delivery came to.

    `REQUEUED` is a repeat of a delivery that was dead, which is handled again.
    """

    NEW = "new"
    REPEAT = "repeat"
    REQUEUED = "requeued"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A verified delivery.

    Attributes:
        route: the address that it came to: `github` or `github_marketplace`.
        delivery_id: the sender's id of it, unique within the route.
        action: "" where the event has none.
        partition: whom it is about, such as `github:7`; deliveries of one partition aren't handled at the same time.
        body: its JSON text, compressed by zlib.
    """

    route: str
    delivery_id: str
    event: str
    action: str
    partition: str
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery in a worker's hands.

    Attributes:
        body: its JSON text, compressed by zlib.
        attempts: how often it was claimed, this time included.
        repeats: how often it was put off because the answers contradicted it.
        observation: the number under which the worker asks the source what holds now.
        lease: under which its end is accepted.
    """

    id: DeliveryId
    route: str
    delivery_id: str
    event: str
    action: str
    partition: str
    body: bytes
    received_at: datetime
    attempts: int
    repeats: int
    observation: int
    lease: Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery as people look at it.

    Attributes:
        run_at: when it is due, while it is received.
        finished_at: when it ended; None before.
        body: its JSON text, compressed by zlib; None in a list, and once the retention has dropped it.
    """

    id: DeliveryId
    route: str
    delivery_id: str
    event: str
    action: str
    partition: str
    state: DeliveryState
    attempts: int
    repeats: int
    received_at: datetime
    run_at: datetime
    finished_at: datetime | None
    error: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """When a route last got a ping, and its last delivery (to the minute); None if it never did."""

    at: datetime | None
    last_event_at: datetime | None


def to_delivery_row(row: Row[Any], body: bytes | None = None) -> DeliveryRow:
    """A delivery as people look at it."""
    return DeliveryRow(
        id=DeliveryId(row.id),
        route=row.route,
        delivery_id=row.delivery_id,
        event=row.event,
        action=row.action,
        partition=row.partition,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        repeats=row.repeats,
        received_at=from_milliseconds(row.received_at),
        run_at=from_milliseconds(row.run_at),
        finished_at=optional_moment(row.finished_at),
        error=row.error,
        body=body,
    )
