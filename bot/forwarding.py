"""Passing verified deliveries on, unchanged, to the vendor's own app: an App has one webhook address only."""

from collections.abc import Iterable
from typing import Final, Self

import msgspec

from bot.bodies import unpacked
from bot.posting import Poster
from storage.effects import ClaimedEffect

FORWARD_TOPIC: Final = "forward"

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
        poster: Posts to `GITHUB_FORWARD_URL`.
    """

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, effect: ClaimedEffect) -> str:
        """Send one delivery, with the very headers and bytes that GitHub signed.

        Raises:
            TemporaryFailureError: It wasn't received.
        """
        delivery = ForwardedDelivery.unpacked(effect.payload)
        body = await unpacked(delivery.compressed_body)
        headers = [
            (name.decode("ascii", "replace"), value.decode("utf-8", "replace")) for name, value in delivery.headers
        ]
        await self._poster.post(headers, body)
        return ""
