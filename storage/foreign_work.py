"""Hearing of work that other processes wrote to PostgreSQL.

Being told only wakes: whoever is woken looks for itself, and looks now and then anyway.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engines import postgres_writer
from storage.transactions import CHANNEL

log = structlog.get_logger()

AGAIN_AFTER_SECONDS: Final = 1.0
"""How long to wait before listening again, once the server went away."""


class PostgresListener:
    """A connection that listens, in a thread with an event loop of its own.

    Args:
        on_work: Called in the event loop that `open` was called from.
        is_own: Whether the server's process with this id serves this process; what that one tells is known here.
    """

    def __init__(self, url: URL, *, on_work: Callable[[], None], is_own: Callable[[int], bool]) -> None:
        self._url = url
        self._on_work = on_work
        self._is_own = is_own
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="listener", daemon=True)
        self._caller: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._started = threading.Event()
        self._interrupted = asyncio.Event()

    async def open(self) -> None:
        """Start listening. Whether the server is there yet doesn't matter."""
        self._caller = asyncio.get_running_loop()
        self._thread.start()
        await asyncio.to_thread(self._started.wait)

    async def close(self) -> None:
        """Stop listening."""
        if self._loop is not None:
            self._is_stopping = True
            self._loop.call_soon_threadsafe(self._interrupted.set)
            await asyncio.to_thread(self._thread.join)

    # From here on everything runs in the thread.

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        engine = postgres_writer(self._url)
        while not self._is_stopping:
            try:
                await self._listen(engine)
            except Exception as error:  # noqa: BLE001 - the driver's own errors too; without the thread nobody would listen
                log.warning("listening_interrupted", error=type(error).__name__)
            await self._pause()
        await engine.dispose()

    async def _listen(self, engine: AsyncEngine) -> None:
        """Listen until the connection is lost, or until stopped."""
        async with engine.connect() as connection:
            try:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                driver.add_termination_listener(self._on_lost)
                await driver.add_listener(CHANNEL, self._on_told)
                # Something may have been told while nobody listened.
                self._wake()
                await self._interrupted.wait()
            finally:
                # What broke the driver's own call isn't known to the pool, which would hand the same one out again.
                await connection.invalidate()

    async def _pause(self) -> None:
        self._interrupted.clear()
        if not self._is_stopping:
            try:
                await asyncio.wait_for(self._interrupted.wait(), AGAIN_AFTER_SECONDS)
            except TimeoutError:
                return

    def _on_lost(self, _connection: object) -> None:
        self._interrupted.set()

    def _on_told(self, _connection: object, backend_pid: int, _channel: str, _payload: str) -> None:
        if not self._is_own(backend_pid):
            self._wake()

    def _wake(self) -> None:
        assert self._caller is not None
        self._caller.call_soon_threadsafe(self._on_work)
