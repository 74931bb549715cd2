"""A served console over a product of a few lines, with a client of it and an open page of it."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page

from sandbox.console.server import create_console
from sandbox.github.model import Account
from sandbox.github.server import GitHubStandIn
from tests.sandbox.inspecting import HeldProduct

LIVE = "html[data-live=yes]"
"""An open page that has been told what is."""


@dataclass(slots=True)
class Console:
    """A served console and a client of it."""

    github: GitHubStandIn
    product: HeldProduct
    session: aiohttp.ClientSession
    port: int = 0
    restarts: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def account(self, login: str) -> Account:
        return self.github.state.account(login)

    async def act(self, action: str, /, **values: Any) -> tuple[int, str]:
        """Do one of the page's actions; return the status and what is said."""
        status, said = await self.send(action, **values)
        return status, said["message"]

    async def send(self, action: str, /, **values: Any) -> tuple[int, Any]:
        """Do one of the page's actions; return the status and the answer."""
        async with self.session.post(f"{self.url}act/{action}", json=values) as answer:
            return answer.status, await answer.json()

    async def page(self, query: str = "") -> str:
        async with self.session.get(self.url + query) as answer:
            assert answer.status == 200
            return await answer.text()

    async def region(self, name: str, query: str = "") -> str:
        """The HTML of one of the page's regions."""
        async with asyncio.timeout(60), self.session.get(f"{self.url}events{query}") as answer:
            update = await anext(updates(answer))
            drawn: str = update["regions"][name]
            return drawn

    async def words(self, name: str, query: str = "") -> str:
        """What a region says, its words separated by single spaces."""
        joined = re.sub(r"</?(?:span|time|wbr|strong|code)\b[^>]*>", "", await self.region(name, query))
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", joined)).split())


async def updates(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """Yield what a stream says."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


@pytest.fixture
def product() -> HeldProduct:
    """A product that has nothing to show yet."""
    return HeldProduct()


@pytest.fixture
async def console(github: GitHubStandIn, product: HeldProduct) -> AsyncIterator[Console]:
    """The console on a free port."""
    async with aiohttp.ClientSession() as session:
        made = Console(github, product, session)
        app = create_console(
            github,
            product,
            product,
            start_over=lambda: made.restarts.append("once"),
            news="Everything is new.",
        )
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made
        await runner.cleanup()


@pytest.fixture
async def page(browser_page: Page, console: Console) -> AsyncIterator[Page]:
    """The page, open and up to date; at the end nothing must have been refused or gone wrong in it."""
    complaints: list[str] = []
    asked: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))
    browser_page.on("request", lambda request: asked.append(request.url))
    await browser_page.goto(console.url)
    await browser_page.wait_for_selector(LIVE)
    yield browser_page
    assert [address for address in asked if not address.startswith(console.url)] == []
    assert [complaint for complaint in complaints if "409 (Conflict)" not in complaint] == []
