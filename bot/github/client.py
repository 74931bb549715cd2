"""The App's way of asking GitHub: credentials, limits, retries of what a fresh credential explains, and pages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Self, TypeVar

import aiohttp
import msgspec
import structlog
from gidgethub import sansio

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from billing.values import InstallationId
from bot.github.errors import InstallationGoneError, InstallationSuspendedError
from bot.github.limits import Pauses
from bot.github.paging import forwards, newest_first
from bot.github.tokens import AppToken, GitHubTime, InstallationToken, InstallationTokens
from bot.github.transport import Answer, Request, Transport
from handlers.tolerant import a_moment, read, read_all

Model = TypeVar("Model", bound=msgspec.Struct)

log = structlog.get_logger()

API_VERSION: Final = "2022-11-28"
USER_AGENT: Final = "Tallyhook"

APP_BUDGET: Final = "app"

TIMEOUT_SECONDS: Final = 15.0

MOST_CONNECTIONS: Final = 96
"""Of one process: GitHub allows a hundred requests at a time, and 64 partitions and 32 replies each ask one at a time.

Several processes may meet that limit, which is then waited for like any other.
"""

YOUNG: Final = timedelta(seconds=10)
"""GitHub's servers may not know a token yet that was minted this short a time ago."""

YOUNG_WAITS_SECONDS: Final = (1, 2, 4)

TOKEN_LIFETIME: Final = timedelta(hours=1)
"""Of an installation token whose answer doesn't say."""


