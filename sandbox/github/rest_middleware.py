"""What every request to the REST API meets: manners, limits, faults, and those who watch."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from sandbox.github.errors import ApiError, not_found
from sandbox.github.exchange import Exchange, Observer
from sandbox.github.rest_faults import RestFault, RestFaults
from sandbox.github.state import GitHubState

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

API_VERSION_HEADER = "X-GitHub-Api-Version"
API_VERSIONS = ("2022-11-28", "2026-03-10")
LIMIT_WINDOW = timedelta(hours=1)


class Limiter:
    """Counts requests of each credential against the primary limit, in windows of an hour by the clock."""

    def __init__(self, state: GitHubState, faults: RestFaults, *, limit: int) -> None:
        """Start with everything left."""
        self._state = state
        self._faults = faults
        self._limit = limit
        self._reset_at: datetime | None = None
        self._used: Counter[str] = Counter()

    def numbers(self, credential: str) -> dict[str, int]:
        """Return what is left to a credential, in the words of `GET /rate_limit`."""
        now, until = self._state.clock.now(), self._faults.exhausted_until
        if until is not None and now < until:
            return {"limit": self._limit, "remaining": 0, "reset": int(until.timestamp()), "used": self._limit}
        if self._reset_at is None or now >= self._reset_at:
            self._reset_at = now.replace(microsecond=0) + LIMIT_WINDOW
            self._used.clear()
        used = self._used[credential]
        return {
            "limit": self._limit,
            "remaining": max(self._limit - used, 0),
            "reset": int(self._reset_at.timestamp()),
            "used": used,
        }

    def count(self, credential: str) -> None:
        """Count one request.

        Raises:
            ApiError: 403; nothing is left before the reset.
        """
        if self.numbers(credential)["remaining"] == 0:
            raise ApiError(
                403, "API rate limit exceeded for installation ID. If you reach out to GitHub Support for help, say so."
            )
        self._used[credential] += 1

    def headers(self, credential: str) -> dict[str, str]:
        """Return the headers that every answer has."""
        numbers = self.numbers(credential)
        return {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in numbers.items()} | {
            "X-RateLimit-Resource": "core"
        }


LIMITER = web.AppKey("limiter", Limiter)


def credential_of(request: web.Request) -> str:
    """Return whose limit a request counts against."""
    return hashlib.sha256(request.headers.get("Authorization", "anonymous").encode()).hexdigest()


class Gate:
    """The middleware in front of the REST API.

    Args:
        state: The stand-in's state.
        faults: What goes wrong.
        observers: Who sees each request with its answer.
        prefix: The path under which the API lies.
        catch_up: Lets everything happen that is due by the clock.
    """

    def __init__(
        self,
        state: GitHubState,
        faults: RestFaults,
        observers: list[Observer],
        *,
        prefix: str,
        catch_up: Callable[[], None],
    ) -> None:
        """Remember the parts."""
        self._state = state
        self._faults = faults
        self._observers = observers
        self._prefix = prefix
        self._catch_up = catch_up
        self._request_number = 0

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve one request."""
        path = request.path.removeprefix(self._prefix)
        body = await request.read()
        fault = self._faults.take(request.method, path)
        if fault is not None and fault.kind == "dropped":
            return self._close(request, web.Response())
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind == "lands_late":
            # The request goes on without its client, as a server's worker does that has not noticed.
            self._close(request, web.Response())
            await self._state.clock.sleep(fault.seconds)
        response = await self._answer(request, handler, fault)
        self._dress(request, response)
        self._observe(request, response, path=path, body=body, fault=fault)
        if fault is not None and fault.kind == "lost_answer":
            return self._close(request, response)
        return response

    async def _answer(self, request: web.Request, handler: Handler, fault: RestFault | None) -> web.Response:
        """Return the fault's answer or the handler's."""
        made_up = None if fault is None else _faulty(fault, self._state)
        if made_up is not None:
            return made_up
        try:
            _check_manners(request)
            if not request.path.endswith("/rate_limit"):
                request.config_dict[LIMITER].count(credential_of(request))
            self._catch_up()
            response = await handler(request)
        except ApiError as error:
            return web.json_response(error.body(), status=error.status, headers=error.headers)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            # GitHub knows no 405: what has no route for a method isn't there.
            return web.json_response(not_found().body(), status=404)
        if not isinstance(response, web.Response):
            raise TypeError("the REST API answers with whole bodies")
        return response

    def _dress(self, request: web.Request, response: web.Response) -> None:
        """Add the headers that every answer has."""
        self._request_number += 1
        response.headers["X-GitHub-Request-Id"] = f"5A5D:{self._request_number:04X}"
        response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        response.headers["X-GitHub-Api-Version-Selected"] = request.headers.get(API_VERSION_HEADER, API_VERSIONS[0])
        response.headers["Date"] = self._state.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        for name, value in request.config_dict[LIMITER].headers(credential_of(request)).items():
            response.headers.setdefault(name, value)

    def _observe(
        self, request: web.Request, response: web.Response, *, path: str, body: bytes, fault: RestFault | None
    ) -> None:
        """Show the exchange to whoever watches."""
        content = response.body
        exchange = Exchange(
            method=request.method,
            path=path,
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            status=response.status,
            response_headers={name.lower(): value for name, value in response.headers.items()},
            response_body=content if isinstance(content, bytes) else b"",
            fault=None if fault is None or fault.kind == "slow" else fault.kind,
        )
        for observer in self._observers:
            observer(exchange)

    def _close(self, request: web.Request, response: web.Response) -> web.Response:
        """Close the connection under the answer."""
        if request.transport is not None:
            request.transport.abort()
        return response


def _check_manners(request: web.Request) -> None:
    """Refuse what GitHub refuses of anybody.

    Raises:
        ApiError: 403 without a User-Agent, 400 for an API version that doesn't exist.
    """
    if not request.headers.get("User-Agent"):
        raise ApiError(
            403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        )
    version = request.headers.get(API_VERSION_HEADER)
    if version is not None and version not in API_VERSIONS:
        raise ApiError(
            400, f'"{version}" is not a supported version. Supported versions are {", ".join(API_VERSIONS)}.'
        )


def _faulty(fault: RestFault, state: GitHubState) -> web.Response | None:
    """Return the answer that a fault makes, if it makes one."""
    match fault.kind:
        case "status":
            message = HTTPStatus(fault.status).phrase
            return web.json_response(ApiError(fault.status, message).body(), status=fault.status)
        case "garbled":
            return web.Response(text="<html><body>Unicorn!</body></html>", content_type="text/html")
        case "secondary_limit":
            headers = {} if fault.retry_after_seconds is None else {"Retry-After": str(fault.retry_after_seconds)}
            error = ApiError(
                fault.status,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            )
            return web.json_response(error.body(), status=fault.status, headers=headers)
        case "redirect":
            body = {
                "message": "Moved Permanently",
                "url": state.api_url + fault.location,
                "documentation_url": "https://docs.github.com/rest",
            }
            return web.json_response(body, status=fault.status, headers={"Location": state.api_url + fault.location})
        case _:
            return None
