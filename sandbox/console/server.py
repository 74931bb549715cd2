"""Serves the console page. Everything it needs comes from this server, and nothing is changed but by its buttons."""

import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from sandbox.console.account_actions import ACCOUNT_ACTIONS
from sandbox.console.acting import Scene
from sandbox.console.avatars import draw_avatar
from sandbox.console.cast import Cast, ready_accounts
from sandbox.console.faults import Switchboard
from sandbox.console.feed import Feed
from sandbox.console.hold_actions import HOLD_ACTIONS
from sandbox.console.stage_actions import STAGE_ACTIONS
from sandbox.console.talk_actions import TALK_ACTIONS
from sandbox.console.view import Painter
from sandbox.desk import Desk
from sandbox.github.control import read_command
from sandbox.github.errors import ActionError
from sandbox.github.world import World
from sandbox.guard import Handler, guard_host
from sandbox.inspector import Inspector

FEED = web.AppKey("feed", Feed)

ACTIONS = {**ACCOUNT_ACTIONS, **TALK_ACTIONS, **STAGE_ACTIONS, **HOLD_ACTIONS}
"""What `POST /act/{name}` can do."""

RETRY_MILLISECONDS = 500
"""After so long a page tries again whose stream was cut: a sandbox that starts over is soon back."""
RUN_BYTES = 8

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}

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


def create_console(
    github: World, inspector: Inspector, desk: Desk, *, start_over: Callable[[], None], news: str = ""
) -> web.Application:
    """Return the console's application, for loopback only.

    Args:
        github: Whom the buttons act on; people and ready accounts are added to it. The page moves its clock.
        inspector: How the product is looked into.
        desk: How the product itself is acted on.
        start_over: Called when everything is to begin anew; returns at once.
        news: What is said on the page at first, such as that everything did begin anew.
    """
    cast = Cast(github)
    ready_accounts(github, cast)
    scene = Scene(
        world=github,
        inspector=inspector,
        desk=desk,
        cast=cast,
        switchboard=Switchboard(github),
        start_over=start_over,
    )
    painter = Painter(scene, run=secrets.token_hex(RUN_BYTES), news=news)
    app = web.Application(middlewares=[_dress, guard_host])
    app[FEED] = Feed(github, inspector, painter)
    pages = _Pages(scene, painter)
    app.add_routes(
        [
            web.get("/", pages.show),
            web.get("/static/{name}", pages.show_file),
            web.get("/avatars/{id}.svg", pages.show_avatar),
            web.get("/events", pages.stream),
            web.post("/act/{name}", pages.act),
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

    def __init__(self, scene: Scene, painter: Painter) -> None:
        """Remember the parts."""
        self._scene = scene
        self._painter = painter

    async def show(self, request: web.Request) -> web.Response:
        """Show the whole page."""
        self._scene.world.catch_up()
        scenery = await self._painter.scenery(await self._scene.inspector.snapshot(), request.query)
        return web.Response(text=self._painter.page(scenery), content_type="text/html")

    async def show_file(self, request: web.Request) -> web.Response:
        """Show a style, script or picture."""
        path = _FILES.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        return web.Response(text=path.read_text("utf-8"), content_type=_TYPES[path.suffix])

    async def show_avatar(self, request: web.Request) -> web.Response:
        """Show somebody's picture."""
        number = request.match_info["id"]
        account = self._scene.world.state.find_id(int(number)) if number.isascii() and number.isdigit() else None
        if account is None:
            raise web.HTTPNotFound
        if account is self._scene.world.app_bot:
            return web.Response(text=_FILES["icon.svg"].read_text("utf-8"), content_type=_TYPES[".svg"])
        return web.Response(text=draw_avatar(account), content_type=_TYPES[".svg"])

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell an open page what changed, as server-sent events, until it is closed."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        # Whoever closes the page goes without a word.
        with contextlib.suppress(ConnectionResetError):
            await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
            async with contextlib.aclosing(request.app[FEED].updates(request.query)) as updates:
                async for update in updates:
                    await response.write(f"data: {json.dumps(asdict(update))}\n\n".encode())
        return response

    async def act(self, request: web.Request) -> web.Response:
        """Do what a button says, and say what was done or why it can't be."""
        name = request.match_info["name"]
        action = ACTIONS.get(name)
        if action is None:
            raise web.HTTPNotFound(text=f"There is no action {name!r}.\n")
        command = await read_command(request, action.kind)
        try:
            said = await action.run(self._scene, command)
        except ActionError as error:
            return web.json_response({"message": f"That can't be done: {error}."}, status=409)
        return web.json_response(asdict(said))
