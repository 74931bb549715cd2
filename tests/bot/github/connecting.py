"""Clients of the stand-in, and time that passes only while somebody waits for it."""

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import pytest

from billing.ports import Clock
from bot.github.client import GitHubClient
from bot.github.identity import AppIdentity
from bot.github.readbacks import GitHubReadBacks
from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn

T = TypeVar("T")


def connected(
    github: GitHubStandIn, clock: Clock, *, timeout_seconds: float = 15.0
) -> AbstractAsyncContextManager[GitHubClient]:
    """A client of the stand-in that goes by this clock."""
    return GitHubClient.open(
        api_url=github.api_url,
        client_id=github.client_id,
        private_key=github.private_key_pem,
        clock=clock,
        timeout_seconds=timeout_seconds,
    )


def readbacks_of(
    client: GitHubClient, clock: Clock, *, marketplace_plan_ids: Collection[int], marketplace: bool = True
) -> GitHubReadBacks:
    """What handlers ask, over this client."""
    return GitHubReadBacks(
        client,
        identity=AppIdentity(client, clock=clock),
        marketplace=marketplace,
        marketplace_plan_ids=marketplace_plan_ids,
    )


async def while_time_passes(clock: VirtualClock, work: Awaitable[T]) -> T:
    """Await the work, and move the frozen clock by a second whenever somebody sleeps by it."""

    async def finish() -> T:
        return await work

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(finish())
        for _ in range(10_000):
            await asyncio.wait({task}, timeout=0.002)
            if task.done():
                return task.result()
            if clock.sleeping:
                clock.advance(seconds=1)
        pytest.fail("the work never ended")
