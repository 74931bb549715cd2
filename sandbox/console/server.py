"""Serves the console page. Everything it needs comes from this server, and nothing is changed but by its buttons."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from sandbox.clock import VirtualClock
from sandbox.console.actions import ACTIONS, move_clock, perform
from sandbox.console.faults import FAULTS, begin_fault, end_faults, release_webhooks
from sandbox.console.feed import Feed
from sandbox.console.view import Painter
from sandbox.github.control import Command, MoveClock, read_command
from sandbox.github.errors import ActionError
from sandbox.github.model import Account
from sandbox.github.world import World
from sandbox.guard import Handler, guard_host
from sandbox.inspector import Inspector

FEED = web.AppKey("feed", Feed)

_STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BeginFault(Command, kw_only=True):
    """Let something go wrong: one of `faults.FAULTS`."""

    fault: str


def ready_accounts(world: World) -> list[Account]:
    """Return two users and two organizations to try things with, made at the first call.

    Each has another billing day.
    """
    if world.state.find_login("ada") is None:
        ada = world.add_user("ada", email="ada@example.com", billing_day=1)
        world.add_user("grace", email="grace@example.com", billing_day=15)
        world.add_organization("acme", owner=ada, email="billing@acme.example", billing_day=20)
        world.add_organization("initech", owner="grace", email="billing@initech.example", billing_day=31)
    return [world.state.account(login) for login in ("ada", "grace", "acme", "initech")]


def create_console(github: World, inspector: Inspector, clock: VirtualClock) -> web.Application:
    """Return the console's application, for loopback only.

    Args:
        github: Whom the buttons act on; the ready accounts are added to it.
        inspector: How the product is looked into.
        clock: What the page moves; the one that both share.
    """
    if clock is not github.clock:
        raise ValueError("the console moves one clock: the one that the pretended GitHub runs by")
    ready_accounts(github)
    painter = Painter(github)
    app = web.Application(middlewares=[_dress, guard_host])
    app[FEED] = Feed(github, inspector, painter)
    pages = _Pages(github, inspector, painter)
    app.add_routes(
        [
            web.get("/", pages.show),
            web.get("/static/{name}", pages.show_file),
            web.get("/events", pages.stream),
            web.post("/act/{name}", pages.act),
            web.post("/clock", pages.move_clock),
            web.post("/faults/begin", pages.begin_fault),
            web.post("/faults/end", pages.end_faults),
            web.post("/faults/release", pages.release_webhooks),
        ]
    )
    app.on_startup.append(_start_feed)
    # Open pages are let go on shutdown, before the server waits for its connections to end.
    app.on_shutdown.append(_close_feed)
    return app


async def _start_feed(app: web.Application) -> None:
    """Begin to look for changes."""
    app[FEED].start()


async def _close_feed(app: web.Application) -> None:
    """Stop, and let open pages go."""
    await app[FEED].close()


@web.middleware
async def _dress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that keep a page to itself, to refusals too; a stream sets them when it begins."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        refusal.headers.update(HEADERS)
        raise
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


class _Pages:
    """The console's routes."""

    def __init__(self, world: World, inspector: Inspector, painter: Painter) -> None:
        """Remember the parts."""
        self._world = world
        self._inspector = inspector
        self._painter = painter

    async def show(self, _request: web.Request) -> web.Response:
        """Show the whole page."""
        self._world.catch_up()
        return web.Response(text=self._painter.page(await self._inspector.snapshot()), content_type="text/html")

    async def show_file(self, request: web.Request) -> web.Response:
        """Show a style, script or picture."""
        name = request.match_info["name"]
        kind = _STATIC_TYPES.get(name)
        if kind is None:
            raise web.HTTPNotFound
        return web.Response(text=(_STATIC / name).read_text("utf-8"), content_type=kind)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell an open page what changed, as server-sent events, until it is closed."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        # Whoever closes the page goes without a word.
        with contextlib.suppress(ConnectionResetError):
            async with contextlib.aclosing(request.app[FEED].updates()) as updates:
                async for update in updates:
                    await response.write(f"data: {json.dumps(asdict(update))}\n\n".encode())
        return response

    async def act(self, request: web.Request) -> web.Response:
        """Do what a button says, and say what was done or why it can't be."""
        name = request.match_info["name"]
        if name not in ACTIONS:
            raise web.HTTPNotFound(text=f"There is no action {name!r}.\n")
        command = await read_command(request, ACTIONS[name][0])
        try:
            return web.json_response({"message": perform(self._world, name, command)})
        except ActionError as error:
            return web.json_response({"message": _sentence(error)}, status=409)

    async def move_clock(self, request: web.Request) -> web.Response:
        """Move the clock forward."""
        command: MoveClock = await read_command(request, MoveClock)
        try:
            return web.json_response({"message": move_clock(self._world, command)})
        except (ValueError, OverflowError) as error:
            return web.json_response({"message": _sentence(error)}, status=409)

    async def begin_fault(self, request: web.Request) -> web.Response:
        """Let something go wrong."""
        command: BeginFault = await read_command(request, BeginFault)
        if command.fault not in FAULTS:
            raise web.HTTPUnprocessableEntity(text=f"There is no fault {command.fault!r}.\n")
        return web.json_response({"message": begin_fault(self._world, command.fault)})

    async def end_faults(self, request: web.Request) -> web.Response:
        """Let nothing go wrong any more."""
        await read_command(request, Command)
        return web.json_response({"message": end_faults(self._world)})

    async def release_webhooks(self, request: web.Request) -> web.Response:
        """Send what was held back, in the wrong order."""
        await read_command(request, Command)
        return web.json_response({"message": release_webhooks(self._world)})


def _sentence(error: Exception) -> str:
    """Return an error's words as a sentence."""
    text = str(error)
    return f"That can't be done: {text}."
