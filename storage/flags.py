"""Flags: switches that each transaction reads anew, so that they act in every process at once."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from billing.ports import Clock
from billing.values import from_milliseconds, to_milliseconds
from storage.reader import Reader
from storage.statements import register
from storage.tables import flags
from storage.transactions import Transaction
from storage.writer import Writer

log = structlog.get_logger()

ON: Final = "on"
OFF: Final = "off"


class Flag(enum.StrEnum):
    """The flags there are. Each is on until it is set.

    `BILLING_ENABLED` is the kill switch (docs/decisions/0063-the-kill-switch-waives.md).
    """

    BILLING_ENABLED = "billing_enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """How a flag stands. `set_at` is None, and `set_by` empty, while nobody has ever set it."""

    flag: Flag
    is_on: bool
    set_at: datetime | None
    set_by: str


SHOW = register("flags.show", select(flags).where(flags.c.name == bindparam("flag")))

_upsert = insert(flags)
SET = register(
    "flags.set",
    _upsert.on_conflict_do_update(
        index_elements=[flags.c.name],
        set_={name: _upsert.excluded[name] for name in ("value", "set_at", "set_by")},
    ),
)


def is_on(source: Transaction | Connection, flag: Flag) -> bool:
    """Whether the flag is on, as this transaction sees it."""
    return _shown(source, flag).is_on


class Flags:
    """The flags, for people."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock

    async def list(self) -> Sequence[FlagRow]:
        """All flags that there are, those that nobody has ever set included."""
        return await self._reader.run(lambda connection: [_shown(connection, flag) for flag in Flag])

    async def is_on(self, flag: Flag) -> bool:
        """Whether the flag is on."""
        return await self._reader.run(lambda connection: is_on(connection, flag))

    async def set(self, flag: Flag, *, on: bool, by: str) -> FlagRow:
        """Set the flag, for whatever is decided after the commit; how it stood before. Logged as a warning."""

        def work(transaction: Transaction) -> FlagRow:
            before = _shown(transaction, flag)
            value = ON if on else OFF
            now = to_milliseconds(self._clock.now())
            transaction.execute(SET, {"name": flag, "value": value, "set_at": now, "set_by": by})
            transaction.after_commit(partial(log.warning, "flag_set", flag=flag.value, value=value))
            return before

        return await self._writer.run(work)


def _shown(source: Transaction | Connection, flag: Flag) -> FlagRow:
    row: Row[Any] | None = source.execute(SHOW, {"flag": flag}).first()
    if row is None:
        return FlagRow(flag=flag, is_on=True, set_at=None, set_by="")
    # Whatever isn't "on" is off: what nobody can read must not let us bill.
    return FlagRow(flag=flag, is_on=row.value == ON, set_at=from_milliseconds(row.set_at), set_by=row.set_by)
