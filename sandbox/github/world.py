"""The pretended GitHub without its server: its state, its faults, its hooks, and everybody who acts there."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sandbox.clock import VirtualClock
from sandbox.github import payloads
from sandbox.github.conversation_actors import ConversationActors
from sandbox.github.courier import ANSWER_SECONDS, Courier, EventObserver
from sandbox.github.exchange import Observer
from sandbox.github.marketplace import MarketplaceActors
from sandbox.github.model import HookName, Plan
from sandbox.github.rest_faults import RestFaults
from sandbox.github.state import GitHubState
from sandbox.github.webhook_faults import WebhookFaults
from sandbox.loopback import require_loopback_url

RATE_LIMIT = 5000
"""Requests an hour (GitHub documentation, "Rate limits for GitHub Apps")."""


class World(MarketplaceActors, ConversationActors):
    """A pretended GitHub with one App: start it, act on it, and see what the product makes of it.

    Acts are plain methods (`install`, `buy`, `cancel` …) that change the state at once and queue webhooks; `await
    settle()` returns when the product has answered those that are due.

    Args:
        clock: Shared with the product, so that a jump wakes both.
        seed: Of ids, tokens and random faults.
        private_key_pem: The App's key; one for each process if absent.
        plans: The listing's plans; a free and a flat one if absent.
        target_url: The product's base address; its two webhook routes are appended to it.
        observers: See each request to the API with its answer.
        event_observers: See each webhook's event as it comes about.
        answer_seconds: How long, in real time, a webhook's target may take.
        concurrency: How many deliveries of one hook are under way at a time.
        rate_limit: Requests an hour for each credential.
        id_offset: How much higher the ids of what is written begin; another one for each stand-in of a kept database.
    """

    def __init__(  # noqa: PLR0913 -- each is optional, named, and for another duty
        self,
        clock: VirtualClock | None = None,
        *,
        seed: int = 0,
        private_key_pem: str | None = None,
        plans: Iterable[Plan] | None = None,
        target_url: str | None = None,
        observers: Iterable[Observer] = (),
        event_observers: Iterable[EventObserver] = (),
        answer_seconds: float = ANSWER_SECONDS,
        concurrency: int = 1,
        rate_limit: int = RATE_LIMIT,
        id_offset: int = 0,
    ) -> None:
        """Set up the state; nothing listens yet."""
        self.clock = VirtualClock() if clock is None else clock
        self.state = GitHubState(
            self.clock, seed=seed, private_key_pem=private_key_pem, plans=plans, id_offset=id_offset
        )
        self.faults = RestFaults(seed=seed)
        self.webhook_faults = WebhookFaults(seed=seed)
        self.courier = Courier(
            self.state, self.clock, self.webhook_faults, answer_seconds=answer_seconds, concurrency=concurrency
        )
        self.courier.observers.extend(event_observers)
        self.observers: list[Observer] = list(observers)
        self.rate_limit = rate_limit
        self._start_calendar()
        if target_url is not None:
            self.connect(target_url, ping=False)

    # Its settings, as the product needs them -------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """The API's base address."""
        return self.state.api_url

    @property
    def web_url(self) -> str:
        """The pages' base address."""
        return self.state.web_url

    @property
    def app_id(self) -> int:
        """The App's id."""
        return self.state.app.id

    @property
    def client_id(self) -> str:
        """The App's client id."""
        return self.state.app.client_id

    @property
    def client_secret(self) -> str:
        """The App's client secret."""
        return self.state.app.client_secret

    @property
    def private_key_pem(self) -> str:
        """The App's private key."""
        return self.state.app.private_key_pem

    @property
    def webhook_secret(self) -> str:
        """The secret of the App's hook; empty if it was taken away."""
        return self.state.hooks["app"].secret or ""

    @property
    def marketplace_webhook_secret(self) -> str:
        """The secret of the listing's hook; empty if it was taken away."""
        return self.state.hooks["marketplace"].secret or ""

    def content_writes(self, installation_id: int) -> list[datetime]:
        """Return when an installation wrote comments and reactions, edits and deletions included, the oldest first."""
        return list(self.state.content_limits.writes[installation_id])

    def content_refusals(self, installation_id: int) -> list[datetime]:
        """Return when an installation wanted to write and had written too much, the oldest first."""
        return list(self.state.content_limits.refusals[installation_id])

    async def settle(self) -> None:
        """Return once what is due by the clock has happened and its webhooks were answered; held and late ones stay."""
        self.catch_up()
        await self.courier.settle()

    # Hooks -----------------------------------------------------------------------------------------------------------

    @property
    def target_url(self) -> str | None:
        """Where the App's webhooks go."""
        return self.state.hooks["app"].url

    def connect(self, target_url: str, *, ping: bool = True) -> None:
        """Point both hooks to the product at this base address, and ping them as GitHub does when a hook is made.

        Raises:
            NotLoopbackError: The address isn't on this machine.
        """
        base = require_loopback_url(target_url).rstrip("/")
        self.set_hook("app", f"{base}/webhooks/github", ping=ping)
        self.set_hook("marketplace", f"{base}/webhooks/github/marketplace", ping=ping)

    def set_hook(
        self,
        hook_name: HookName,
        url: str | None,
        *,
        secret: str | None = None,
        content_type: Literal["json", "form"] | None = None,
        ping: bool = True,
    ) -> None:
        """Set one hook's address and, if given, its secret and encoding, and ping it.

        Raises:
            NotLoopbackError: The address isn't on this machine.
        """
        hook = self.state.hooks[hook_name]
        hook.url = None if url is None else require_loopback_url(url)
        hook.secret = hook.secret if secret is None else secret
        hook.content_type = hook.content_type if content_type is None else content_type
        self.state.changed()
        if ping and hook.url is not None:
            self.ping(hook_name)

    def ping(self, hook_name: HookName) -> None:
        """Send `ping` to a hook."""
        self.courier.emit(hook_name, "ping", payloads.ping_event(self.state, self.state.hooks[hook_name]))
