"""Background tasks of the stand-ins, owned by whoever started them."""

import asyncio
from collections.abc import Coroutine


class Background:
    """Tasks that run until they are closed.

    Unlike a task group, it may be opened in one task and closed in another, as fixtures do.
    """

    def __init__(self) -> None:
        """Start without tasks."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[None, None, None], *, name: str) -> None:
        """Run this until `close`."""
        self._tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    def check(self) -> None:
        """Raise what a task died of, if one did: a stand-in with a dead part would only make tests hang."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """End all tasks and raise what the first of them died of, if one did."""
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
