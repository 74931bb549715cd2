"""Places in a pace: so many writes in so much time, by all processes together, and each in its turn.

What was written is what the limits are held against: a place is taken when its holder goes, and numbered within its
subject, so that two who go at once can't both have the last one. Whoever comes too early books instead: a booking says
when to come back, behind all who booked before, and keeps nothing from anybody who would otherwise stand still
(docs/decisions/0025-a-place-is-taken-when-its-holder-goes.md).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from billing.errors import TemporaryFailureError
from billing.paces import Limit, earliest
from billing.ports import Clock
from billing.values import from_milliseconds, to_milliseconds
from storage.statements import listed, padded_batches, register
from storage.tables import pace_bookings, paces
from storage.transactions import Transaction
from storage.writer import Writer

KEPT_FREE_SECONDS: Final = 2
"""So late a holder may come and still find the others waiting. For whoever comes later, or never, nobody waits."""

TRIES: Final = 64
"""How often a place may be lost to other processes, of which each takes one at a time."""

FORGOTTEN_AT_ONCE: Final = 1000

NOBODY: Final = 0
"""Stands for the holder where nothing is to be booked; effects are numbered from 1."""

EVER: Final = sys.maxsize
"""Later than every time."""

LAST = register(
    "paces.last",
    select(paces.c.number)
    .where(paces.c.subject == bindparam("of_subject"))
    .order_by(paces.c.number.desc())
    .limit(1)
    # It isn't forgotten while somebody counts on from it.
    .with_for_update(read=True),
)
TIMES = register(
    "paces.times",
    select(paces.c.number, paces.c.at).where(
        paces.c.subject == bindparam("of_subject"), paces.c.number.in_(listed("numbers"))
    ),
)
TAKE = register(
    "paces.take",
    insert(paces).on_conflict_do_nothing(index_elements=[paces.c.subject, paces.c.number]).returning(paces.c.number),
)

_is_own = (pace_bookings.c.subject == bindparam("of_subject")) & (pace_bookings.c.holder == bindparam("of_holder"))
BOOKED = register("paces.booked", select(pace_bookings.c.at).where(_is_own))
WAITING = register(
    "paces.waiting",
    select(pace_bookings.c.at)
    .where(
        pace_bookings.c.subject == bindparam("of_subject"),
        pace_bookings.c.holder != bindparam("of_holder"),
        pace_bookings.c.at > bindparam("after"),
        pace_bookings.c.at < bindparam("before"),
    )
    .order_by(pace_bookings.c.at.desc())
    .limit(bindparam("limit")),
)
_booking = insert(pace_bookings)
BOOK = register(
    "paces.book",
    _booking.on_conflict_do_update(
        index_elements=[pace_bookings.c.subject, pace_bookings.c.holder], set_={"at": _booking.excluded.at}
    ),
)
UNBOOK = register("paces.unbook", delete(pace_bookings).where(_is_own))

FIND_OLD = register(
    "paces.find_old",
    select(paces.c.subject, paces.c.number)
    .where(paces.c.at < bindparam("before"))
    .order_by(paces.c.at)
    .limit(FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True),
)
FORGET = register(
    "paces.forget",
    delete(paces).where(paces.c.subject == bindparam("of_subject"), paces.c.number == bindparam("of_number")),
)
FIND_OLD_BOOKINGS = register(
    "paces.find_old_bookings",
    select(pace_bookings.c.subject, pace_bookings.c.holder)
    .where(pace_bookings.c.at < bindparam("before"))
    .order_by(pace_bookings.c.at)
    .limit(FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    subject: str
    limits: tuple[Limit, ...]
    holder: int


class Paces:
    """Who may go when. A subject is what has a pace, such as an installation."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def take(self, subject: str, limits: Sequence[Limit], *, holder: int) -> datetime | None:
        """Take a place in the subject's pace: None if it is taken and the holder goes now, else when to come back.

        Whoever has to come back has a booking, and gives way to nobody who comes later. Each None is good for one
        write. A holder asks for one place at a time.

        Raises:
            TemporaryFailureError: The database is away, or too many took places just now.
        """
        wish = _Wish(subject=subject, limits=tuple(limits), holder=holder)
        return await self._writer.run_together(self._take_all, wish)

    async def try_take(self, subject: str, limits: Sequence[Limit]) -> bool:
        """Take a place if there is one now; whether it was taken. Nothing is booked.

        Raises:
            TemporaryFailureError: The database is away, or too many took places just now.
        """
        return await self.take(subject, limits, holder=NOBODY) is None

    async def has_room(self, subject: str, limits: Sequence[Limit]) -> bool:
        """Whether a place could be taken now. Nothing is taken, so that it may be gone a moment later.

        Raises:
            TemporaryFailureError: The database is away.
        """
        wish = _Wish(subject=subject, limits=tuple(limits), holder=NOBODY)
        return await self._writer.run(lambda transaction: _Line(transaction, wish, self._now()).has_room())

    async def forget_old(self, before: datetime) -> int:
        """Forget some places that were taken before then, or booked for then and not taken; how many."""
        moment = to_milliseconds(before)
        return await self._writer.run(lambda transaction: _forget(transaction, moment))

    def _take_all(self, transaction: Transaction, wishes: Sequence[_Wish]) -> Sequence[datetime | None]:
        """A writer's step. Subjects in one order, so that two processes never wait for each other."""
        answers: list[datetime | None] = [None] * len(wishes)
        for index in sorted(range(len(wishes)), key=lambda index: wishes[index].subject):
            answers[index] = _Line(transaction, wishes[index], self._now()).take()
        return answers

    def _now(self) -> datetime:
        return from_milliseconds(to_milliseconds(self._clock.now()))