class TokenFields(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to minting a token."""

    token: str | None = None
    expires_at: str | None = None


class GitHubClient:
    """Asks GitHub as the App, or as one of its installations.

    Whatever can pass is raised as a `TemporaryFailureError`: no answer, a status of 500 and above, a rate limit. Every
    other answer is returned, and what it means is for the caller to say.

    Args:
        api_url: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise Server.
        client_id: The App's client id.
        private_key: The App's private key, PEM text.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        client_id: str,
        private_key: str,
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._transport = Transport(session, timeout_seconds=timeout_seconds)
        self._api_url = api_url
        self._clock = clock
        self._time = GitHubTime(clock)
        self._app_token = AppToken(client_id=client_id, private_key=private_key, time=self._time)
        self._tokens = InstallationTokens(self._mint, time=self._time)
        self._pauses = Pauses(clock)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, api_url: str, client_id: str, private_key: str, clock: Clock, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> AsyncIterator[Self]:
        """Open a client with connections of its own, and close them."""
        connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield cls(
                session,
                api_url=api_url,
                client_id=client_id,
                private_key=private_key,
                clock=clock,
                timeout_seconds=timeout_seconds,
            )

    async def ask_as_app(
        self, method: str, path: str, variables: Mapping[str, str] | None = None, *, body: bytes = b""
    ) -> Answer:
        """Ask with the App's own token.

        Args:
            method: The HTTP method.
            path: A URI template below the API's address, such as `/app/installations/{id}`.
            variables: What stands for the template's names.
            body: JSON text.
        """
        return await self._ask_as_app(method, sansio.format_url(path, variables, base_url=self._api_url), body)

    def pages_as_app(self, path: str, variables: Mapping[str, str] | None = None) -> AsyncIterator[Answer]:
        """Read a listing page by page, up to the first page that isn't answered with `200`; that one is yielded too.

        Raises:
            TemporaryFailureError: Also when a page names a next one on another server, or there is no end.
        """

        async def ask(url: str) -> Answer:
            return await self._ask_as_app("GET", url, b"")

        return forwards(ask, sansio.format_url(path, variables, base_url=self._api_url))

    async def ask_as_installation(
        self,
        installation_id: InstallationId,
        method: str,
        path: str,
        variables: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
    ) -> Answer:
        """Ask with a token of the installation's.

        A `401` of a token that is younger than ten seconds is asked again after 1, 2 and 4 seconds; any other one once,
        with a new token.

        Raises:
            TemporaryFailureError: As ever.
            InstallationSuspendedError, InstallationGoneError: The installation can't be acted for.
        """
        url = sansio.format_url(path, variables, base_url=self._api_url)
        return await self._ask_as_installation(installation_id, method, url, body)

    def pages_as_installation(
        self, installation_id: InstallationId, path: str, variables: Mapping[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """Read a listing as `pages_as_app` does, with a token of the installation's."""
        return forwards(self._asking_as(installation_id), sansio.format_url(path, variables, base_url=self._api_url))

    def newest_pages_as_installation(
        self, installation_id: InstallationId, path: str, variables: Mapping[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """Read a listing's first page, then its last one, and from there backwards to the second."""
        return newest_first(
            self._asking_as(installation_id), sansio.format_url(path, variables, base_url=self._api_url)
        )

    def _asking_as(self, installation_id: InstallationId) -> Callable[[str], Awaitable[Answer]]:
        async def ask(url: str) -> Answer:
            return await self._ask_as_installation(installation_id, "GET", url, b"")

        return ask

    async def _ask_as_installation(self, installation_id: InstallationId, method: str, url: str, body: bytes) -> Answer:
        async def attempt(token: InstallationToken) -> Answer:
            headers = _headers(sansio.create_headers(USER_AGENT, oauth_token=token.value), body)
            request = Request(method=method, url=url, headers=headers, body=body)
            return await self._send(request, budget=f"installation:{installation_id}")

        token = await self._tokens.token(installation_id)
        answer = await self._until_known(token, attempt)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.forget(installation_id, token)
            answer = await self._until_known(await self._tokens.token(installation_id), attempt)
        return answer

    async def _until_known(
        self, token: InstallationToken, attempt: Callable[[InstallationToken], Awaitable[Answer]]
    ) -> Answer:
        """Ask; and again a few times while the token is so young that GitHub's servers may not know it yet."""
        answer = await attempt(token)
        for wait_seconds in YOUNG_WAITS_SECONDS:
            if answer.status != HTTPStatus.UNAUTHORIZED or self._time.now() - token.minted_at >= YOUNG:
                break
            await self._clock.sleep(wait_seconds)
            answer = await attempt(token)
        return answer

    async def _ask_as_app(self, method: str, url: str, body: bytes) -> Answer:
        """Ask with the App's token; once more with a new one if it is refused, as its time may have been wrong."""
        answer = await self._attempt_as_app(method, url, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            log.warning("github_app_token_refused")
            self._app_token.forget()
            answer = await self._attempt_as_app(method, url, body)
        return answer

    async def _attempt_as_app(self, method: str, url: str, body: bytes) -> Answer:
        headers = _headers(sansio.create_headers(USER_AGENT, jwt=self._app_token.current()), body)
        return await self._send(Request(method=method, url=url, headers=headers, body=body), budget=APP_BUDGET)

    async def _send(self, request: Request, *, budget: str) -> Answer:
        """Send the request unless we were asked to wait; learn GitHub's time and limits from the answer."""
        self._pauses.check(budget)
        sent_at = self._clock.now()
        answer = await self._transport.send(request)
        self._time.hear(answer.date, sent_at=sent_at)
        self._pauses.heed(budget, answer)
        return answer

    async def _mint(self, installation_id: InstallationId) -> InstallationToken:
        """Get a token for an installation."""
        path, variables = (
            "/app/installations/{installation_id}/access_tokens",
            {"installation_id": str(installation_id)},
        )
        answer = await self.ask_as_app("POST", path, variables)
        match answer.status:
            case HTTPStatus.CREATED:
                return self._token(answer)
            case HTTPStatus.FORBIDDEN:
                raise InstallationSuspendedError(installation_id)
            case HTTPStatus.NOT_FOUND:
                raise InstallationGoneError(installation_id)
            case status:
                raise TemporaryFailureError(f"GitHub gives no token for the installation ({status})")

    def _token(self, answer: Answer) -> InstallationToken:
        """Read the token out of the answer."""
        fields = read_answer(TokenFields, answer)
        if not fields.token:
            raise TemporaryFailureError("GitHub's answer holds no token")
        now = self._time.now()
        expires_at = a_moment(fields.expires_at) or now + TOKEN_LIFETIME
        return InstallationToken(value=fields.token, minted_at=now, expires_at=expires_at)


def read_answer(model: type[Model], answer: Answer) -> Model:
    """Read an answer's JSON.

    Raises:
        TemporaryFailureError: It is none; something between GitHub and us answered instead.
    """
    try:
        return read(model, answer.body)
    except ValueError as error:
        raise TemporaryFailureError("GitHub's answer is no JSON") from error


def read_listing(model: type[Model], answer: Answer) -> list[Model]:
    """Read an answer's JSON array.

    Raises:
        TemporaryFailureError: It is none: an empty list would say that there is nothing.
    """
    if not answer.body.lstrip().startswith(b"["):
        raise TemporaryFailureError("GitHub's answer is no list")
    try:
        return msgspec.json.decode(answer.body, type=list[model])  # type: ignore[valid-type]
    except msgspec.DecodeError:
        # Something in it doesn't fit its field; field by field what does is read.
        pass
    try:
        return read_all(model, answer.body)
    except ValueError as error:
        raise TemporaryFailureError("GitHub's answer is no JSON") from error


def _headers(credential: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Complete the headers of a request."""
    headers = {**credential, "X-GitHub-Api-Version": API_VERSION}
    if body:
        headers["Content-Type"] = "application/json"
    return headers
