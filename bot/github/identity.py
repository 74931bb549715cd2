"""Who the App is at GitHub: its slug, by which people mention it and by which its bot is called."""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import structlog

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.github.answers import AppFields
from bot.github.client import GitHubClient, read_answer
from bot.retries import TEMPORARY
from bot.waking import Waker
from handlers.tolerant import a_text

log = structlog.get_logger()

BOT: Final = "[bot]"
"""Behind the slug in the login of an App's bot."""

KEPT: Final = timedelta(hours=1)
"""For so long the slug holds, unless something speaks against it: an App is hardly ever renamed."""

ASKED_AGAIN_AFTER: Final = timedelta(minutes=50)
"""So that it never lapses as long as GitHub answers."""

DOUBTED_AFTER: Final = timedelta(minutes=1)
"""What GitHub said within this time isn't doubted, so that nobody can make us ask faster."""

SOONEST_RETRY_SECONDS: Final = 2.0
LATEST_RETRY_SECONDS: Final = 300.0


class AppIdentity:
    """Learns the App's slug from GitHub, in the background from the start on, and keeps it for an hour."""

    def __init__(self, client: GitHubClient, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waker = Waker(clock)
        self._slug = ""
        self._known_at: datetime | None = None
        self._flight: asyncio.Future[str] | None = None
        self._retry_seconds = SOONEST_RETRY_SECONDS
        self._stopping = asyncio.Event()
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def slug(self) -> str | None:
        """The slug; None until GitHub has told it, and when that was too long ago."""
        return self._slug if self._is_known_for(KEPT) else None

    @property
    def can_be_doubted(self) -> bool:
        """Whether it is worthwhile to ask again because somebody is mentioned who might be us under another name."""
        return self._known_at is not None and not self._is_known_for(DOUBTED_AFTER)

    def doubt(self) -> None:
        """Ask again at once, in the background. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._waker.wake)

    async def current(self) -> str:
        """The slug as GitHub told it within the last minute. All who wait for it share one answer, or one failure.

        Raises:
            TemporaryFailureError: GitHub doesn't answer, or refuses our credentials.
        """
        while not self._is_known_for(DOUBTED_AFTER):
            flight = self._flight
            if flight is None:
                return await self._fly()
            await asyncio.wait({flight})
            if not flight.cancelled():
                return flight.result()
            # Who asked was cancelled; whoever comes first asks in its place.
        return self._slug

    def wake(self) -> None:
        """Do nothing: work that just came in is nothing for it."""

    async def run(self) -> None:
        """Keep the slug known until stopped."""
        self._stopped, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep_known())
                await self._stopping.wait()
                # Nothing is lost by an answer that isn't waited for.
                keeping.cancel()
        finally:
            self._loop = None
            self._stopped.set()

    async def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        if self._stopped is not None:
            await self._stopped.wait()

    async def _keep_known(self) -> None:
        while True:
            self._waker.look()
            await self._waker.wait(await self._round())

    async def _round(self) -> float:
        """Ask, and return after how many seconds to ask again."""
        try:
            await self.current()
        except TEMPORARY as failure:
            log.warning("github_app_unknown", reason=str(failure), wait_seconds=self._retry_seconds)
            seconds, self._retry_seconds = self._retry_seconds, min(self._retry_seconds * 2, LATEST_RETRY_SECONDS)
            return seconds
        self._retry_seconds = SOONEST_RETRY_SECONDS
        return ASKED_AGAIN_AFTER.total_seconds()

    async def _fly(self) -> str:
        """Ask, for all who wait for it."""
        flight: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._flight = flight
        try:
            slug = await self._ask()
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except Exception as error:
            flight.set_exception(error)
            # Nobody may be waiting; then it is told to the caller alone.
            flight.exception()
            raise
        finally:
            self._flight = None
        self._slug, self._known_at = slug, self._clock.now()
        flight.set_result(slug)
        return slug

    async def _ask(self) -> str:
        answer = await self._client.ask_as_app("GET", "/app")
        if answer.status != HTTPStatus.OK:
            raise TemporaryFailureError(f"GitHub answered {answer.status} when asked for the App")
        app = read_answer(AppFields, answer)
        slug = a_text(app.slug)
        if not slug:
            raise TemporaryFailureError("GitHub's answer doesn't tell the App's slug")
        if slug != self._slug:
            log.info("github_app_known", app_id=app.id)
        return slug

    def _is_known_for(self, time: timedelta) -> bool:
        return self._known_at is not None and self._clock.now() - self._known_at < time
