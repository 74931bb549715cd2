"""Sends webhooks as GitHub does: signed, with a time limit, logged, and never again by itself."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from sandbox.background import Background
from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.github.model import Event, Hook, HookDelivery, HookName
from sandbox.github.state import GitHubState
from sandbox.github.webhook_faults import WebhookFaults
from sandbox.loopback import is_loopback

Json = dict[str, Any]
EventObserver = Callable[[Event, dict[str, str]], None]
"""Sees an event with the headers that it is sent with."""

HOOKSHOT = "GitHub-Hookshot/7be4d1e"
ANSWER_SECONDS = 10.0
"""How long a target may take (GitHub documentation, "Handling webhook deliveries")."""
_LOGGED_BODY_CHARACTERS = 4096


@dataclass(slots=True, kw_only=True, eq=False)
class Outgoing:
    """A webhook on its way.

    Attributes:
        due: When it goes out, by the clock.
    """

    event: Event
    redelivery: bool
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attempt."""

    status: str
    status_code: int
    headers: dict[str, str]
    body: str


def signature_headers(secret: str | None, body: bytes) -> dict[str, str]:
    """Return the two signatures over a raw body; none if the hook has no secret."""
    if secret is None:
        return {}
    key = secret.encode("utf-8")
    return {
        "X-Hub-Signature": "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }


def delivery_headers(event: Event, hook: Hook, *, app_id: int) -> dict[str, str]:
    """Return the headers of one delivery, signatures included."""
    return {
        "Accept": "*/*",
        "Content-Type": event.content_type,
        "User-Agent": HOOKSHOT,
        "X-GitHub-Delivery": event.guid,
        "X-GitHub-Event": event.name,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-ID": str(app_id),
        "X-GitHub-Hook-Installation-Target-Type": "integration" if hook.name == "app" else "marketplace::listing",
        **signature_headers(hook.secret, event.body),
    }


class Courier:
    """The queue of webhooks, one for each hook, first come first served unless a fault says otherwise.

    Args:
        state: Knows the hooks and keeps the delivery log.
        clock: Makes late webhooks due.
        faults: What goes wrong.
        answer_seconds: How long, in real time, a target may take.
        concurrency: How many deliveries of one hook are under way at a time; one keeps their order.
    """

    def __init__(
        self,
        state: GitHubState,
        clock: VirtualClock,
        faults: WebhookFaults,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        concurrency: int = 1,
    ) -> None:
        """Start with nothing to send."""
        self.faults = faults
        self.observers: list[EventObserver] = []
        self.held: list[Outgoing] = []
        self._state = state
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._concurrency = concurrency
        self._queues: dict[HookName, asyncio.Queue[Outgoing]] = {"app": asyncio.Queue(), "marketplace": asyncio.Queue()}
        self._late: list[Outgoing] = []
        self._unsent = 0
        self._sent = asyncio.Event()
        self._late_changed = asyncio.Event()
        self._background = Background()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Begin to send."""
        # Cookies of a target are none of a webhook's business.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        self._clock.on_jump(self._late_changed.set)
        hooks: tuple[HookName, ...] = ("app", "marketplace")
        for hook, number in itertools.product(hooks, range(self._concurrency)):
            self._background.start(self._send_all(hook), name=f"webhooks-{hook}-{number}")
        self._background.start(self._watch_late(), name="webhooks-late")

    async def close(self) -> None:
        """Stop at once; what wasn't sent isn't."""
        await self._background.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # What is to be sent ----------------------------------------------------------------------------------------------

    def emit(
        self,
        hook_name: HookName,
        name: str,
        payload: Json,
        *,
        installation_id: int | None = None,
        repository_id: int | None = None,
    ) -> Event | None:
        """Tell a hook that something happened; nothing is sent if it has no address or is switched off."""
        hook = self._state.hooks[hook_name]
        action = payload.get("action")
        created_at = self._state.clock.now()
        altered = self.faults.altered(payload, event=name, action=action)
        event = Event(
            guid=self._state.next_guid(),
            hook=hook_name,
            name=name,
            action=action,
            payload=altered,
            altered=altered is not payload,
            body=_encode(altered, hook),
            content_type="application/json" if hook.content_type == "json" else "application/x-www-form-urlencoded",
            installation_id=installation_id,
            repository_id=repository_id,
            created_at=created_at,
        )
        for observer in self.observers:
            observer(event, delivery_headers(event, hook, app_id=self._state.app.id))
        self._state.changed()
        if hook.url is None or not hook.active:
            return None
        dispatch = self.faults.dispatch(event=name, action=action)
        if dispatch.held:
            self.held.append(Outgoing(event=event, redelivery=False, due=created_at))
        if dispatch.failed:
            self._log(event, hook, redelivery=False, outcome=_unreached("failed to connect to host"), seconds=0.0)
        for delay in dispatch.delays:
            self._enqueue(Outgoing(event=event, redelivery=False, due=created_at + delay))
        return event

    def redeliver(self, hook_name: HookName, delivery_id: int) -> None:
        """Send a logged event again, with the same GUID.

        Raises:
            ActionError: The log has no such delivery.
        """
        event = self._state.find_event(hook_name, delivery_id)
        if event is None:
            raise ActionError(f"there is no delivery {delivery_id}")
        self._enqueue(Outgoing(event=event, redelivery=True, due=self._state.clock.now()))

    def release(self, *, reverse: bool = False, shuffle: bool = False) -> int:
        """Send what was held, in order, in reverse, or shuffled by the state's seed; return how many."""
        held, self.held = self.held, []
        if reverse:
            held.reverse()
        if shuffle:
            self._state.random.shuffle(held)
        for outgoing in held:
            self._enqueue(outgoing)
        self._state.changed()
        return len(held)

    @property
    def waiting(self) -> int:
        """How many webhooks are still to be sent or answered, late ones included, held ones not."""
        return self._unsent + len(self._late)

    async def settle(self) -> None:
        """Return once everything that is due was sent and answered. What is held, or late and not yet due, stays.

        Raises:
            RuntimeError: Nothing is being sent, because the courier isn't started.
        """
        if self._session is None:
            raise RuntimeError("webhooks are sent only while the stand-in is started")
        self._move_due()
        while self._unsent:
            self._sent.clear()
            await self._sent.wait()
            self._background.check()
            self._move_due()

    def _enqueue(self, outgoing: Outgoing) -> None:
        """Put a webhook where it belongs by its time."""
        if outgoing.due > self._clock.now():
            self._late.append(outgoing)
            self._late_changed.set()
        else:
            self._unsent += 1
            self._queues[outgoing.event.hook].put_nowait(outgoing)

    def _move_due(self) -> None:
        """Queue the late webhooks whose time has come, earliest first."""
        now = self._clock.now()
        due = sorted((late for late in self._late if late.due <= now), key=lambda late: late.due)
        for late in due:
            self._late.remove(late)
            self._enqueue(late)

    # Sending ---------------------------------------------------------------------------------------------------------

    async def _watch_late(self) -> None:
        """Queue late webhooks when their time comes."""
        while True:
            self._late_changed.clear()
            self._move_due()
            next_due = min((late.due for late in self._late), default=None)
            await self._clock.wait(
                self._late_changed, None if next_due is None else (next_due - self._clock.now()).total_seconds()
            )

    async def _send_all(self, hook_name: HookName) -> None:
        """Send one hook's webhooks as they come."""
        queue = self._queues[hook_name]
        while True:
            outgoing = await queue.get()
            try:
                await self._send(outgoing)
            finally:
                self._unsent -= 1
                self._sent.set()

    async def _send(self, outgoing: Outgoing) -> None:
        """Deliver one webhook once and log the attempt."""
        hook = self._state.hooks[outgoing.event.hook]
        started = time.monotonic()
        outcome = await self._post(outgoing.event, hook)
        self._log(
            outgoing.event, hook, redelivery=outgoing.redelivery, outcome=outcome, seconds=time.monotonic() - started
        )

    async def _post(self, event: Event, hook: Hook) -> Outcome:
        """Send a webhook's request and return what came of it."""
        if self._session is None or hook.url is None:
            return _unreached("failed to connect to host")
        if not is_loopback(urlsplit(hook.url).hostname or ""):
            return _unreached("refused: the sandbox sends to loopback addresses only")
        try:
            async with self._session.post(
                hook.url,
                data=event.body,
                headers=delivery_headers(event, hook, app_id=self._state.app.id),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._answer_seconds),
            ) as answer:
                body = await answer.text(errors="replace")
                status = "OK" if answer.ok else f"Invalid HTTP Response: {answer.status}"
                return Outcome(
                    status=status,
                    status_code=answer.status,
                    headers=dict(answer.headers),
                    body=body[:_LOGGED_BODY_CHARACTERS],
                )
        except TimeoutError:
            return _unreached("timed out")
        except aiohttp.ClientError:
            return _unreached("failed to connect to host")

    def _log(self, event: Event, hook: Hook, *, redelivery: bool, outcome: Outcome, seconds: float) -> None:
        """Keep one attempt in the delivery log."""
        self._state.log_delivery(
            HookDelivery(
                id=self._state.next_id("delivery"),
                event=event,
                delivered_at=self._state.clock.now(),
                redelivery=redelivery,
                duration_seconds=seconds,
                status=outcome.status,
                status_code=outcome.status_code,
                url="" if hook.url is None else hook.url,
                request_headers=delivery_headers(event, hook, app_id=self._state.app.id),
                response_headers=outcome.headers,
                response_body=outcome.body,
            )
        )


def _encode(payload: Json, hook: Hook) -> bytes:
    """Return a webhook's raw body in the hook's encoding."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") if hook.content_type == "json" else urlencode({"payload": text}).encode("ascii")


def _unreached(status: str) -> Outcome:
    """Return the outcome of an attempt that had no answer."""
    return Outcome(status=status, status_code=0, headers={}, body="")