class _Line:
    """The places of one subject, as one of its holders finds them at a moment."""

    def __init__(self, transaction: Transaction, wish: _Wish, now: datetime) -> None:
        self._transaction = transaction
        self._wish = wish
        self._now = now
        self._own = {"of_subject": wish.subject, "of_holder": wish.holder}
        self._counts = [1] + [limit.count for limit in wish.limits]

    def has_room(self) -> bool:
        """Whether it would be the turn of somebody without a booking."""
        return self._turn(self._last(), None) <= self._now

    def take(self) -> datetime | None:
        """Take the place if it is the holder's turn, and book it otherwise; None or when to come back."""
        booked = self._booked()
        if booked is not None and booked > self._now:
            return booked
        for _ in range(TRIES):
            last = self._last()
            at = self._turn(last, booked)
            if at > self._now:
                if self._wish.holder != NOBODY:
                    self._transaction.execute(BOOK, self._row(holder=self._wish.holder, at=at))
                return at
            # Whoever was quicker has this number, and the look at what is free has to be taken anew.
            if self._transaction.execute(TAKE, self._row(number=last + 1, at=self._now)).first() is not None:
                if booked is not None:
                    self._transaction.execute(UNBOOK, self._own)
                return None
        raise TemporaryFailureError("too many take places in the same pace")

    def _turn(self, last: int, booked: datetime | None) -> datetime:
        """When it is the holder's turn: now or later. Whose booking is due goes as soon as the limits allow it."""
        now, limits = self._now, self._wish.limits
        taken = self._times(last)
        free = earliest(now, limits, taken.get)
        if booked is not None and free <= now:
            return now
        waiting = self._waiting(booked)
        if not waiting:
            return free
        taken_before = self._times(last, skipped=len(waiting))

        def nth_last(count: int) -> datetime | None:
            # Whoever is late goes now, if they come at all.
            return max(waiting[count - 1], now) if count <= len(waiting) else taken_before.get(count)

        return max(free, earliest(now, limits, nth_last))

    def _booked(self) -> datetime | None:
        """When the holder was told to come back."""
        if self._wish.holder == NOBODY:
            return None
        at = self._transaction.execute(BOOKED, self._own).scalar()
        return None if at is None else from_milliseconds(at)

    def _last(self) -> int:
        """The number of the place that was taken last, 0 if none was."""
        number: int | None = self._transaction.execute(LAST, {"of_subject": self._wish.subject}).scalar()
        return number or 0

    def _times(self, last: int, *, skipped: int = 0) -> dict[int, datetime]:
        """When those places were taken that the limits look at: by how manieth last each is, after the skipped ones."""
        counts = {last + 1 + skipped - count: count for count in self._counts if skipped < count <= last + skipped}
        return {
            counts[row.number]: from_milliseconds(row.at)
            for numbers in padded_batches(sorted(counts))
            for row in self._transaction.execute(TIMES, {"of_subject": self._wish.subject, "numbers": numbers})
        }

    def _waiting(self, booked: datetime | None) -> list[datetime]:
        """For when those have booked who go first, the last one first; no more than a limit looks at.

        Nobody waits for those who are long overdue. Who is so oneself goes behind the others.
        """
        after = self._now - timedelta(seconds=KEPT_FREE_SECONDS)
        parameters = {
            **self._own,
            "after": to_milliseconds(after),
            "before": to_milliseconds(booked) if booked is not None and booked > after else EVER,
            "limit": max(self._counts),
        }
        return [from_milliseconds(at) for at in self._transaction.execute(WAITING, parameters).scalars()]

    def _row(self, *, at: datetime, **key: int) -> dict[str, object]:
        return {"subject": self._wish.subject, **key, "at": to_milliseconds(at)}


def _forget(transaction: Transaction, before: int) -> int:
    """Forget some old places and bookings. Time in milliseconds."""
    places = transaction.execute(FIND_OLD, {"before": before}).all()
    bookings = transaction.execute(FIND_OLD_BOOKINGS, {"before": before}).all()
    if places:
        transaction.execute(FORGET, [{"of_subject": row.subject, "of_number": row.number} for row in places])
    if bookings:
        transaction.execute(UNBOOK, [{"of_subject": row.subject, "of_holder": row.holder} for row in bookings])
    return len(places) + len(bookings)
