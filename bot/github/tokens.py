"""Who we are at GitHub: the App's own signed token, and the tokens it gets for installations."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from billing.ports import Clock
from billing.values import InstallationId

log = structlog.get_logger()

SKEW_TOLERANCE: Final = timedelta(seconds=5)
"""Clocks that differ by less than this agree: the Date header has whole seconds, and answers take time."""

JWT_BACKDATED: Final = timedelta(seconds=60)
"""GitHub's advice against clock drift.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

JWT_LIFETIME: Final = timedelta(minutes=10)
"""The most that GitHub accepts; counted from the backdated issue, it expires nine minutes from now."""

JWT_REUSED: Final = timedelta(minutes=7)

REFRESHED_EARLY: Final = timedelta(minutes=5)
"""An installation token that expires within this time is replaced, so that none expires on its way."""

MOST_TOKENS: Final = 10_000
"""Beyond this many installations the tokens used longest ago are minted again."""


class GitHubTime:
    """What time it is at GitHub: ours, unless its answers show that the two clocks differ."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """GitHub's time."""
        return self._clock.now() + self._ahead

    def hear(self, date: datetime | None, *, sent_at: datetime) -> None:
        """Take note of an answer's Date header. Between sending and now is where it belongs if the clocks agree."""
        now = self._clock.now()
        if date is None:
            return
        agrees = sent_at - SKEW_TOLERANCE <= date <= now + SKEW_TOLERANCE
        ahead = timedelta(0) if agrees else date - now
        if abs(ahead - self._ahead) > SKEW_TOLERANCE:
            log.warning("github_clock_differs", github_ahead_seconds=ahead.total_seconds())
            self._ahead = ahead


class AppToken:
    """The JWT by which the App itself asks.

    Args:
        client_id: The App's client id, which GitHub recommends over the App id.
        private_key: PEM text of an RSA key.

    Raises:
        ValueError, TypeError: The key can't be read, or is of another kind.
    """

    def __init__(self, *, client_id: str, private_key: str, time: GitHubTime) -> None:
        key = load_pem_private_key(private_key.encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the App's private key isn't an RSA key")
        self._client_id = client_id
        self._key = key
        self._time = time
        self._issued_at: datetime | None = None
        self._token = ""

    def current(self) -> str:
        """Return a token that is good for two more minutes at least, by GitHub's clock."""
        now = self._time.now()
        if self._issued_at is None or not self._issued_at - SKEW_TOLERANCE <= now < self._issued_at + JWT_REUSED:
            backdated = int((now - JWT_BACKDATED).timestamp())
            claims = {
                "iat": backdated,
                "exp": backdated + int(JWT_LIFETIME.total_seconds()),
                "iss": self._client_id,
            }
            self._token = jwt.encode(claims, self._key, algorithm="RS256")
            self._issued_at = now
        return self._token

    def forget(self) -> None:
        """Sign anew the next time, because GitHub refused this one."""
        self._issued_at = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationToken:
    """A token for one installation. Its text is opaque and of any length: GitHub's formats change."""

    value: str = field(repr=False)
    minted_at: datetime
    expires_at: datetime


Mint = Callable[[InstallationId], Awaitable[InstallationToken]]


class InstallationTokens:
    """The installations' tokens, each minted once however many ask for it at the same time."""

    def __init__(self, mint: Mint, *, time: GitHubTime) -> None:
        self._mint = mint
        self._time = time
        self._tokens: dict[InstallationId, InstallationToken] = {}
        self._flights: dict[InstallationId, asyncio.Future[InstallationToken]] = {}

    async def token(self, installation_id: InstallationId) -> InstallationToken:
        """Return a token that lasts five more minutes at least.

        Raises:
            TemporaryFailureError: GitHub doesn't answer, or limits us.
            InstallationSuspendedError, InstallationGoneError: There is none to be had.
        """
        while True:
            token = self._tokens.pop(installation_id, None)
            if token is not None and self._time.now() < token.expires_at - REFRESHED_EARLY:
                # Put back at the end: the first one is the one used longest ago.
                self._tokens[installation_id] = token
                return token
            flight = self._flights.get(installation_id)
            if flight is None:
                return await self._fly(installation_id)
            await asyncio.wait({flight})
            if not flight.cancelled():
                return flight.result()
            # Who minted was cancelled; whoever comes first mints in its place.

    def forget(self, installation_id: InstallationId, token: InstallationToken) -> None:
        """Mint anew the next time, because GitHub refused this token; a newer one is kept."""
        if self._tokens.get(installation_id) is token:
            del self._tokens[installation_id]

    async def _fly(self, installation_id: InstallationId) -> InstallationToken:
        """Mint a token, for all who wait for it."""
        flight: asyncio.Future[InstallationToken] = asyncio.get_running_loop().create_future()
        self._flights[installation_id] = flight
        try:
            token = await self._mint(installation_id)
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except Exception as error:
            flight.set_exception(error)
            # Nobody may be waiting; then it is told to the caller alone.
            flight.exception()
            raise
        finally:
            del self._flights[installation_id]
        self._tokens[installation_id] = token
        while len(self._tokens) > MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        flight.set_result(token)
        return token
