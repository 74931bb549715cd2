"""The real server on a real database, listening on loopback."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from yarl import URL

from billing.ports import Clock
from bot.app import COUNTER, create_app
from bot.plans_file import read_plans
from bot.server import listening
from bot.settings import ServerSettings, settings_of
from bot.webhooks.reading import BodyReader, MemoryBudget
from bot.webhooks.verify import Hook
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import DeliveryRow
from tests.bot.deliveries import APP_SECRET, MARKETPLACE_SECRET
from tests.bot.test_settings import GOOD

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running server and what a test looks at."""

    app: web.Application
    database: Database
    port: int

    async def deliveries(self) -> list[DeliveryRow]:
        """All that was recorded, the oldest first."""
        return list(reversed(await self.database.inbox.list(limit=100_000)))

    def counted(self, hook: Hook = Hook.APP) -> dict[str, int]:
        """What one webhook answered so far."""
        return {outcome: count for (of, outcome), count in self.app[COUNTER].counts().items() if of is hook}


def settings_for(database_url: str, **changes: str) -> ServerSettings:
    """Right settings, with a GitHub that nothing listens for."""
    return settings_of(
        ServerSettings,
        GOOD
        | {
            "DATABASE_URL": database_url,
            "GITHUB_API_URL": "http://127.0.0.1:9",
            "GITHUB_MARKETPLACE": "on",
            "GITHUB_WEBHOOK_SECRET": APP_SECRET,
            "GITHUB_MARKETPLACE_WEBHOOK_SECRET": MARKETPLACE_SECRET,
            "PUBLIC_URL": "http://127.0.0.1:8000",
        }
        | changes,
    )


@asynccontextmanager
async def serving(
    database_url: str,
    *,
    clock: Clock | None = None,
    has_worker: bool = False,
    deadline_seconds: float = 10.0,
    budget: MemoryBudget | None = None,
    **changes: str,
) -> AsyncIterator[Served]:
    """Run the server. Without a worker, what is recorded rests as it came."""
    clock = VirtualClock() if clock is None else clock
    settings = settings_for(database_url, **changes)
    database = Database.connect(settings.database_url.get_secret_value(), clock=clock)
    app = create_app(
        settings=settings,
        clock=clock,
        database=database,
        plans=read_plans(ROOT / "plans.toml"),
        chance=random.Random(0),
        has_worker=has_worker,
        reader=BodyReader(budget=budget or MemoryBudget(), deadline_seconds=deadline_seconds),
    )
    async with listening(app, host="127.0.0.1", port=0) as address:
        port = URL(address).port
        assert port is not None
        yield Served(app=app, database=database, port=port)
