"""The stand-in for GitHub, watched by GitHub's own description, and a target for its webhooks."""

import asyncio
import functools
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.clock import VirtualClock
from sandbox.github.model import Installation, Plan, Repository, Thread
from sandbox.github.server import GitHubStandIn
from sandbox.github.state import default_plans
from tests.contract import GitHubContract

NOON = datetime(2026, 1, 10, 12, 0, 0, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Received:
    """A webhook as the target got it."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def event(self) -> str:
        return self.headers["X-GitHub-Event"]

    @property
    def payload(self) -> dict[str, Any]:
        text = self.raw.decode()
        if self.headers["Content-Type"] == "application/x-www-form-urlencoded":
            text = parse_qs(text)["payload"][0]
        loaded: dict[str, Any] = json.loads(text)
        return loaded

    @property
    def name(self) -> str:
        """The event and its action in one word."""
        action = self.payload.get("action")
        return self.event if action is None else f"{self.event}.{action}"


@dataclass(slots=True)
class Target:
    """Where the webhooks go in these tests.

    Attributes:
        status: What it answers.
        gate: Answers wait until it is set.
    """

    url: str = ""
    status: int = 202
    received: list[Received] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.received.append(Received(path=request.path, headers=dict(request.headers), raw=raw))
        await self.gate.wait()
        return web.Response(status=self.status, text="thank you")

    def names(self) -> list[str]:
        return [webhook.name for webhook in self.received]

    def last(self) -> Received:
        return self.received[-1]


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    """A server that takes webhooks and remembers them."""
    made = Target()
    made.gate.set()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.gate.set()
    await runner.cleanup()


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands still at noon of 10 January 2026."""
    return VirtualClock(NOON, frozen=True)


@pytest.fixture
def plans() -> list[Plan]:
    """The listing: free, flat, per unit, and one with a free trial."""
    return [
        *default_plans(),
        Plan(
            id=1515,
            number=3,
            name="Team",
            description="By seat",
            price_model="PER_UNIT",
            monthly_price_in_cents=4_900,
            yearly_price_in_cents=49_000,
            unit_name="seat",
        ),
        Plan(
            id=1717,
            number=4,
            name="Plus",
            description="With a trial",
            price_model="FLAT_RATE",
            monthly_price_in_cents=99_900,
            yearly_price_in_cents=999_000,
            has_free_trial=True,
            bullets=("Everything",),
        ),
    ]


@pytest.fixture
def contract() -> GitHubContract:
    """The judge of what crosses the wire."""
    return GitHubContract()


@pytest.fixture
async def github(
    clock: VirtualClock, plans: list[Plan], target: Target, contract: GitHubContract
) -> AsyncIterator[GitHubStandIn]:
    """A stand-in whose webhooks go to the target; at the end what it said must have kept the contract."""
    made = GitHubStandIn(
        clock,
        plans=plans,
        target_url=target.url,
        observers=[contract.see_exchange],
        event_observers=[contract.see_event],
    )
    async with made:
        yield made
    contract.assert_kept(requests=False)


@functools.cache
def signing_key(pem: str) -> rsa.RSAPrivateKey:
    """Return a private key, read once: its check takes a tenth of a second each time."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@dataclass(slots=True)
class Client:
    """Asks the stand-in as the product does."""

    github: GitHubStandIn
    session: aiohttp.ClientSession

    def app_token(self, **claims: Any) -> str:
        now = int(self.github.clock.now().timestamp())
        standard = {"iat": now - 60, "exp": now + 540, "iss": self.github.client_id}
        return jwt.encode({**standard, **claims}, signing_key(self.github.private_key_pem), algorithm="RS256")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "app",
        json: Any = None,
        headers: dict[str, str] | None = None,
        allow_redirects: bool = True,
    ) -> "Answer":
        sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "tests"}
        if token is not None:
            sent["Authorization"] = f"Bearer {self.app_token() if token == 'app' else token}"
        url = path if path.startswith("http") else self.github.api_url + path
        async with self.session.request(
            method, url, json=json, headers={**sent, **(headers or {})}, allow_redirects=allow_redirects
        ) as answer:
            return Answer(status=answer.status, headers=dict(answer.headers), text=await answer.text())

    async def get(self, path: str, *, token: str | None = "app") -> "Answer":
        return await self.ask("GET", path, token=token)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read whole."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    def link(self, rel: str) -> str | None:
        """Return where one link of the `Link` header leads."""
        for part in self.headers.get("Link", "").split(", "):
            if part.endswith(f'rel="{rel}"'):
                return part[1 : part.index(">")]
        return None


@pytest.fixture
async def client(github: GitHubStandIn) -> AsyncIterator[Client]:
    """A client of the stand-in's API."""
    async with aiohttp.ClientSession() as session:
        yield Client(github, session)


@dataclass(slots=True, kw_only=True)
class Bot:
    """Asks as an installation."""

    client: Client
    installed: Installation
    token: str

    async def ask(self, method: str, path: str, body: Any = None, *, follow: bool = True) -> Answer:
        return await self.client.ask(method, path, token=self.token, json=body, allow_redirects=follow)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)


async def connect(client: Client, installed: Installation, **narrowed: Any) -> Bot:
    """Get a token of an installation, narrowed if wanted."""
    made = await client.ask("POST", f"/app/installations/{installed.id}/access_tokens", json=narrowed)
    assert made.status == 201, made.text
    return Bot(client=client, installed=installed, token=made.body["token"])


@pytest.fixture
def project(github: GitHubStandIn) -> Repository:
    """A private repository `acme/project` of an organization that alice owns."""
    return github.add_repository(
        github.add_organization("acme", owner=github.add_user("alice")), "project", private=True
    )


@pytest.fixture
def issue(github: GitHubStandIn, project: Repository) -> Thread:
    """The project's first issue, by alice."""
    return github.open_issue(project, "alice", "It breaks", "How it breaks")


@pytest.fixture
async def bot(client: Client, github: GitHubStandIn, project: Repository) -> Bot:
    """The App on the organization."""
    return await connect(client, github.install(project.owner))


async def shown(client: "Client", account_id: int) -> Any:
    """Return what the API shows of an account, or `None` for a 404."""
    answer = await client.get(f"/marketplace_listing/accounts/{account_id}")
    assert answer.status in {200, 404}
    return answer.body if answer.status == 200 else None


def digest(secret: str, webhook: Received, algorithm: str) -> str:
    """Return what a webhook's signature must be."""
    return f"{algorithm}=" + hmac.new(secret.encode(), webhook.raw, getattr(hashlib, algorithm)).hexdigest()
