"""A server that answers what GitHub never would, on loopback."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Impostor:
    """A server at a bare host, answering whatever a test wants, and keeping the paths that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Handler = answering(lambda: web.json_response({}))
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        return await self.answer(request)

    def say(self, value: Any) -> None:
        """Answer every request with this JSON."""
        self.answer = answering(lambda: web.json_response(value))

    def say_token_then(self, value: Any) -> None:
        """Give a token to whoever asks for one, and answer every other request with this JSON."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.path.endswith("/access_tokens"):
                return web.json_response({"token": "a-token"}, status=201)
            return web.json_response(value)

        self.answer = handle


def answering(response: Callable[[], web.Response]) -> Handler:
    """A handler that answers every request alike."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return response()

    return handle
