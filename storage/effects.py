"""What goes outside: rows of the outbox, written in the transaction that makes them necessary."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, case, exists, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from billing.values import from_milliseconds, to_milliseconds
from storage.columns import optional_moment
from storage.statements import listed, register
from storage.tables import PENDING, effects
from storage.transactions import Transaction


class EffectState(enum.StrEnum):
    """Where an effect stands."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    REFUSED = "refused"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEffect:
    """Something to be sent.

    Attributes:
        topic: who sends it, such as `alert`.
        key: effects of one key are sent in the order in which they were written.
        dedupe_key: of several effects with the same one, only the first is kept, for ever.
        run_at: not before this.
    """

    topic: str
    key: str
    dedupe_key: str
    payload: bytes
    run_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedEffect:
    """An effect in a worker's hands. What becomes of it is only taken from whoever claimed it last.

    Attributes:
        attempts: how often it was tried, this time included, but for the times that it was only deferred.
        lease_number: how often it was claimed, this time included: over 1, something of it may have been sent before.
    """

    id: int
    topic: str
    key: str
    payload: bytes
    attempts: int
    lease_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """An effect as people look at it. `finished_at` is None while it is pending."""

    id: int
    topic: str
    key: str
    dedupe_key: str
    payload: bytes
    state: EffectState
    attempts: int
    created_at: datetime
    run_at: datetime
    finished_at: datetime | None
    error: str


ENQUEUE = register(
    "effects.enqueue",
    insert(effects).on_conflict_do_nothing(index_elements=[effects.c.dedupe_key]).returning(effects.c.dedupe_key),
)

_older = effects.alias("older")
_is_first_of_its_key = ~exists().where(
    _older.c.key == effects.c.key, _older.c.state == PENDING, _older.c.id < effects.c.id
)

_due = (
    select(effects.c.id)
    .where(
        effects.c.state == PENDING,
        effects.c.topic == bindparam("wanted_topic"),
        effects.c.run_at <= bindparam("now"),
        _is_first_of_its_key,
    )
    .order_by(effects.c.run_at, effects.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
CLAIM = register(
    "effects.claim",
    update(effects)
    .where(effects.c.id.in_(select(_due.c.id)))
    .values(
        attempts=effects.c.attempts + 1,
        lease_number=effects.c.lease_number + 1,
        lease_until=bindparam("until"),
        # Nobody else finds it due before the lease runs out, and then everybody does.
        run_at=bindparam("until"),
    )
    .returning(
        effects.c.id,
        effects.c.topic,
        effects.c.key,
        effects.c.payload,
        effects.c.attempts,
        effects.c.lease_number,
    ),
)

_is_held = (
    (effects.c.id == bindparam("effect_id"))
    & (effects.c.state == PENDING)
    & (effects.c.lease_number == bindparam("number"))
)
FINISH = register(
    "effects.finish",
    update(effects)
    .where(_is_held)
    .values(
        state=bindparam("end"),
        finished_at=bindparam("now"),
        error=bindparam("reason"),
        lease_until=0,
        # What was sent needn't be kept: a passed-on delivery may hold people's words. What is dead can be sent again.
        payload=case((bindparam("end") == EffectState.DEAD, effects.c.payload), else_=literal(b"")),
    ),
)
PUT_OFF = register(
    "effects.put_off",
    update(effects).where(_is_held).values(run_at=bindparam("until"), error=bindparam("reason"), lease_until=0),
)
DEFER = register(
    "effects.defer",
    update(effects)
    .where(_is_held)
    # Claiming counted it; it was put off before it was tried.
    .values(run_at=bindparam("until"), attempts=effects.c.attempts - 1, lease_until=0),
)
PUT_OFF_FOLLOWERS = register(
    "effects.put_off_followers",
    update(effects)
    .where(effects.c.state == PENDING, effects.c.key == bindparam("order_key"), effects.c.run_at < bindparam("until"))
    .values(run_at=bindparam("until")),
)

NEXT_DUE = register(
    "effects.next_due",
    select(effects.c.run_at)
    .where(effects.c.state == PENDING, effects.c.topic == bindparam("wanted_topic"), _is_first_of_its_key)
    .order_by(effects.c.run_at, effects.c.id)
    .limit(1),
)

_listed = (
    select(effects).where(effects.c.id < bindparam("before")).order_by(effects.c.id.desc()).limit(bindparam("limit"))
)
LIST = register("effects.list", _listed)
LIST_PENDING = register("effects.list_pending", _listed.where(effects.c.state == PENDING))
LIST_FINISHED = register(
    "effects.list_finished", _listed.where(effects.c.state != PENDING, effects.c.state == bindparam("wanted"))
)
SHOW = register("effects.show", select(effects).where(effects.c.id == bindparam("effect_id")))

REVIVE = register(
    "effects.revive",
    update(effects)
    .where(
        effects.c.id.in_(listed("ids")),
        effects.c.state != PENDING,
        effects.c.state == EffectState.DEAD,
    )
    .values(state=PENDING, attempts=0, run_at=bindparam("now"), finished_at=0, error="")
    .returning(effects.c.id, effects.c.topic),
)


def enqueue(transaction: Transaction, new: Sequence[NewEffect], now: int) -> set[str]:
    """Write these effects; the dedupe keys of those that weren't there yet. Time in milliseconds."""
    if not new:
        return set()
    rows = [
        {
            "topic": effect.topic,
            "key": effect.key,
            "dedupe_key": effect.dedupe_key,
            "payload": effect.payload,
            "created_at": now,
            "run_at": to_milliseconds(effect.run_at),
        }
        for effect in new
    ]
    inserted = set(transaction.execute(ENQUEUE, rows).scalars())
    if inserted:
        transaction.announce_work()
    return inserted


def to_effect_row(row: Row[Any]) -> EffectRow:
    """An effect as people look at it."""
    return EffectRow(
        id=row.id,
        topic=row.topic,
        key=row.key,
        dedupe_key=row.dedupe_key,
        payload=row.payload,
        state=EffectState(row.state),
        attempts=row.attempts,
        created_at=from_milliseconds(row.created_at),
        run_at=from_milliseconds(row.run_at),
        finished_at=optional_moment(row.finished_at),
        error=row.error,
    )
