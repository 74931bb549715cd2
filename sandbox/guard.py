"""Keeps web pages of the outside from driving the sandbox through a visitor's browser."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.loopback import is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def guard_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that name another host (a foreign name may be made to point here) or come from another site."""
    host = urlsplit(f"//{request.host}").hostname
    if host is None or not is_loopback(host):
        raise web.HTTPMisdirectedRequest(text="The sandbox answers to loopback addresses only.\n")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
        raise web.HTTPForbidden(text="Another site's page may not drive the sandbox.\n")
    return await handler(request)
