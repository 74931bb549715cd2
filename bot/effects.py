"""The sender of the outbox: what was written down in a commit goes out here, each at least once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.github.errors import WriteRefusedError
from bot.mail import MailRefusedError
from bot.retries import ABOUT_A_DAY, TEMPORARY, NotYetError, RetryPolicy
from bot.waking import Waker
from storage.effects import ClaimedEffect
from storage.outbox import Outbox

log = structlog.get_logger()

Send = Callable[[ClaimedEffect], Awaitable[str]]
"""Sends one effect of a topic. Returns why nothing was to be sent, or "" if it was; raises `NotYetError` to come back.
"""


FINAL: Final = (MailRefusedError, WriteRefusedError)
"""Refusals that another attempt doesn't change."""

LEASE_SECONDS: Final = 300.0
"""So long rests what a killed process was sending, before another one takes it up."""

SENT_WITHIN_SECONDS: Final = 240.0
"""What takes longer is broken off, well before the lease is over: nobody else may begin while it goes on."""

LONGEST_ERROR: Final = 500


class EffectSender:
    """Sends what is due of one topic until it is stopped. Effects of one key go out in order, others side by side.

    Each topic has a sender of its own, because where one leads may hang for hours, and alarms must not wait for that.

    Args:
        topic: Which effects.
        send: Sends one.
        chance: Where the jitter of retries comes from.
        at_once: How many are sent at the same time.
        within_seconds: How long the sending of one may take, in real time.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        topic: str,
        send: Send,
        clock: Clock,
        chance: random.Random,
        policy: RetryPolicy = ABOUT_A_DAY,
        at_once: int = 16,
        within_seconds: float = SENT_WITHIN_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._topic = topic
        self._send_one = send
        self._clock = clock
        self._chance = chance
        self._policy = policy
        self._at_once = at_once
        self._within_seconds = within_seconds
        self._waker = Waker(clock)
        self._active = 0
        self._is_stopping = False
        self._stopped: asyncio.Event | None = None

    def wake(self) -> None:
        """Look for work at once. Called after each commit that may have brought some."""
        self._waker.wake()

    async def run(self) -> None:
        """Send until stopped, then finish what is under way."""
        self._stopped = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                while not self._is_stopping:
                    self._waker.look()
                    if not await self._begin(group):
                        await self._rest()
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Begin nothing new, and return when what is under way has ended."""
        self._is_stopping = True
        self._waker.wake()
        if self._stopped is not None:
            await self._stopped.wait()

    async def _begin(self, group: asyncio.TaskGroup) -> bool:
        """Begin with what is due, as far as there is room; whether anything was."""
        room = self._at_once - self._active
        if room == 0:
            return False
        try:
            claimed = await self._outbox.claim(self._topic, limit=room, lease_seconds=LEASE_SECONDS)
        except TEMPORARY as error:
            log.warning("outbox_away", topic=self._topic, reason=str(error))
            return False
        for effect in claimed:
            self._active += 1
            group.create_task(self._work_off(effect))
        return bool(claimed)

    async def _rest(self) -> None:
        """Wait until there may be work: woken, something due, or a place free again (which wakes, too)."""
        if self._active == self._at_once:
            await self._waker.wait()
            return
        try:
            await self._waker.rest(self._next_due)
        except TEMPORARY:
            # The database is away; it was said when we looked for work.
            await self._waker.wait()

    async def _next_due(self) -> datetime | None:
        return await self._outbox.next_due(self._topic)

    async def _work_off(self, effect: ClaimedEffect) -> None:
        """Send one effect, and see to it that it ends or is tried again."""
        with structlog.contextvars.bound_contextvars(effect_id=effect.id, topic=effect.topic):
            try:
                await self._send(effect)
            except TEMPORARY as error:
                # The database is away just now, or the lease is lost: it is due again when the lease runs out.
                log.warning("effect_left", reason=str(error))
            finally:
                self._active -= 1
                self._waker.wake()

    async def _send(self, effect: ClaimedEffect) -> None:
        """Send one effect, and record what came of it."""
        if effect.attempts > self._policy.attempts:
            await self._bury(effect, "every attempt ended without a result: the process may have died of it")
            return
        # One that is sent again by command has as many anew. They count on, as no claim may have another's number.
        if effect.lease_number % self._policy.claims == 0:
            await self._bury(effect, f"it was taken up {effect.lease_number} times, and its turn to be sent never came")
            return
        try:
            reason = await self._send_in_time(effect)
        except NotYetError as turn:
            log.debug("effect_deferred", until=turn.until.isoformat())
            await self._outbox.defer(effect, run_at=turn.until)
        except TEMPORARY as error:
            await self._put_off(effect, error)
        except FINAL as error:
            await self._bury(effect, str(error))
        except Exception as error:
            # A bug. It stops this effect and no other.
            log.exception("effect_failed")
            await self._bury(effect, f"{type(error).__name__}: {error}")
        else:
            if reason:
                log.info("effect_ignored", reason=reason)
                await self._outbox.ignore(effect, reason=reason)
            else:
                log.info("effect_sent", attempts=effect.attempts)
                await self._outbox.done(effect)

    async def _send_in_time(self, effect: ClaimedEffect) -> str:
        """Send one effect, or break it off.

        Raises:
            TemporaryFailureError: It took too long. What it had begun may go on for a while at the other side, so the
                next attempt waits for as long as the lease would have.
        """
        time = asyncio.timeout(self._within_seconds)
        try:
            async with time:
                return await self._send_one(effect)
        except TimeoutError:
            if not time.expired():
                raise
            raise TemporaryFailureError(
                f"it wasn't sent within {self._within_seconds:g} seconds",
                retry_after_seconds=LEASE_SECONDS - SENT_WITHIN_SECONDS,
            ) from None

    async def _put_off(self, effect: ClaimedEffect, error: Exception) -> None:
        """Try the effect again later, or give it up after the last attempt."""
        reason = str(error) or type(error).__name__
        asked_seconds = error.retry_after_seconds if isinstance(error, TemporaryFailureError) else None
        seconds = self._policy.delay_seconds(effect.attempts, asked_seconds=asked_seconds, chance=self._chance)
        if seconds is None:
            await self._bury(effect, reason)
            return
        log.warning("effect_put_off", attempts=effect.attempts, wait_seconds=round(seconds, 1), reason=reason)
        run_at = self._clock.now() + timedelta(seconds=seconds)
        await self._outbox.retry(effect, run_at=run_at, error=reason[:LONGEST_ERROR])

    async def _bury(self, effect: ClaimedEffect, reason: str) -> None:
        """Give the effect up, with an alarm; it can be sent again by command."""
        log.error("effect_dead", attempts=effect.attempts, reason=reason)
        await self._outbox.bury(effect, error=reason[:LONGEST_ERROR])


async def send_nothing(effect: ClaimedEffect) -> str:
    """Stand in for a sender that isn't set up: what was written while it was ends as ignored."""
    return f"nothing sends {effect.topic}: the setting that says where to is gone"
