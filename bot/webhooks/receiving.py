"""The way of a delivery at the edge: read, verify, decide whether it can matter, record, answer."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from aiohttp import hdrs, web
from structlog.contextvars import bind_contextvars

from billing.ports import Clock
from bot.bodies import SMALL_BODY_BYTES
from bot.forwarding import FORWARD_TOPIC
from bot.problems import METHOD_NOT_ALLOWED, ProblemError
from bot.retries import TEMPORARY
from bot.webhooks import problems
from bot.webhooks.counting import DeliveryCounter
from bot.webhooks.preparing import Prepared, Preparer
from bot.webhooks.reading import BodyReader, Reservation
from bot.webhooks.verify import PING
from storage.deliveries import NewDelivery, Recorded
from storage.effects import NewEffect
from storage.inbox import Inbox

RETRY_AFTER_SECONDS: Final = 5
"""What a sender is asked to wait while the database is away."""

IGNORED: Final = "ignored"


class DeliveryReceiver:
    """Takes the deliveries of one webhook.

    Args:
        preparer: verifies them.
        reader: reads bodies within the limits that all webhooks share.
        new_arrival: a fresh id for each arrival, since a repeat is passed on like the first.
        wake: called when there is work for the worker or the sender.
    """

    def __init__(
        self,
        *,
        preparer: Preparer,
        inbox: Inbox,
        clock: Clock,
        reader: BodyReader,
        counter: DeliveryCounter,
        new_arrival: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._hook = preparer.hook
        # Bound once: to find out for each delivery that nobody wants its line takes longer than the line's worth.
        self._log = structlog.get_logger().bind(hook=preparer.hook.value)
        self._preparer = preparer
        self._inbox = inbox
        self._clock = clock
        self._reader = reader
        self._counter = counter
        self._new_arrival = new_arrival
        self._wake = wake

    async def receive(self, request: web.Request) -> web.Response:
        """Answer a request: `202` once the delivery is durable, `200` to a ping.

        Raises:
            ProblemError: it isn't taken; nothing was recorded.
        """
        with self._reader.budget.reserve() as reservation:
            try:
                prepared = await self._take(request, reservation)
            except ProblemError as refusal:
                self._note_refusal(request, refusal)
                raise
            # It ends with the request, which aiohttp handles in a task of its own.
            bind_contextvars(delivery_id=prepared.delivery.delivery_id)
            outcome = await self._keep(prepared)
            self._counter.count(self._hook, outcome)
            self._log.debug("delivery_taken", github_event=prepared.delivery.event, outcome=outcome)
        return _answer(outcome)

    async def _take(self, request: web.Request, reservation: Reservation) -> Prepared:
        """Read and verify. What is wrong first in this order is what is told."""
        if request.method != hdrs.METH_POST:
            raise ProblemError(METHOD_NOT_ALLOWED, headers={hdrs.ALLOW: hdrs.METH_POST})
        body = await self._reader.read(request, reservation)
        work = functools.partial(self._preparer.prepare, request.headers, request.raw_headers, body)
        return work() if len(body) <= SMALL_BODY_BYTES else await asyncio.to_thread(work)

    async def _keep(self, prepared: Prepared) -> str:
        """Make durable what has to be, and return what came of it.

        Raises:
            ProblemError: the database is away.
        """
        try:
            if prepared.delivery.event == PING:
                await self._inbox.note_ping(self._hook.value, self._clock.now())
            recorded = await self._record(prepared)
        except TEMPORARY as failure:
            self._log.warning("delivery_not_recorded", reason=str(failure))
            self._counter.count(self._hook, problems.DATABASE_AWAY.name)
            raise ProblemError(
                problems.DATABASE_AWAY, headers={hdrs.RETRY_AFTER: str(RETRY_AFTER_SECONDS)}
            ) from failure
        if prepared.delivery.event == PING:
            return PING
        return IGNORED if prepared.routed is None or recorded is None else _OUTCOMES[recorded]

    async def _record(self, prepared: Prepared) -> Recorded | None:
        delivery, forward = self._new_delivery(prepared), self._new_forward(prepared)
        if delivery is None and forward is None:
            return None
        recorded = await self._inbox.record(delivery, forward)
        if forward is not None or recorded is not Recorded.REPEAT:
            self._wake()
        return recorded

    def _new_delivery(self, prepared: Prepared) -> NewDelivery | None:
        if prepared.routed is None:
            return None
        return NewDelivery(
            route=self._hook.value,
            delivery_id=prepared.delivery.delivery_id,
            event=prepared.delivery.event,
            action=prepared.delivery.action or "",
            partition=prepared.routed.partition,
            body=prepared.body,
            received_at=self._clock.now(),
        )

    def _new_forward(self, prepared: Prepared) -> NewEffect | None:
        if prepared.forward is None:
            return None
        key = f"{FORWARD_TOPIC}:{self._hook.value}:{prepared.delivery.delivery_id}"
        return NewEffect(
            topic=FORWARD_TOPIC,
            key=key,
            dedupe_key=f"{key}:{self._new_arrival()}",
            payload=prepared.forward,
            run_at=self._clock.now(),
        )

    def _note_refusal(self, request: web.Request, refusal: ProblemError) -> None:
        self._counter.count(self._hook, refusal.problem.name)
        self._log.warning(
            "delivery_refused",
            problem=refusal.problem.name,
            status=refusal.problem.status.value,
            content_length=request.content_length,
        )


_OUTCOMES: Final[Mapping[Recorded, str]] = {
    Recorded.NEW: "recorded",
    Recorded.REPEAT: "repeat",
    Recorded.REQUEUED: "requeued",
}
_ANSWERS: Final[Mapping[str, bytes]] = {
    outcome: msgspec.json.encode({"delivery": outcome}) for outcome in (PING, IGNORED, *_OUTCOMES.values())
}


def _answer(outcome: str) -> web.Response:
    status = HTTPStatus.OK if outcome == PING else HTTPStatus.ACCEPTED
    return web.Response(status=status, body=_ANSWERS[outcome], content_type="application/json")
