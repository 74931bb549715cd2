"""What has to be done now and then without anybody asking: forgetting the old, catching up, vouching for the ledger."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from billing.paces import CONFUSED_IN_REPOSITORY, WRITES_OF_INSTALLATION
from billing.ports import Clock
from bot.checkpoints import CheckpointMaker
from bot.retries import TEMPORARY
from bot.waking import Waker
from storage.inbox import Inbox
from storage.paces import Paces

log = structlog.get_logger()

ROUND_SECONDS: Final = 3600.0
MOST_TIMES: Final = 1000
"""How many transactions forgetting one kind of old things takes at most in one round; the next does the rest."""

PLACES_KEPT: Final = timedelta(
    seconds=max(limit.seconds for limits in (WRITES_OF_INSTALLATION, CONFUSED_IN_REPOSITORY) for limit in limits)
)
"""No limit looks further back."""

AGAIN_AFTER_SECONDS: Final = 30.0
"""After a round that failed because the database was away."""


class Housekeeping:
    """Does its round at the start and each hour. Several processes may do it at the same time.

    Args:
        retention_days: how long the bodies of finished deliveries are kept.
        marketplace_plan_ids: the plans of the catalogue. Whoever bought one that was unknown until now is caught up.
        checkpoints: vouches for what was booked since the last round; None without a key to sign with.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        paces: Paces,
        clock: Clock,
        retention_days: int,
        marketplace_plan_ids: Sequence[int],
        checkpoints: CheckpointMaker | None,
    ) -> None:
        self._inbox = inbox
        self._paces = paces
        self._clock = clock
        self._retention = timedelta(days=retention_days)
        self._marketplace_plan_ids = marketplace_plan_ids
        self._checkpoints = checkpoints
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
            now = self._clock.now()
            dropped = await self._until_none(self._inbox.drop_old_bodies, now - self._retention)
            forgotten = await self._until_none(self._paces.forget_old, now - PLACES_KEPT)
            if self._checkpoints is not None:
                await self._checkpoints.make(is_stopping=lambda: self._is_stopping)
        except TEMPORARY as failure:
            log.warning("housekeeping_put_off", reason=str(failure))
            return AGAIN_AFTER_SECONDS
        if requeued or dropped or forgotten:
            log.info("housekeeping_done", requeued=requeued, dropped=dropped, forgotten=forgotten)
        return ROUND_SECONDS

    async def _until_none(self, forget: Callable[[datetime], Awaitable[int]], before: datetime) -> int:
        """Forget what is older, some at a time, until there is no more of it, or until stopped; how many."""
        forgotten = 0
        for _ in range(MOST_TIMES):
            count = 0 if self._is_stopping else await forget(before)
            if not count:
                break
            forgotten += count
        return forgotten
