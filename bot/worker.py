"""The worker: takes due deliveries from the inbox, and lets their handlers turn each into one command.

Deliveries of different partitions are handled at the same time, those of one partition one after another. Whatever ends
here unfinished, by a crash or a lost database, is due again when its partition's lease runs out.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog
from gidgethub.routing import Router

from billing.commands import Cause, Command, Ignore, Lease, Outcome
from billing.errors import LeaseLostError, TemporaryFailureError
from billing.ports import Clock
from billing.values import DeliveryId
from bot.bodies import unpacked
from bot.retries import ABOUT_A_DAY, TEMPORARY, NotYetError, RetryPolicy
from bot.waking import Waker
from handlers.context import Billing, Context, Event
from storage.deliveries import ClaimedDelivery
from storage.inbox import Inbox

log = structlog.get_logger()

LONGEST_ERROR: Final = 500


class OneCommand:
    """Passes a handler's one command on to billing, and keeps what came of it."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing
        self.outcome: Outcome | None = None

    async def handle(self, command: Command) -> Outcome:
        """Pass the command on.

        Raises:
            RuntimeError: It is the handler's second.
        """
        if self.outcome is not None:
            raise RuntimeError("a handler ends in exactly one command")
        self.outcome = await self._billing.handle(command)
        return self.outcome


