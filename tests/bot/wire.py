"""HTTP by hand: requests that no client library would send, and their answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from multidict import CIMultiDict

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object."""
        document: dict[str, Any] = json.loads(self.body)
        return document


class Wire:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int) -> AsyncIterator[Self]:
        """Open a connection, and close it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._writer.drain()

    async def read(self, *, is_head: bool = False) -> Answer:
        """Read one answer, whatever comes before its final status (`100 Continue`)."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            status = 100
            lines: list[bytes] = []
            while status == 100:
                head = await self._reader.readuntil(b"\r\n\r\n")
                status_line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
                status = int(status_line.split()[1])
            headers = CIMultiDict(
                (name.decode(), value.decode()) for name, _, value in (line.partition(b": ") for line in lines)
            )
            length = 0 if is_head else int(headers.get("Content-Length", "0"))
            return Answer(status=status, headers=headers, body=await self._reader.readexactly(length))

    async def ask(self, data: bytes) -> Answer:
        """Send a request and read its answer."""
        await self.send(data)
        return await self.read(is_head=data.startswith(b"HEAD "))

    async def is_continued(self) -> bool:
        """Read what a request that asks first is told; whether it is to go on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    async def is_closed(self) -> bool:
        """Wait for what comes next; whether it is the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True


def request_of(
    path: str, body: bytes, headers: Iterable[tuple[str, str | bytes]], *, method: str = "POST", length: bool = True
) -> bytes:
    """A request's bytes. Header values may be bytes of any kind; the length is left out on demand."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: 127.0.0.1"]
    for name, value in headers:
        lines.append(name.encode() + b": " + (value.encode() if isinstance(value, str) else value))
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def in_chunks(body: bytes, size: int = 65536) -> bytes:
    """A body in chunked transfer coding."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
