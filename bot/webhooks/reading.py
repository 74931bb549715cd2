"""Reading a body that nobody has vouched for yet: bounded in size, in time, and in memory over all of them together."""

import asyncio
from typing import Final, Self

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError

from bot.bodies import LARGEST_BODY_BYTES
from bot.problems import ProblemError
from bot.webhooks import problems

BODY_DEADLINE_SECONDS: Final = 10.0
"""GitHub gives up on an answer after this time, so that a slower body is nobody's."""

MEMORY_BUDGET_BYTES: Final = 64 * 1024 * 1024
"""What all bodies under way may take together."""

RETRY_AFTER_BUSY_SECONDS: Final = 10
"""By then, every body that holds memory now has arrived or was given up."""


PIECE_OVERHEAD_BYTES: Final = 64
"""What Python adds to each piece of a body, so that a drip of tiny ones doesn't take more than it is counted."""


class MemoryBudget:
    """The memory that bodies under way share.

    Bytes are taken as they arrive, not as they are announced: an announcement costs an attacker nothing.
    """

    def __init__(self, limit_bytes: int = MEMORY_BUDGET_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def reserve(self) -> "Reservation":
        """Open an empty reservation; leaving its `with` block gives back what it took."""
        return Reservation(self)


class Reservation:
    """One body's part of the budget."""

    __slots__ = ("_budget", "_bytes")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.used_bytes -= self._bytes
        self._bytes = 0

    def take(self, count: int) -> bool:
        """Take so many bytes more, if there are."""
        if self._budget.used_bytes + count > self._budget.limit_bytes:
            return False
        self._budget.used_bytes += count
        self._bytes += count
        return True


class BodyReader:
    """Reads bodies within the limits."""

    def __init__(
        self,
        *,
        budget: MemoryBudget,
        largest_bytes: int = LARGEST_BODY_BYTES,
        deadline_seconds: float = BODY_DEADLINE_SECONDS,
    ) -> None:
        self.budget = budget
        self._largest_bytes = largest_bytes
        self._deadline_seconds = deadline_seconds

    async def read(self, request: web.Request, reservation: Reservation) -> bytes:
        """Read the whole body, as it came: nothing is decompressed.

        Raises:
            ProblemError: it is too large, too slow, breaks off, has no length, or there is no memory left for it.
        """
        length = request.content_length
        if length is not None and length > self._largest_bytes:
            raise ProblemError(problems.BODY_TOO_LARGE, is_last=True)
        if length is None and hdrs.TRANSFER_ENCODING not in request.headers:
            raise ProblemError(problems.LENGTH_REQUIRED)
        if hdrs.EXPECT in request.headers and request.version >= HttpVersion11:
            # Only now, so that nobody sends a body that is refused by its length.
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            if request.content.is_eof():
                # It came with its headers, as most do: nothing to wait for.
                return await self._collect(request, reservation)
            async with asyncio.timeout(self._deadline_seconds):
                return await self._collect(request, reservation)
        except TimeoutError:
            raise ProblemError(problems.BODY_TOO_SLOW, is_last=True) from None
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            raise ProblemError(problems.BODY_BROKEN_OFF, is_last=True) from None

    async def _collect(self, request: web.Request, reservation: Reservation) -> bytes:
        chunks: list[bytes] = []
        length = 0
        while chunk := await request.content.readany():
            length += len(chunk)
            if length > self._largest_bytes:
                raise ProblemError(problems.BODY_TOO_LARGE, is_last=True)
            if not reservation.take(len(chunk) + PIECE_OVERHEAD_BYTES):
                raise ProblemError(
                    problems.BUSY, headers={hdrs.RETRY_AFTER: str(RETRY_AFTER_BUSY_SECONDS)}, is_last=True
                )
            chunks.append(chunk)
        # Most bodies come in one piece, which is then not copied.
        return b"".join(chunks)


async def expect_nothing_yet(request: web.Request) -> None:
    """Leave an `Expect` header to the handler, which refuses by length before it asks for the body."""