class Worker:
    """Works off the inbox until it is stopped.

    Args:
        context: What handlers get: GitHub to ask, and billing to command.
        router: The handlers, one at most for an event and action.
        chance: Where the jitter of retries comes from.
        partitions: How many are worked on at the same time.
        lease_seconds: How long a partition is ours without renewal; as long rests what a killed worker left.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        context: Context,
        router: Router,
        clock: Clock,
        chance: random.Random,
        policy: RetryPolicy = ABOUT_A_DAY,
        partitions: int = 64,
        lease_seconds: float = 30.0,
    ) -> None:
        self._inbox = inbox
        self._context = context
        self._router = router
        self._clock = clock
        self._chance = chance
        self._policy = policy
        self._partitions = partitions
        self._lease_seconds = lease_seconds
        self._waker = Waker(clock)
        self._active: set[Lease] = set()
        self._finished: list[Lease] = []
        self._is_stopping = False
        self._stopped: asyncio.Event | None = None

    def wake(self) -> None:
        """Look for work at once. Called after each commit that may have brought some."""
        self._waker.wake()

    async def run(self) -> None:
        """Work until stopped, then finish what is under way."""
        self._stopped = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._renew_leases())
                async with asyncio.TaskGroup() as partitions:
                    while not self._is_stopping:
                        self._waker.look()
                        if not await self._begin(partitions):
                            await self._rest()
                renewing.cancel()
            await self._give_back_the_last()
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """Begin nothing new, and return when what is under way has ended."""
        self._is_stopping = True
        self._waker.wake()
        if self._stopped is not None:
            await self._stopped.wait()

    # Taking and giving back ------------------------------------------------------------------------------------------

    async def _begin(self, partitions: asyncio.TaskGroup) -> bool:
        """Begin with what is due, as far as there is room; whether anything was."""
        room = self._partitions - len(self._active)
        if room == 0:
            return False
        finished, self._finished = self._finished, []
        try:
            claimed = await self._inbox.claim(
                partitions=room,
                deliveries=self._partitions,
                lease_seconds=self._lease_seconds,
                giving_back=finished,
            )
        except TEMPORARY as error:
            # The leases run out by themselves; trying again gives them back sooner.
            self._finished += finished
            log.warning("inbox_away", reason=str(error))
            return False
        by_lease: dict[Lease, list[ClaimedDelivery]] = {}
        for delivery in claimed:
            by_lease.setdefault(delivery.lease, []).append(delivery)
        for lease, deliveries in by_lease.items():
            self._active.add(lease)
            partitions.create_task(self._work_off(lease, deliveries))
        return bool(by_lease)

    async def _give_back_the_last(self) -> None:
        """Give back at the end, unless the database is away: then the leases run out by themselves."""
        try:
            if self._finished:
                await self._inbox.release(self._finished)
        except TEMPORARY as error:
            log.warning("leases_not_given_back", reason=str(error))

    async def _rest(self) -> None:
        """Wait until there may be work: woken, something due, or a place free again (which wakes, too)."""
        if len(self._active) == self._partitions:
            await self._waker.wait()
            return
        try:
            await self._waker.rest(self._inbox.next_due)
        except TEMPORARY:
            # The database is away; it was said when we looked for work.
            await self._waker.wait()

    async def _renew_leases(self) -> None:
        """Keep what is being worked on ours, however long it takes."""
        while True:
            await self._clock.sleep(self._lease_seconds / 3)
            if self._active:
                try:
                    await self._inbox.renew(
                        sorted(self._active, key=lambda lease: lease.partition), self._lease_seconds
                    )
                except TEMPORARY as error:
                    log.warning("leases_not_renewed", reason=str(error))

    # Handling --------------------------------------------------------------------------------------------------------

    async def _work_off(self, lease: Lease, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Handle a partition's deliveries one after another."""
        try:
            for delivery in deliveries:
                if self._is_stopping or not await self._is_handled(delivery):
                    break
        finally:
            self._active.discard(lease)
            self._finished.append(lease)
            self._waker.wake()

    async def _is_handled(self, delivery: ClaimedDelivery) -> bool:
        """Handle one delivery; False if its partition has to be left."""
        with structlog.contextvars.bound_contextvars(delivery_id=delivery.delivery_id, inbox_id=delivery.id):
            try:
                await self._handle(delivery)
            except LeaseLostError:
                log.warning("lease_lost", partition=delivery.partition)
                return False
            except TEMPORARY as error:
                # The database is away just now: what is left is due again once it is back.
                log.warning("partition_left", partition=delivery.partition, reason=str(error))
                return False
        return True

    async def _handle(self, delivery: ClaimedDelivery) -> None:
        """Handle one delivery, and see to it that it ends or is tried again.

        Raises:
            LeaseLostError: Another worker has it now.
            TemporaryFailureError: Not even the failure could be recorded.
        """
        if delivery.attempts > self._policy.attempts:
            await self._bury(delivery, "every attempt ended without a result: the process may have died of it")
            return
        try:
            outcome = await self._apply(delivery)
        except LeaseLostError:
            raise
        except NotYetError as turn:
            log.info("delivery_deferred", until=turn.until.isoformat(), reason=turn.reason)
            await self._inbox.defer(delivery, run_at=turn.until, reason=turn.reason[:LONGEST_ERROR])
        except TEMPORARY as error:
            await self._put_off(delivery, error)
        except Exception as error:
            # A bug. It stops this delivery and no other.
            log.exception("delivery_failed", github_event=delivery.event, action=delivery.action)
            await self._bury(delivery, f"{type(error).__name__}: {error}")
        else:
            log.info(
                "delivery_handled",
                github_event=delivery.event,
                action=delivery.action,
                partition=delivery.partition,
                outcome=type(outcome).__name__.lower(),
            )

    async def _apply(self, delivery: ClaimedDelivery) -> Outcome:
        """Let the delivery's handler make its command, and return what came of it."""
        cause = Cause(
            delivery_id=DeliveryId(delivery.id),
            received_at=delivery.received_at,
            asked_at=self._clock.now(),
            observation=delivery.observation,
            repeats=delivery.repeats,
            lease=delivery.lease,
        )
        event = Event(
            event=delivery.event,
            action=delivery.action or None,
            delivery_id=delivery.delivery_id,
            body=await unpacked(delivery.body),
            cause=cause,
        )
        if not self._router.fetch(event):
            reason = f"nothing handles {delivery.event} {delivery.action}"
            return await self._context.billing.handle(Ignore(reason=reason, cause=cause))
        command = OneCommand(self._context.billing)
        await self._router.dispatch(event, replace(self._context, billing=command))
        if command.outcome is None:
            raise RuntimeError("the handler made no command")
        return command.outcome

    async def _put_off(self, delivery: ClaimedDelivery, error: Exception) -> None:
        """Try the delivery again later, or give it up after the last attempt."""
        reason = str(error) or type(error).__name__
        asked_seconds = error.retry_after_seconds if isinstance(error, TemporaryFailureError) else None
        seconds = self._policy.delay_seconds(delivery.attempts, asked_seconds=asked_seconds, chance=self._chance)
        if seconds is None:
            await self._bury(delivery, reason)
            return
        log.warning("delivery_put_off", attempts=delivery.attempts, wait_seconds=round(seconds, 1), reason=reason)
        run_at = self._clock.now() + timedelta(seconds=seconds)
        await self._inbox.retry(delivery, run_at=run_at, error=reason[:LONGEST_ERROR])

    async def _bury(self, delivery: ClaimedDelivery, reason: str) -> None:
        """Give the delivery up, with an alarm; it can be replayed."""
        log.error("delivery_dead", attempts=delivery.attempts, reason=reason)
        await self._inbox.bury(delivery, error=reason[:LONGEST_ERROR])
