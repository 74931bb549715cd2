"""Billing switched off, as a process that starts says it."""

import structlog

from bot.composition import opened
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.flags import Flag

SAID = {"event": "billing_is_off", "log_level": "warning", "by": "the flag billing_enabled"}


async def said_when_opened(database_url: str) -> list[object]:
    """What is logged when a process opens the database."""
    with structlog.testing.capture_logs() as logs:
        async with opened(Database.connect(database_url, clock=VirtualClock())):
            pass
    return [*logs]


async def test_a_process_says_when_it_starts_that_billing_is_off(database: Database, database_url: str) -> None:
    assert await said_when_opened(database_url) == []

    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="Ada")
    assert await said_when_opened(database_url) == [SAID]

    await database.flags.set(Flag.BILLING_ENABLED, on=True, by="Ada")
    assert await said_when_opened(database_url) == []
