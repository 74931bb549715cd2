"""Keeps open pages up to date: looks for changes while somebody watches, and hands out what changed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from sandbox.background import Background
from sandbox.console.view import Painter
from sandbox.github.world import World
from sandbox.inspector import Inspector, Snapshot

LOOK_SECONDS = 0.5
"""How often the product is asked whether anything changed, while a page is open."""
PAUSE_SECONDS = 0.1
"""The least time between two looks, however much happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What an open page is told.

    Attributes:
        now: The clock's time in milliseconds since 1970, UTC.
        running: Whether the clock runs by itself.
        run: Names this run of the sandbox; another one means that everything began anew.
        regions: The regions that changed, each by the id of the element it fills.
    """

    now: int
    running: bool
    run: str
    regions: dict[str, str]


class Feed:
    """Looks at the product once for all who watch; each page's regions are drawn for what that page looks at.

    Args:
        world: The pretended GitHub, which says by itself when it changes.
        inspector: The product, which is asked.
        painter: Draws the regions.
    """

    def __init__(self, world: World, inspector: Inspector, painter: Painter) -> None:
        """Start with nothing seen."""
        self._world = world
        self._inspector = inspector
        self._painter = painter
        self._snapshot = Snapshot()
        self._looks = 0
        self._jumps = 0
        self._watchers = 0
        self._closed = False
        self._looked = asyncio.Condition()
        self._hint = asyncio.Event()
        self._background = Background()

    def start(self) -> None:
        """Begin to look for changes."""
        self._world.state.on_change(self._hint.set)
        self._world.clock.on_jump(self._note_jump)
        self._background.start(self._look(), name="console-feed")

    async def close(self) -> None:
        """Stop; whoever watches is told that there will be no more."""
        self._closed = True
        await self._background.close()

    async def updates(self, query: Mapping[str, str]) -> AsyncGenerator[Update, None]:
        """Yield what changed for a page at this address since the last time, at first everything, until closed."""
        self._watchers += 1
        self._hint.set()
        seen: dict[str, str] = {}
        look = 0
        try:
            while True:
                async with self._looked:
                    while look == self._looks and not self._closed:
                        self._background.check()
                        await self._looked.wait()
                if self._closed:
                    return
                look = self._looks
                regions = self._painter.regions(await self._painter.scenery(self._snapshot, query))
                news = {name: text for name, text in regions.items() if seen.get(name) != text}
                seen |= news
                clock = self._world.clock
                yield Update(
                    now=int(clock.now().timestamp() * 1000),
                    running=not clock.frozen,
                    run=self._painter.run,
                    regions=news,
                )
        finally:
            self._watchers -= 1

    async def _look(self) -> None:
        """Look anew whenever something changed, as long as somebody watches."""
        known: tuple[int, int, int] | None = None
        try:
            while True:
                self._hint.clear()
                if self._watchers:
                    now = (self._world.state.version, self._jumps, await self._inspector.version())
                    if now != known:
                        known = now
                        self._snapshot = await self._inspector.snapshot()
                        self._looks += 1
                        await self._tell()
                await asyncio.sleep(PAUSE_SECONDS)
                # Not `asyncio.wait_for`: up to Python 3.11 it swallows a cancellation that comes with the hint.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if self._watchers else None):
                        await self._hint.wait()
        finally:
            # Whoever waits finds out that nothing will come any more.
            await self._tell()

    def _note_jump(self) -> None:
        """Take note that the clock was moved."""
        self._jumps += 1
        self._hint.set()

    async def _tell(self) -> None:
        """Wake whoever watches."""
        async with self._looked:
            self._looked.notify_all()
