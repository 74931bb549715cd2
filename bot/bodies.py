"""Bodies of deliveries: how large they get, and how what is kept of them is read again."""

import asyncio
import zlib
from typing import Final

LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024
"""GitHub's own limit for a payload."""

SMALL_BODY_BYTES: Final = 256 * 1024
"""Larger bodies are hashed and compressed in a thread, beside the event loop."""

SMALL_PACKED_BYTES: Final = 32 * 1024
"""Packed bodies larger than this are unpacked in a thread: JSON comes to about six times as much."""


async def unpacked(kept: bytes) -> bytes:
    """The body of what is kept; a large one is unpacked beside the event loop.

    Raises:
        zlib.error: Something else was kept.
    """
    if len(kept) <= SMALL_PACKED_BYTES:
        return _unpack(kept)
    return await asyncio.to_thread(_unpack, kept)


def _unpack(kept: bytes) -> bytes:
    return zlib.decompressobj().decompress(kept, LARGEST_BODY_BYTES)
