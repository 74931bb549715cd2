"""The clock that the sandbox and the tests share: real time plus an offset, or time that moves only when told to."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """A clock that can be moved forward, and whose sleepers notice.

    Unless frozen it runs with real time from `start` on, so an idle sandbox behaves like the real thing; `advance` and
    `set` jump ahead. Frozen, it stands still between jumps, which makes a test's times exact.

    Args:
        start: Where the clock begins; aware. The machine's time if absent.
        frozen: Whether time moves by `advance` and `set` only.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        """Start the clock."""
        if start is not None and start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        # The one place where the machine's time of day is read; everything else asks a clock.
        self._base = datetime.now(UTC) if start is None else start.astimezone(UTC)
        self._frozen = frozen
        self._started = time.monotonic()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._jump_listeners: list[Callable[[], None]] = []

    @property
    def frozen(self) -> bool:
        """Whether time moves by jumps only."""
        return self._frozen

    @property
    def sleeping(self) -> int:
        """How many sleepers wait for a moment that has not come; a frozen test polls this before it jumps."""
        return len(self._sleepers)

    def now(self) -> datetime:
        """Tell the time: aware, UTC, cut to whole milliseconds."""
        moment = self._exact()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    async def sleep(self, seconds: float) -> None:
        """Return once this many seconds of the clock's own time went by; a jump past that moment ends the wait."""
        due = self._exact() + timedelta(seconds=max(seconds, 0.0))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        while (remaining := (due - self._exact()).total_seconds()) > 0:
            sleeper: asyncio.Future[None] = loop.create_future()
            self._sleepers.add(sleeper)
            try:
                await asyncio.wait({sleeper}, timeout=None if self._frozen else remaining)
            finally:
                self._sleepers.discard(sleeper)

    def advance(
        self,
        *,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        milliseconds: float = 0,
    ) -> datetime:
        """Jump ahead by this much and return the new time.

        Raises:
            ValueError: The sum is negative: time never runs backwards here.
        """
        return self._jump(
            timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
        )

    def set(self, moment: datetime) -> datetime:
        """Jump to this aware moment and return it.

        Raises:
            ValueError: The moment is naive, or before the clock's time.
        """
        if moment.tzinfo is None:
            raise ValueError("a clock is set to an aware datetime")
        return self._jump(moment - self._exact())

    def on_jump(self, listener: Callable[[], None]) -> None:
        """Call this after every jump, before the sleepers go on."""
        self._jump_listeners.append(listener)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return once the event is set or, if seconds are given, so much of the clock's time went by.

        Whoever listens for jumps sets the event in `on_jump`, so that a frozen clock needs no timer.
        """
        # Not `asyncio.wait_for`: up to Python 3.11 it swallows a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._frozen else seconds):
                await event.wait()

    def _jump(self, step: timedelta) -> datetime:
        """Move by this much, wake whoever sleeps, and return the new time."""
        if step < timedelta(0):
            raise ValueError("a clock never goes backwards")
        self._base += step
        for listener in self._jump_listeners:
            listener()
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        return self.now()

    def _exact(self) -> datetime:
        """Tell the time without the cut, so that sleeps add up."""
        if self._frozen:
            return self._base
        return self._base + timedelta(seconds=time.monotonic() - self._started)
