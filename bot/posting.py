"""POSTs to addresses of the operator's: any 2xx is receipt, and everything else is tried again."""

import io
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import aiohttp

from billing.errors import TemporaryFailureError

TIMEOUT_SECONDS: Final = 30.0
"""Longer than the ten seconds that GitHub gives, so that whoever could serve GitHub can serve us."""

LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0

AUTOMATIC_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Poster:
    """Posts to one address.

    Args:
        session: The pool of connections; the owner closes it.
        url: Where to.
        setting: The setting's name, for messages; the address itself may hold a secret.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, url: str, setting: str, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._session = session
        self._url = url
        self._setting = setting
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def post(self, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send the body under exactly these headers.

        Raises:
            TemporaryFailureError: It wasn't received. Redirects aren't followed: they would turn the POST into a GET.
        """
        try:
            async with self._session.post(
                self._url,
                data=io.BytesIO(body),
                headers=list(headers),
                allow_redirects=False,
                timeout=self._timeout,
                skip_auto_headers=AUTOMATIC_HEADERS,
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TemporaryFailureError(f"{self._setting} can't be reached: {type(error).__name__}") from error
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise TemporaryFailureError(f"{self._setting} answered {status}", retry_after_seconds=_seconds(retry_after))


def _seconds(retry_after: str) -> float | None:
    """Read the seconds that the other side asked us to wait, up to an hour."""
    text = retry_after.strip()
    return min(float(text), LONGEST_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else None
