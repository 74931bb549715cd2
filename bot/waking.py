"""Waiting for work without a busy loop: until woken, or until it is time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from billing.ports import Clock

POLL_SECONDS: Final = 1.0
"""Being woken is the rule; looking each second is for what nobody told us of."""

PAUSE_SECONDS: Final = 0.05
"""Before a look at what became due meanwhile: if it can't be had, because somebody else is at it, this isn't busy."""


class Waker:
    """Wakes one waiter. A call between two waits is kept for the next one, so that none is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._event.set()

    def look(self) -> None:
        """Forget the calls so far. Done before looking for work, so that what comes meanwhile is looked for again."""
        self._event.clear()

    async def rest(self, next_due: Callable[[], Awaitable[datetime | None]]) -> None:
        """Return when woken, or when something is due; `next_due` is asked once a second.

        Raises:
            Exception: Whatever `next_due` raises.
        """
        while not self._event.is_set():
            due, now = await next_due(), self._clock.now()
            if due is not None and due <= now:
                await self._pause()
                return
            next_look = now + timedelta(seconds=POLL_SECONDS)
            await self._wait_until(next_look if due is None else min(due, next_look))

    async def _pause(self) -> None:
        """Let whoever has what is due get on with it. In real time, as their work takes real time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._event.wait()

    async def wait(self, seconds: float = POLL_SECONDS) -> None:
        """Return when woken, or when so much of the clock's time went by."""
        await self._wait_until(self._clock.now() + timedelta(seconds=seconds))

    async def _wait_until(self, moment: datetime) -> None:
        async with asyncio.TaskGroup() as group:
            called = group.create_task(self._event.wait())
            slept = group.create_task(self._sleep_until(moment))
            await asyncio.wait({called, slept}, return_when=asyncio.FIRST_COMPLETED)
            called.cancel()
            slept.cancel()

    async def _sleep_until(self, moment: datetime) -> None:
        """Sleep by what is left now: a clock that can be moved may have been, before this began."""
        await self._clock.sleep((moment - self._clock.now()).total_seconds())
