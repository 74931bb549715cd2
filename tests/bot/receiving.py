"""Receivers, started for the length of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP

from tests.bot.receiver import HttpReceiver, MailReceiver


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    """An HTTP receiver at an address of its own."""
    receiver = HttpReceiver()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{anything:.*}", receiver.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@asynccontextmanager
async def mail_receiver(**options: Any) -> AsyncIterator[MailReceiver]:
    """A mail server at a port of its own; the options are aiosmtpd's."""
    receiver = MailReceiver()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(receiver, hostname="localhost", loop=loop, **options), host="127.0.0.1", port=0
    )
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
