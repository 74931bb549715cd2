"""What holds for every request: an id in the log's lines, headers of safety, and problem documents instead of pages."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from structlog.contextvars import bind_contextvars

from bot.problems import BAD_REQUEST, CONTENT_TYPE, INTERNAL_ERROR, METHOD_NOT_ALLOWED, NOT_FOUND, Problem, ProblemError

log = structlog.get_logger()

SAFETY_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        hdrs.CACHE_CONTROL: "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Referrer-Policy": "no-referrer",
        # aiohttp would tell its own and Python's version.
        hdrs.SERVER: "tallyhook",
        "X-Content-Type-Options": "nosniff",
    }
)
"""Sent with every answer that doesn't set them otherwise. A page loosens its own."""

HTTPS_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"Strict-Transport-Security": "max-age=31536000"})

_PROBLEMS: Final[Mapping[int, Problem]] = {
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: METHOD_NOT_ALLOWED,
}


class InFlight:
    """The requests that are being answered, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_draining = False

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def drain(self) -> None:
        """Return once none is left. Connections close with their answer from now on."""
        self.is_draining = True
        await self._idle.wait()


def edge_middleware(*, in_flight: InFlight, is_https: bool, new_request_id: Callable[[], str]) -> Middleware:
    """Make the outermost middleware.

    Args:
        in_flight: counts the requests.
        is_https: whether the server is reached by https, so that browsers may insist on it.
        new_request_id: an id for each request. One that a caller sends along is not trusted.
    """
    headers = {**SAFETY_HEADERS, **HTTPS_HEADERS} if is_https else SAFETY_HEADERS

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = new_request_id()
        # aiohttp handles each request in a task of its own, so what is bound here ends with the request.
        bind_contextvars(request_id=request_id)
        with in_flight:
            response = await _answer(request, handler, request_id)
        sent = response.headers
        sent["X-Request-Id"] = request_id
        for name, value in headers.items():
            sent.setdefault(name, value)
        if in_flight.is_draining:
            response.force_close()
        return response

    return edge


async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], request_id: str
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ProblemError as error:
        return problem_response(error, request_id)
    except web.HTTPException as answer:
        if answer.status < HTTPStatus.BAD_REQUEST:
            raise
        allow: dict[str, str] = {hdrs.ALLOW: answer.headers[hdrs.ALLOW]} if hdrs.ALLOW in answer.headers else {}
        problem = _PROBLEMS.get(answer.status) or _generic_problem(answer.status)
        return problem_response(ProblemError(problem, headers=allow), request_id)
    except Exception:
        resource = request.match_info.route.resource
        log.exception("request_failed", method=request.method, route=resource.canonical if resource else "")
        return problem_response(ProblemError(INTERNAL_ERROR), request_id)


def problem_response(error: ProblemError, request_id: str) -> web.Response:
    """The answer that tells a problem."""
    response = web.Response(
        status=error.problem.status,
        body=error.problem.document(request_id=request_id),
        content_type=CONTENT_TYPE,
        headers=error.headers,
    )
    if error.is_last:
        response.force_close()
    return response


def _generic_problem(status: int) -> Problem:
    known = HTTPStatus(status)
    return Problem(
        name=known.phrase.lower().replace(" ", "-"), status=known, title=known.phrase, detail=BAD_REQUEST.detail
    )
