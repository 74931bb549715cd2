"""The tasks that run beside the requests. The one place where a task is made outside of a task group."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from bot.services import BackgroundService

log = structlog.get_logger()

STOP_SECONDS: Final = 20.0
"""How long what is under way may take to end. What doesn't is taken up again when its lease has run out."""


class BackgroundTasks:
    """Runs services and tells of the first that fails, or ends untold: none may be lost in silence.

    They can't live in a task group, because starting and stopping an application are two calls.
    """

    def __init__(self, services: Sequence[BackgroundService], *, stop_seconds: float = STOP_SECONDS) -> None:
        self._services = tuple(services)
        self._stop_seconds = stop_seconds
        self._tasks: list[asyncio.Task[None]] = []
        self._failed = asyncio.Event()
        self._is_stopping = False

    def start(self) -> None:
        """Start all of them."""
        for service in self._services:
            task = asyncio.create_task(service.run(), name=type(service).__name__)
            task.add_done_callback(self._note_end)
            self._tasks.append(task)

    def wake(self) -> None:
        """Let all of them look for work at once."""
        for service in self._services:
            service.wake()

    async def wait_for_failure(self) -> None:
        """Return when one has failed; never, as long as all is well."""
        await self._failed.wait()

    async def stop(self) -> None:
        """Stop one after another, in their order: what one does last may be work for the next."""
        self._is_stopping = True
        try:
            async with asyncio.timeout(self._stop_seconds):
                for service in self._services:
                    await service.stop()
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.warning("background_cut_off", wait_seconds=self._stop_seconds)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None or not self._is_stopping:
            log.critical("background_failed", service=task.get_name(), exc_info=error)
            self._failed.set()
