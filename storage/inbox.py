"""The inbox: deliveries recorded first, then claimed, handled, and ended or put off."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from billing.commands import Lease
from billing.errors import LeaseLostError
from billing.ports import Clock
from billing.values import from_milliseconds, to_milliseconds
from storage import partitions
from storage.claiming import claim
from storage.columns import optional_moment
from storage.deliveries import (
    ClaimedDelivery,
    DeliveryRow,
    DeliveryState,
    NewDelivery,
    Ping,
    Recorded,
    to_delivery_row,
)
from storage.effects import NewEffect
from storage.reader import Reader
from storage.recording import Recording
from storage.replaying import drop_bodies, replay, replay_unmapped
from storage.statements import register
from storage.tables import RECEIVED, billing_events, pings
from storage.tables import partitions as partition_table
from storage.transactions import Transaction
from storage.unfinished import Failure, bury, put_off
from storage.writer import Writer

ANY_ID: Final = sys.maxsize
"""Above every id."""

LOOKED_AT: Final = 10_000
"""How many deliveries are looked at to list those of one route."""

NEXT_DUE = register(
    "inbox.next_due",
    select(partition_table.c.due_at)
    .where(partition_table.c.due_at < partitions.NEVER_MS)
    .order_by(partition_table.c.due_at)
    .limit(1),
)
OLDEST_DUE = register(
    "inbox.oldest_due",
    select(billing_events.c.run_at)
    .where(billing_events.c.state == RECEIVED, billing_events.c.run_at <= bindparam("now"))
    .order_by(billing_events.c.id)
    .limit(1),
)

_newest = (
    select(*(column for column in billing_events.c if column is not billing_events.c.body))
    .where(billing_events.c.id < bindparam("before"))
    .order_by(billing_events.c.id.desc())
    .limit(bindparam("looked_at"))
)


def _of_route(newest: Select[Any]) -> Select[Any]:
    """Those of one route, or of all for an empty one. No index knows the routes, so only so many rows are looked at."""
    looked_at = newest.subquery("looked_at")
    route = bindparam("wanted_route", type_=Text)
    return (
        select(looked_at)
        .where((looked_at.c.route == route) | (route == ""))
        .order_by(looked_at.c.id.desc())
        .limit(bindparam("limit"))
    )


LIST = register("inbox.list", _of_route(_newest))
LIST_RECEIVED = register("inbox.list_received", _of_route(_newest.where(billing_events.c.state == RECEIVED)))
LIST_FINISHED = register(
    "inbox.list_finished",
    _of_route(_newest.where(billing_events.c.state != RECEIVED, billing_events.c.state == bindparam("wanted_state"))),
)
SHOW = register("inbox.show", select(billing_events).where(billing_events.c.id == bindparam("event_id")))

_ping = insert(pings)
NOTE_PING = register(
    "inbox.note_ping",
    _ping.on_conflict_do_update(index_elements=[pings.c.route], set_={"at": _ping.excluded.at}),
)
PINGS = register("inbox.pings", select(pings))


class Inbox:
    """The deliveries, for the edge, the workers and people."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._recording = Recording(self._now)

    async def record(self, delivery: NewDelivery | None, forward: NewEffect | None = None) -> Recorded:
        """Make a delivery durable, and what is to be sent because of it, in one commit with others that wait.

        Without a delivery only the effect is written, and `REPEAT` tells that it was there already.
        """
        size = (len(delivery.body) if delivery else 0) + (len(forward.payload) if forward else 0)
        return await self._writer.run_together(self._recording.record, (delivery, forward), size_bytes=size)

    async def claim(
        self, *, partitions: int, deliveries: int, lease_seconds: float, giving_back: Sequence[Lease] = ()
    ) -> Sequence[ClaimedDelivery]:
        """Take due deliveries, the oldest first, and their partitions under a lease; at most 64 of either.

        Each is counted as an attempt and gets the number of an observation in the same transaction. So are given back
        the partitions that the worker has finished with, since that would cost a commit of its own.
        """

        def work(transaction: Transaction) -> Sequence[ClaimedDelivery]:
            if giving_back:
                _release(transaction, [giving_back])
            return claim(
                transaction,
                partition_count=partitions,
                delivery_count=deliveries,
                now=self._now(),
                lease=timedelta(seconds=lease_seconds),
            )

        return await self._writer.run_apart(work)

    async def renew(self, leases: Sequence[Lease], lease_seconds: float) -> None:
        """Let these leases last so long from now; those that were lost stay so."""
        until = timedelta(seconds=lease_seconds) // timedelta(milliseconds=1)
        await self._writer.run_apart(lambda transaction: partitions.renew(transaction, leases, self._now() + until))

    async def release(self, leases: Sequence[Lease]) -> None:
        """Give partitions back, so that what is due in them can be claimed."""
        await self._writer.run_together(_release, leases)

    async def retry(self, delivery: ClaimedDelivery, *, run_at: datetime, error: str) -> None:
        """Put a delivery off after a failure.

        Raises:
            LeaseLostError: Another worker has it.
        """
        failure = Failure(delivery=delivery, reason=error, due_at=to_milliseconds(run_at))
        if not await self._writer.run_together(put_off, failure):
            raise LeaseLostError(delivery.partition)

    async def defer(self, delivery: ClaimedDelivery, *, run_at: datetime, reason: str) -> None:
        """Put a delivery off because nothing could be tried yet. That is no attempt.

        Raises:
            LeaseLostError: Another worker has it.
        """
        turn = Failure(delivery=delivery, reason=reason, due_at=to_milliseconds(run_at), is_attempt=False)
        if not await self._writer.run_together(put_off, turn):
            raise LeaseLostError(delivery.partition)

    async def bury(self, delivery: ClaimedDelivery, *, error: str) -> None:
        """Give a delivery up, and raise the alarm, in one commit.

        Raises:
            LeaseLostError: Another worker has it.
        """
        if not await self._writer.run_together(self._bury, Failure(delivery=delivery, reason=error)):
            raise LeaseLostError(delivery.partition)

    async def replay(self, ids: Sequence[int]) -> Sequence[int]:
        """Have deliveries handled again, whatever became of them; the ids of those that exist and have their body."""
        return await self._writer.run_apart(lambda transaction: replay(transaction, ids, self._now()))

    async def requeue_unmapped(self, mapped_plan_ids: Sequence[int]) -> int:
        """Have those customers caught up whose unknown plan is in the catalogue by now; how many."""
        return await self._writer.run_apart(
            lambda transaction: replay_unmapped(transaction, mapped_plan_ids, self._now())
        )

    async def drop_old_bodies(self, before: datetime) -> int:
        """Drop the bodies of some deliveries that ended before then, the oldest; how many. Dead ones keep theirs."""
        return await self._writer.run(lambda transaction: drop_bodies(transaction, to_milliseconds(before)))

    async def next_due(self) -> datetime | None:
        """When a worker should next claim; None while nothing waits."""
        due_at = await self._reader.run(lambda connection: connection.execute(NEXT_DUE).scalar())
        return None if due_at is None else from_milliseconds(due_at)

    async def lag_seconds(self) -> float:
        """For how long the oldest delivery that is due has been so; 0 when none is."""
        now = self._now()
        due_at = await self._reader.run(lambda connection: connection.execute(OLDEST_DUE, {"now": now}).scalar())
        return 0.0 if due_at is None else (now - due_at) / 1000

    async def list(
        self, *, state: str | None = None, route: str | None = None, limit: int = 50, before: int | None = None
    ) -> Sequence[DeliveryRow]:
        """Deliveries without their bodies, newest first, those with a lower id than `before`.

        Those of a route are looked for among the next ten thousand.
        """
        parameters: dict[str, Any] = {
            "before": ANY_ID if before is None else before,
            "wanted_route": route or "",
            "limit": limit,
            "looked_at": LOOKED_AT if route else limit,
        }
        statement = LIST
        if state == DeliveryState.RECEIVED:
            statement = LIST_RECEIVED
        elif state is not None:
            statement = LIST_FINISHED
            parameters["wanted_state"] = state

        def read(connection: Connection) -> Sequence[DeliveryRow]:
            return [to_delivery_row(row) for row in connection.execute(statement, parameters)]

        return await self._reader.run(read)

    async def show(self, delivery_id: int) -> DeliveryRow | None:
        """One delivery with its body."""

        def read(connection: Connection) -> DeliveryRow | None:
            row = connection.execute(SHOW, {"event_id": delivery_id}).first()
            return None if row is None else to_delivery_row(row, body=row.body)

        return await self._reader.run(read)

    async def note_ping(self, route: str, at: datetime) -> None:
        """Keep when a route was last pinged."""
        await self._writer.run(
            lambda transaction: transaction.execute(NOTE_PING, {"route": route, "at": to_milliseconds(at)})
        )

    async def pings(self) -> Mapping[str, Ping]:
        """By route, what is known of its last ping and its last delivery."""

        def read(connection: Connection) -> Mapping[str, Ping]:
            return {row["route"]: _to_ping(row) for row in connection.execute(PINGS).mappings()}

        return await self._reader.run(read)

    def _bury(self, transaction: Transaction, failures: Sequence[Failure]) -> Sequence[bool]:
        return bury(transaction, failures, self._now())

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())


def _to_ping(row: RowMapping) -> Ping:
    return Ping(at=optional_moment(row["at"]), last_event_at=optional_moment(row["last_event_at"]))


def _release(transaction: Transaction, given_back: Sequence[Sequence[Lease]]) -> Sequence[None]:
    partitions.release(transaction, {lease for leases in given_back for lease in leases})
    return [None] * len(given_back)
