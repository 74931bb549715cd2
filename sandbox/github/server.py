"""The stand-in for GitHub as a server on loopback."""

import asyncio
from typing import Self

from aiohttp import web

from sandbox.background import Background
from sandbox.github.control_routes import ControlRoutes
from sandbox.github.front import FrontPages
from sandbox.github.manifest import ManifestFlow
from sandbox.github.rest_app import AppRoutes
from sandbox.github.rest_comments import CommentRoutes, ReactionRoutes
from sandbox.github.rest_marketplace import AccountRoutes, MarketplaceRoutes
from sandbox.github.rest_middleware import LIMITER, Gate, Handler, Limiter
from sandbox.github.rest_repositories import RepositoryRoutes
from sandbox.github.world import World
from sandbox.guard import guard_host
from sandbox.loopback import require_loopback_host

API_PREFIX = "/api/v3"
"""Where GitHub Enterprise Server has its API; a client that works here has no trouble with a bare host."""


class GitHubStandIn(World):
    """The pretended GitHub, serving its API and pages and sending its webhooks. Its arguments are the world's."""

    _background: Background | None = None
    _runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, and begin to send webhooks.

        Raises:
            NotLoopbackError: The host isn't this machine.
        """
        require_loopback_host(host)
        self._runner = web.AppRunner(create_github(self), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        name = f"[{host}]" if ":" in host else host
        self.state.web_url = f"http://{name}:{self._runner.addresses[0][1]}"
        self.state.api_url = self.state.web_url + API_PREFIX
        await self.courier.start()
        self._background = Background()
        self._background.start(self._keep_time(), name="github-calendar")

    async def close(self) -> None:
        """Stop listening and sending; what wasn't sent is dropped."""
        if self._background is not None:
            await self._background.close()
        await self.courier.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        """Start on a free port."""
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close."""
        await self.close()

    async def _keep_time(self) -> None:
        """Let billing dates come without anybody asking."""
        wake = asyncio.Event()
        self.clock.on_jump(wake.set)
        self.state.on_change(wake.set)
        while True:
            wake.clear()
            self.catch_up()
            due = self.next_due()
            await self.clock.wait(wake, None if due is None else (due - self.clock.now()).total_seconds())


def create_github(github: World) -> web.Application:
    """Return the server's application: pages at the root, the API under its prefix, and the sandbox's own controls."""
    gate = Gate(github.state, github.faults, github.observers, prefix=API_PREFIX, catch_up=github.catch_up)

    @web.middleware
    async def meet_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.handle(request, handler)

    manifest = ManifestFlow(github.state, github.courier)
    api = web.Application(middlewares=[meet_gate])
    api[LIMITER] = Limiter(github.state, github.faults, limit=github.rate_limit)
    AppRoutes(github.state, github).register(api)
    MarketplaceRoutes(github.state).register(api)
    AccountRoutes(github.state).register(api)
    RepositoryRoutes(github.state).register(api)
    CommentRoutes(github.state, github).register(api)
    ReactionRoutes(github.state, github).register(api)
    manifest.register_api(api)
    root = web.Application(middlewares=[guard_host])
    FrontPages(github.state).register(root)
    manifest.register_web(root)
    ControlRoutes(github).register(root)
    root.add_subapp(API_PREFIX, api)
    return root
