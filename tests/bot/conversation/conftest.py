"""A conversation for each test."""

from collections.abc import AsyncIterator

import pytest

from sandbox.clock import VirtualClock
from tests.bot.conversation.talking import Talk, talking


@pytest.fixture
async def talk(sqlite_url: str, clock: VirtualClock) -> AsyncIterator[Talk]:
    """In a private repository, on SQLite."""
    async with talking(sqlite_url, clock) as running:
        yield running
