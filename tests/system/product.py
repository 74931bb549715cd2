"""The product in this process: its real application on a real socket, over a database that may lose its power."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import aiohttp

from billing.plans import PlanCatalog, parse_plans
from bot.app import create_app
from bot.server import listening
from bot.settings import ServerSettings
from sandbox.clock import VirtualClock
from sandbox.github.world import World
from storage.database import Database
from tests.arch.tree import ROOT
from tests.system.power import Power

TEAM: Final = """
[plans.team]
name = "Team"
rank = 15
included_credits = 20
price_cents = 19900
low_balance = []
marketplace_plan_ids = [1212]
"""
"""A plan between the shipped ones, so that there are upgrades and downgrades between paid plans."""

ANSWER_SECONDS: Final = 30.0
"""How long a webhook's answer may take before the test counts as hanging."""


def catalogue() -> PlanCatalog:
    """The shipped plans, and one more."""
    return parse_plans((ROOT / "plans.toml").read_text() + TEAM)


def settings_for(world: World, database_url: str) -> Mapping[str, object]:
    """The settings of a product whose GitHub is this stand-in."""
    return {
        "database_url": database_url,
        "public_url": "http://127.0.0.1:8000",
        "github_app_id": world.app_id,
        "github_client_id": world.client_id,
        "github_client_secret": world.client_secret,
        "github_private_key": world.private_key_pem,
        "github_webhook_secret": world.webhook_secret,
        "github_marketplace_webhook_secret": world.marketplace_webhook_secret,
        "github_api_url": world.api_url,
        "github_web_url": world.web_url,
        "github_marketplace": "on",
        "session_secret": "5" * 64,
    }


class Product:
    """The server, which may die and be started anew; what it wrote before stays.

    Attributes:
        database: its own; None while it doesn't run.
        is_up: set while it listens.
        address: where it does.
    """

    def __init__(
        self,
        *,
        settings: ServerSettings,
        clock: VirtualClock,
        power: Power,
        has_worker: bool = True,
        seed: int = 0,
    ) -> None:
        self.database: Database | None = None
        self._settings = settings
        self._clock = clock
        self._power = power
        self._has_worker = has_worker
        self._chance = random.Random(seed)
        self._plans = catalogue()
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self.is_up = asyncio.Event()
        self.address = ""

    @property
    def is_dead(self) -> bool:
        """Whether it has lost its power."""
        return self._power.is_cut

    async def start(self) -> None:
        """Open everything, and listen."""
        self.database = Database.connect(
            self._settings.database_url.get_secret_value(), clock=self._clock, exclusive=True
        )
        app = create_app(
            settings=self._settings,
            clock=self._clock,
            database=self.database,
            plans=self._plans,
            chance=self._chance,
            has_worker=self._has_worker,
        )
        self.address = await self._stack.enter_async_context(listening(app, host="127.0.0.1", port=0))
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        self.is_up.set()

    async def close(self) -> None:
        """Stop. Without power nothing more is written."""
        self.is_up.clear()
        await self._stack.aclose()
        self.database = self._session = None

    async def post(self, path: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """Bring a webhook, and return the answer's status; 0 if there is none."""
        assert self._session is not None
        try:
            async with self._session.post(
                self.address + path,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            ) as answer:
                await answer.read()
                return answer.status
        except aiohttp.ClientError:
            return 0
