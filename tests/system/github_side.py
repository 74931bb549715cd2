"""GitHub's side of a history: the stand-in on loopback, and its webhooks in the test's hands.

The stand-in's courier sends nothing here: the test brings each webhook itself, so that it knows what became of it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from aiohttp import web

from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.model import Account, Event, Plan
from sandbox.github.server import API_PREFIX, create_github
from sandbox.github.state import default_plans
from sandbox.github.world import World
from tests.system.chronicle import Asked, Chronicle
from tests.system.power import Power

UNHEARD_OF: Final = 1919
"""A plan of the listing that the product's catalogue doesn't know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook, ready to be sent any number of times."""

    event: Event
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where it goes."""
        return "/webhooks/github" if self.event.hook == "app" else "/webhooks/github/marketplace"

    @property
    def account_id(self) -> int:
        """Whom it is about."""
        payload = self.event.payload
        holder = payload.get("marketplace_purchase", payload if "account" in payload else payload.get("installation"))
        assert holder is not None
        number: int = holder["account"]["id"]
        return number

    @property
    def name(self) -> str:
        """The event and its action in one word."""
        return f"{self.event.name}.{self.event.action}"


class GitHubSide:
    """The pretended GitHub with a few accounts.

    Attributes:
        outgoing: the webhooks that came about and weren't taken yet.
    """

    def __init__(self, clock: VirtualClock, power: Power) -> None:
        self.clock = clock
        self.world = World(clock, plans=_listing(), observers=[self._see_exchange], event_observers=[self._see_event])
        self.accounts: list[Account] = [
            self.world.add_user("ada", billing_day=1),
            self.world.add_organization("byte-org", billing_day=31),
            self.world.add_user("cleo", billing_day=15),
        ]
        self.chronicle = Chronicle()
        self.outgoing: list[Webhook] = []
        self._power = power
        self._held_account: int | None = None
        self._is_held = asyncio.Event()
        self._goes_on = asyncio.Event()
        self.note()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Answer the product's questions on loopback."""
        app = create_github(self.world)
        app.on_response_prepare.append(self._hold)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.world.state.api_url = f"http://127.0.0.1:{runner.addresses[0][1]}{API_PREFIX}"
        try:
            yield self
        finally:
            self._goes_on.set()
            await runner.cleanup()

    def note(self) -> None:
        """Let everything happen that is due, and keep the chronicle."""
        self.world.catch_up()
        self.chronicle.note(self.world, self.accounts)

    def take_webhooks(self) -> list[Webhook]:
        """The webhooks that came about since the last call."""
        taken, self.outgoing = self.outgoing, []
        return taken

    # An answer that takes its time -----------------------------------------------------------------------------------

    def hold_answer_about(self, account: Account) -> None:
        """Keep the next answer about this account on its way until `let_go`."""
        self._held_account = account.id
        self._is_held.clear()
        self._goes_on.clear()

    @property
    def is_holding(self) -> bool:
        """Whether an answer is being held."""
        return self._is_held.is_set() and not self._goes_on.is_set()

    def let_go(self) -> None:
        """Let the answer arrive, or none be held."""
        self._held_account = None
        self._goes_on.set()

    async def _hold(self, request: web.Request, _response: web.StreamResponse) -> None:
        if self._held_account is None or not self._concerns(request.path, self._held_account):
            return
        self._held_account = None
        self._is_held.set()
        await self._goes_on.wait()

    def _concerns(self, path: str, account_id: int) -> bool:
        below = path.removeprefix(API_PREFIX)
        numbers = {f"/app/installations/{number}" for number in self.chronicle.installations_of(account_id)}
        return below in numbers | {f"/marketplace_listing/accounts/{account_id}"}

    # What crosses the wire -------------------------------------------------------------------------------------------

    def _see_exchange(self, exchange: Exchange) -> None:
        asked: Asked | None = self.chronicle.hear(exchange, self.clock.now())
        if asked is not None:
            self._power.read_back()

    def _see_event(self, event: Event, headers: dict[str, str]) -> None:
        self.outgoing.append(Webhook(event=event, headers=headers))


def _listing() -> list[Plan]:
    """Free, Pro, Team in between, and a plan that the vendor forgot to add to the catalogue."""
    return [
        *default_plans(),
        Plan(
            id=1212,
            number=3,
            name="Team",
            description="Twenty fixes a month",
            price_model="FLAT_RATE",
            monthly_price_in_cents=19_900,
            yearly_price_in_cents=199_000,
        ),
        Plan(
            id=UNHEARD_OF,
            number=4,
            name="Unheard-of",
            description="New on the listing",
            price_model="FLAT_RATE",
            monthly_price_in_cents=29_900,
            yearly_price_in_cents=299_000,
        ),
    ]
