"""Alarms: what a person must see, told once a day for each kind and subject, and anew after a recovery."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, RowMapping, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.ports import Alarm, Clock, Recovery
from billing.values import from_milliseconds, to_milliseconds
from storage.columns import optional_moment
from storage.effects import NewEffect, enqueue
from storage.reader import Reader
from storage.statements import register
from storage.tables import alarms
from storage.transactions import Transaction
from storage.writer import Writer

log = structlog.get_logger()

ALERT_TOPIC: Final = "alert"
"""The outbox's topic of what is sent to people."""

TOLD_AGAIN_AFTER: Final = timedelta(hours=24)

_upsert = insert(alarms)
_is_over = alarms.c.recovered_at > 0
RAISE = register(
    "alarms.raise",
    _upsert.on_conflict_do_update(
        index_elements=[alarms.c.kind, alarms.c.subject],
        set_={
            "detail": _upsert.excluded.detail,
            "last_at": _upsert.excluded.last_at,
            "first_at": case((_is_over, _upsert.excluded.first_at), else_=alarms.c.first_at),
            "count": case((_is_over, _upsert.excluded.count), else_=alarms.c.count + _upsert.excluded.count),
            "notified_at": case((_is_over, 0), else_=alarms.c.notified_at),
            "recovered_at": 0,
        },
    ).returning(
        alarms.c.kind, alarms.c.subject, alarms.c.detail, alarms.c.first_at, alarms.c.count, alarms.c.notified_at
    ),
)

_is_named = (alarms.c.kind == bindparam("of_kind")) & (alarms.c.subject == bindparam("of_subject"))
# Whoever took note of it took note of what was told before.
TELL = register(
    "alarms.tell", update(alarms).where(_is_named).values(notified_at=bindparam("now"), acked_at=0, acked_by="")
)
RECOVER = register(
    "alarms.recover",
    update(alarms).where(_is_named, alarms.c.recovered_at == 0).values(recovered_at=bindparam("now")),
)
ACK = register(
    "alarms.ack",
    update(alarms).where(_is_named).values(acked_at=bindparam("now"), acked_by=bindparam("who")),
)

_newest_first = select(alarms).order_by(alarms.c.last_at.desc(), alarms.c.kind, alarms.c.subject)
LIST = register("alarms.list", _newest_first)
LIST_OPEN = register("alarms.list_open", _newest_first.where(alarms.c.recovered_at == 0, alarms.c.acked_at == 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """An alarm as people look at it. Times are None where it didn't happen (yet)."""

    kind: str
    subject: str
    detail: str
    first_at: datetime
    last_at: datetime
    count: int
    notified_at: datetime | None
    acked_at: datetime | None
    acked_by: str
    recovered_at: datetime | None


def raise_alarms(transaction: Transaction, raised: Sequence[Alarm], now: int) -> None:
    """Note these alarms, and have people told of those that are new to them. Time in milliseconds."""
    times = Counter((alarm.kind, alarm.subject) for alarm in raised)
    latest = {(alarm.kind, alarm.subject): alarm for alarm in raised}
    if not latest:
        return
    rows = [
        {
            "kind": kind,
            "subject": subject,
            "detail": latest[kind, subject].detail,
            "first_at": now,
            "last_at": now,
            "count": times[kind, subject],
        }
        for kind, subject in sorted(latest)
    ]
    noted = transaction.execute(RAISE, rows)
    for alarm in latest.values():
        transaction.after_commit(
            partial(log.error, "alarm_raised", kind=alarm.kind, subject=alarm.subject, detail=alarm.detail)
        )
    told_long_ago = now - TOLD_AGAIN_AFTER // timedelta(milliseconds=1)
    _tell(transaction, [row for row in noted if row.notified_at <= told_long_ago], now)


def _tell(transaction: Transaction, rows: Sequence[Any], now: int) -> None:
    if not rows:
        return
    named = sorted((row.kind, row.subject) for row in rows)
    transaction.execute(TELL, [{"of_kind": kind, "of_subject": subject, "now": now} for kind, subject in named])
    alerts = [
        NewEffect(
            topic=ALERT_TOPIC,
            key=f"{ALERT_TOPIC}:{row.kind}:{row.subject}",
            dedupe_key=f"{ALERT_TOPIC}:{row.kind}:{row.subject}:{now}",
            payload=json.dumps(
                {field: getattr(row, field) for field in ("kind", "subject", "detail", "first_at", "count")}
            ).encode(),
            run_at=from_milliseconds(now),
        )
        for row in rows
    ]
    enqueue(transaction, alerts, now)


def recover(transaction: Transaction, recoveries: Sequence[Recovery], now: int) -> None:
    """Note that what these alarms were raised for is over. Time in milliseconds."""
    named = sorted({(recovery.kind, recovery.subject) for recovery in recoveries})
    if named:
        transaction.execute(RECOVER, [{"of_kind": kind, "of_subject": subject, "now": now} for kind, subject in named])


def _to_row(row: RowMapping) -> AlarmRow:
    return AlarmRow(
        kind=row["kind"],
        subject=row["subject"],
        detail=row["detail"],
        first_at=from_milliseconds(row["first_at"]),
        last_at=from_milliseconds(row["last_at"]),
        count=row["count"],
        notified_at=optional_moment(row["notified_at"]),
        acked_at=optional_moment(row["acked_at"]),
        acked_by=row["acked_by"],
        recovered_at=optional_moment(row["recovered_at"]),
    )


class Alarms:
    """The alarms, for workers and people."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock

    async def raise_(self, alarm: Alarm) -> None:
        """Note the alarm, and have people told unless they were within a day. Logged as an error too."""
        await self._writer.run(lambda transaction: raise_alarms(transaction, [alarm], self._now()))

    async def recover(self, recovery: Recovery) -> None:
        """Note that it is over; the next time, people are told anew."""
        await self._writer.run(lambda transaction: recover(transaction, [recovery], self._now()))

    async def list(self, *, include_acked: bool = False) -> Sequence[AlarmRow]:
        """The alarms that want a person, newest first; all of them, those that are over too, if wished."""
        statement = LIST if include_acked else LIST_OPEN

        def read(connection: Connection) -> Sequence[AlarmRow]:
            return [_to_row(row) for row in connection.execute(statement).mappings()]

        return await self._reader.run(read)

    async def ack(self, kind: str, subject: str, by: str) -> bool:
        """Take note of the alarm, so that it is listed again only when it is told again; whether there is one."""

        def work(transaction: Transaction) -> bool:
            parameters = {"of_kind": kind, "of_subject": subject, "who": by, "now": self._now()}
            return transaction.execute(ACK, parameters).rowcount > 0

        return await self._writer.run(work)

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())
