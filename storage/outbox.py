"""The outbox: effects claimed, sent, and ended or put off, in order for each key."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Executable, Row

from billing.errors import LeaseLostError
from billing.ports import Clock
from billing.values import from_milliseconds, to_milliseconds
from storage.dead_letters import effect_died, recover_effects
from storage.effects import (
    CLAIM,
    DEFER,
    FINISH,
    LIST,
    LIST_FINISHED,
    LIST_PENDING,
    NEXT_DUE,
    PUT_OFF,
    PUT_OFF_FOLLOWERS,
    REVIVE,
    SHOW,
    ClaimedEffect,
    EffectRow,
    EffectState,
    NewEffect,
    enqueue,
    to_effect_row,
)
from storage.inbox import ANY_ID
from storage.reader import Reader
from storage.statements import BATCH, padded_batches
from storage.transactions import Transaction
from storage.writer import Writer


class Outbox:
    """The effects, for the workers and people."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock

    async def enqueue(self, effect: NewEffect) -> bool:
        """Have something sent; False if its dedupe key was used before, and nothing was done."""
        return await self._writer.run(lambda transaction: bool(enqueue(transaction, [effect], self._now())))

    async def claim(self, topic: str, *, limit: int, lease_seconds: float) -> Sequence[ClaimedEffect]:
        """Take up to so many due effects of a topic (at most 64), due longest first, none with an older one of its key.

        Whoever doesn't end it within the lease loses it to the next who claims.
        """
        lease = timedelta(seconds=lease_seconds) // timedelta(milliseconds=1)

        def work(transaction: Transaction) -> Sequence[ClaimedEffect]:
            now = self._now()
            parameters = {"wanted_topic": topic, "now": now, "until": now + lease, "limit": min(limit, BATCH)}
            rows = transaction.execute(CLAIM, parameters)
            claimed = [
                ClaimedEffect(
                    id=row.id,
                    topic=row.topic,
                    key=row.key,
                    payload=row.payload,
                    attempts=row.attempts,
                    lease_number=row.lease_number,
                )
                for row in rows
            ]
            return sorted(claimed, key=lambda effect: effect.id)

        return await self._writer.run(work)

    async def done(self, effect: ClaimedEffect) -> None:
        """The effect was sent.

        Raises:
            LeaseLostError: Another worker has it.
        """
        await self._writer.run(lambda transaction: self._finish(transaction, effect, EffectState.DONE, ""))

    async def ignore(self, effect: ClaimedEffect, reason: str) -> None:
        """Nothing was to be sent after all.

        Raises:
            LeaseLostError: Another worker has it.
        """
        await self._writer.run(lambda transaction: self._finish(transaction, effect, EffectState.IGNORED, reason))

    async def retry(self, effect: ClaimedEffect, run_at: datetime, error: str) -> None:
        """Put the effect off after a failure, and with it those of its key that wait behind it.

        Raises:
            LeaseLostError: Another worker has it.
        """
        until = to_milliseconds(run_at)
        parameters = {"effect_id": effect.id, "number": effect.lease_number, "until": until, "reason": error}
        await self._writer.run(lambda transaction: _put_off(transaction, effect, PUT_OFF, parameters))

    async def defer(self, effect: ClaimedEffect, run_at: datetime) -> None:
        """Put the effect off because its turn hasn't come, and with it those of its key. That is no attempt.

        Raises:
            LeaseLostError: Another worker has it.
        """
        parameters = {"effect_id": effect.id, "number": effect.lease_number, "until": to_milliseconds(run_at)}
        await self._writer.run(lambda transaction: _put_off(transaction, effect, DEFER, parameters))

    async def bury(self, effect: ClaimedEffect, error: str) -> None:
        """Give the effect up, which lets the next of its key go, and raise the alarm, in one commit.

        Raises:
            LeaseLostError: Another worker has it.
        """

        def work(transaction: Transaction) -> None:
            self._finish(transaction, effect, EffectState.DEAD, error)
            effect_died(transaction, effect.id, effect.topic, self._now())

        await self._writer.run(work)

    async def retry_dead(self, ids: Sequence[int]) -> Sequence[int]:
        """Have dead effects sent again, at once; the ids of those that were dead."""

        def work(transaction: Transaction) -> Sequence[int]:
            now = self._now()
            rows: list[Row[Any]] = []
            for batch in padded_batches(sorted(set(ids))):
                rows += transaction.execute(REVIVE, {"ids": batch, "now": now}).all()
            recover_effects(transaction, {row.topic for row in rows}, now)
            if rows:
                transaction.announce_work()
            return sorted(row.id for row in rows)

        return await self._writer.run(work)

    async def next_due(self, topic: str) -> datetime | None:
        """When a worker should next claim of this topic; None while nothing waits."""
        due_at = await self._reader.run(
            lambda connection: connection.execute(NEXT_DUE, {"wanted_topic": topic}).scalar()
        )
        return None if due_at is None else from_milliseconds(due_at)

    async def list(
        self, *, state: str | None = None, limit: int = 50, before: int | None = None
    ) -> Sequence[EffectRow]:
        """Effects, newest first, those with a lower id than `before`."""
        parameters: dict[str, Any] = {"before": ANY_ID if before is None else before, "limit": limit}
        statement = LIST
        if state == EffectState.PENDING:
            statement = LIST_PENDING
        elif state is not None:
            statement = LIST_FINISHED
            parameters["wanted"] = state

        def read(connection: Connection) -> Sequence[EffectRow]:
            return [to_effect_row(row) for row in connection.execute(statement, parameters)]

        return await self._reader.run(read)

    async def show(self, effect_id: int) -> EffectRow | None:
        """One effect."""

        def read(connection: Connection) -> EffectRow | None:
            row = connection.execute(SHOW, {"effect_id": effect_id}).first()
            return None if row is None else to_effect_row(row)

        return await self._reader.run(read)

    def _finish(self, transaction: Transaction, effect: ClaimedEffect, end: EffectState, reason: str) -> None:
        parameters = {
            "effect_id": effect.id,
            "number": effect.lease_number,
            "end": end,
            "reason": reason,
            "now": self._now(),
        }
        if not transaction.execute(FINISH, parameters).rowcount:
            raise LeaseLostError(f"effect:{effect.id}")

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())


def _put_off(
    transaction: Transaction, effect: ClaimedEffect, statement: Executable, parameters: Mapping[str, Any]
) -> None:
    if not transaction.execute(statement, parameters).rowcount:
        raise LeaseLostError(f"effect:{effect.id}")
    # They can't go before it, and due ones that can't go would be looked at again and again.
    transaction.execute(PUT_OFF_FOLLOWERS, {"order_key": effect.key, "until": parameters["until"]})
