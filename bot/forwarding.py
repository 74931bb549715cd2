"""Passing verified deliveries on, unchanged, to the vendor's own app: an App has one webhook address only."""

import zlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, Self

import aiohttp
import msgspec

from billing.errors import TemporaryFailureError

FORWARD_TOPIC: Final = "forward"

LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024

LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0

TIMEOUT_SECONDS: Final = 30.0
"""Longer than the ten seconds that GitHub gives, so that whoever could serve GitHub can serve us."""

OF_ONE_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that speak of the connection by which a request came, and mean nothing on another one (RFC 9110, 7.6.1)."""


class ForwardedDelivery(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A delivery as it came, the payload of an effect of the topic `forward`.

    Attributes:
        headers: Names and values as they came, in their order, without those of the connection.
        compressed_body: The raw body, compressed by zlib; raw, because the signature is of every byte.
    """

    headers: tuple[tuple[bytes, bytes], ...]
    compressed_body: bytes

    @classmethod
    def of(cls, raw_headers: Iterable[tuple[bytes, bytes]], compressed_body: bytes) -> Self:
        """Keep what is to be passed on of a request."""
        kept = tuple((name, value) for name, value in raw_headers if name.lower() not in OF_ONE_CONNECTION)
        return cls(headers=kept, compressed_body=compressed_body)

    def packed(self) -> bytes:
        """The effect's payload."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def unpacked(cls, payload: bytes) -> Self:
        """What `packed` made.

        Raises:
            msgspec.MsgspecError: It didn't.
        """
        return msgspec.msgpack.decode(payload, type=cls)


class Forwarder:
    """Sends deliveries on.

    Args:
        session: The pool of connections; the owner closes it.
        url: Where the vendor's app listens.
    """

    def __init__(self, session: aiohttp.ClientSession, *, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def send(self, payload: bytes) -> None:
        """Send one delivery, with the very headers and bytes that GitHub signed. Any 2xx is taken as receipt.

        Raises:
            TemporaryFailureError: It wasn't received. Redirects aren't followed: they would turn the POST into a GET.
        """
        delivery = ForwardedDelivery.unpacked(payload)
        body = zlib.decompressobj().decompress(delivery.compressed_body, LARGEST_BODY_BYTES)
        headers = [
            (name.decode("ascii", "replace"), value.decode("utf-8", "replace")) for name, value in delivery.headers
        ]
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TemporaryFailureError(f"GITHUB_FORWARD_URL can't be reached: {type(error).__name__}") from error
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise TemporaryFailureError(
                f"GITHUB_FORWARD_URL answered {status}", retry_after_seconds=_seconds(retry_after)
            )


def _seconds(retry_after: str) -> float | None:
    """Read the seconds that the other side asked us to wait, up to an hour."""
    text = retry_after.strip()
    return min(float(text), LONGEST_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else None
