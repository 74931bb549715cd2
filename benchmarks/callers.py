"""Callers who each wait for an answer before they ask again, what they saw, and how long the event loop was held."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from benchmarks.pairs import percentile

BEAT_SECONDS: Final = 0.001
"""How often the event loop is asked for its attention to learn how long it was held."""


@dataclass(frozen=True, slots=True)
class Load:
    """What some callers saw: how long they asked, in seconds, and how long each answer took."""

    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def latency_milliseconds(self, part: float) -> float:
        """What this part of the answers, from 0 to 1, took at most."""
        return percentile(self.latencies, part) * 1000


async def ask(question: Callable[[], Awaitable[None]], *, callers: int, seconds: float) -> Load:
    """Let so many callers ask for so long. What is underway at the end is answered, and counts."""
    latencies: list[float] = []
    began = time.perf_counter()
    until = began + seconds

    async def call() -> None:
        asked = time.perf_counter()
        while asked < until:
            await question()
            answered = time.perf_counter()
            latencies.append(answered - asked)
            asked = answered

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return Load(seconds=time.perf_counter() - began, latencies=latencies)


@dataclass
class Heartbeat:
    """A timer of the event loop's that notes how late it comes, in seconds, while it is in its `with` block.

    It is late by whatever held the loop: its own work, the interpreter's lock in another thread's hands, or another
    process on the processor. `own` is the part of it that the loop's thread spent computing.
    """

    lateness: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + BEAT_SECONDS
        self._computed = time.thread_time()
        self._timer = self._loop.call_at(self._due, self._beat)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @property
    def longest_milliseconds(self) -> float:
        """The longest that a beat was late."""
        return max(self.lateness) * 1000

    @property
    def p99_milliseconds(self) -> float:
        """What all but a hundredth of the beats were late at most."""
        return percentile(self.lateness, 0.99) * 1000

    @property
    def longest_own_milliseconds(self) -> float:
        """The longest that the loop's thread computed between two beats."""
        return max(self.own) * 1000

    def _beat(self) -> None:
        now = self._loop.time()
        computed = time.thread_time()
        self.lateness.append(max(now - self._due, 0.0))
        self.own.append(computed - self._computed)
        self._due, self._computed = now + BEAT_SECONDS, computed
        self._timer = self._loop.call_at(self._due, self._beat)
