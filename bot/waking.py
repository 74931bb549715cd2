"""Waiting for work without a busy loop: until woken, or until it is time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from billing.ports import Clock

POLL_SECONDS: Final = 1.0
"""Being woken is the rule; looking each second is for what nobody told us of."""

SHORTEST_REST_SECONDS: Final = 0.1
"""Between two looks when something is due that can't be had, because somebody else is at it."""


class Waker:
    """Wakes one waiter. A call between two waits is kept for the next one, so that none is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._event.set()

    def clear(self) -> None:
        """Forget the calls so far. Done before looking for work, so that what comes meanwhile is looked for again."""
        self._event.clear()

    async def rest(self, next_due: Callable[[], Awaitable[datetime | None]]) -> None:
        """Return when woken, or when something is due; `next_due` is asked once a second.

        Raises:
            Exception: Whatever `next_due` raises.
        """
        while not self._event.is_set():
            due = await next_due()
            seconds = POLL_SECONDS if due is None else (due - self._clock.now()).total_seconds()
            await self.wait(min(max(seconds, SHORTEST_REST_SECONDS), POLL_SECONDS))
            if seconds < POLL_SECONDS:
                return

    async def wait(self, seconds: float = POLL_SECONDS) -> None:
        """Return when woken, or when so much of the clock's time went by."""
        async with asyncio.TaskGroup() as group:
            called = group.create_task(self._event.wait())
            slept = group.create_task(self._clock.sleep(seconds))
            await asyncio.wait({called, slept}, return_when=asyncio.FIRST_COMPLETED)
            called.cancel()
            slept.cancel()
