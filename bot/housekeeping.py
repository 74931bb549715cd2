"""What has to be done now and then without anybody asking: dropping old bodies, and catching up with the catalogue."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from billing.ports import Clock
from bot.retries import TEMPORARY
from bot.waking import Waker
from storage.inbox import Inbox

log = structlog.get_logger()

ROUND_SECONDS: Final = 3600.0
MOST_DROPS: Final = 1000
"""How many transactions dropping old bodies takes at most in one round; the next does the rest."""

AGAIN_AFTER_SECONDS: Final = 30.0
"""After a round that failed because the database was away."""


class Housekeeping:
    """Does its round at the start and each hour. Several processes may do it at the same time.

    Args:
        retention_days: how long the bodies of finished deliveries are kept.
        marketplace_plan_ids: the plans of the catalogue. Whoever bought one that was unknown until now is caught up.
    """

    def __init__(self, *, inbox: Inbox, clock: Clock, retention_days: int, marketplace_plan_ids: Sequence[int]) -> None:
        self._inbox = inbox
        self._clock = clock
        self._retention = timedelta(days=retention_days)
        self._marketplace_plan_ids = marketplace_plan_ids
        self._waker = Waker(clock)
        self._is_stopping = False
        self._stopped: asyncio.Event | None = None

    def wake(self) -> None:
        """Do nothing: work that just came in is nothing for it."""

    async def run(self) -> None:
        """Do the rounds until stopped."""
        self._stopped = asyncio.Event()
        try:
            while not self._is_stopping:
                await self._waker.wait(await self._round())
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Begin no further round."""
        self._is_stopping = True
        self._waker.wake()
        if self._stopped is not None:
            await self._stopped.wait()

    async def _round(self) -> float:
        """Do a round, and return after how many seconds to do the next."""
        try:
            requeued = await self._inbox.requeue_unmapped(self._marketplace_plan_ids)
            dropped = await self._drop_bodies()
        except TEMPORARY as failure:
            log.warning("housekeeping_put_off", reason=str(failure))
            return AGAIN_AFTER_SECONDS
        if requeued or dropped:
            log.info("housekeeping_done", requeued=requeued, dropped=dropped)
        return ROUND_SECONDS

    async def _drop_bodies(self) -> int:
        """Drop old bodies until there are no more, or until stopped; how many."""
        before, dropped = self._clock.now() - self._retention, 0
        for _ in range(MOST_DROPS):
            count = 0 if self._is_stopping else await self._inbox.drop_old_bodies(before)
            if not count:
                break
            dropped += count
        return dropped
