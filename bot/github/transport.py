"""One request to GitHub and its whole answer, with a bound on everything: time, size and redirects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from billing.errors import TemporaryFailureError

LARGEST_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""A page of a hundred comments of 65,536 characters, each of four bytes, and what stands around them."""

MOST_REDIRECTS: Final = 3

REDIRECTS: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. The headers hold a credential, so they are left out of what gets printed."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status below 500.

    Attributes:
        headers: Names are found in any case.
        links: Addresses of other pages by the Link header, under `first`, `prev`, `next` and `last`.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    links: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def date(self) -> datetime | None:
        """GitHub's time when it answered, by the Date header."""
        return read_http_date(self.headers.get("Date"))


def read_http_date(text: str | None) -> datetime | None:
    """Return the moment that an HTTP header names, else None."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class Transport:
    """Sends requests over one HTTP session.

    Args:
        session: The pool of connections; the owner closes it.
        timeout_seconds: For a whole exchange. GitHub itself gives up after ten.
    """

    def __init__(self, session: aiohttp.ClientSession, *, timeout_seconds: float) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def send(self, request: Request) -> Answer:
        """Send the request and return the whole answer.

        A read follows redirects on the same server. A write never does: an HTTP client turns a redirected POST into a
        GET, which succeeds and writes nothing.

        Raises:
            TemporaryFailureError: No answer, half an answer, one that is too large, or a status of 500 and above.
        """
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._exchange(request)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TemporaryFailureError(f"GitHub answered {answer.status}")
            if request.method != "GET" or answer.status not in REDIRECTS:
                return answer
            request = _redirected(request, answer)
        raise TemporaryFailureError("GitHub redirects without end")

    async def _exchange(self, request: Request) -> Answer:
        """Do one HTTP exchange."""
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                body = await _whole_body(response)
                links = {name: str(link["url"]) for name, link in response.links.items()}
                return Answer(status=response.status, headers=response.headers, body=body, links=links)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # A ValueError is an address in a Link header that is none.
            raise TemporaryFailureError(f"GitHub can't be reached: {type(error).__name__}") from error


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    """Read the body up to the bound; what unpacks to more is refused as well."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER_BYTES:
            raise TemporaryFailureError(f"GitHub's answer is larger than {LARGEST_ANSWER_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _redirected(request: Request, answer: Answer) -> Request:
    """Return the request to where the answer points.

    Raises:
        TemporaryFailureError: It points to another server, which must not see our credential, or nowhere.
    """
    try:
        target = URL(request.url).join(URL(answer.headers.get("Location", "")))
    except ValueError:
        raise TemporaryFailureError("GitHub redirects to nowhere") from None
    if not is_same_server(request.url, str(target)):
        raise TemporaryFailureError("GitHub redirects to another server")
    return Request(method=request.method, url=str(target), headers=request.headers)


def is_same_server(one: str, other: str) -> bool:
    """Tell whether two addresses have the same scheme, host and port. An address without a host is nobody's."""
    try:
        mine, theirs = URL(one), URL(other)
    except ValueError:
        return False
    return mine.host is not None and (mine.scheme, mine.host, mine.port) == (theirs.scheme, theirs.host, theirs.port)
