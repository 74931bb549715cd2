"""What holds for every address: the front page, problems as documents, headers of safety, health."""

import base64
import hashlib
import io
import json
import re
import sqlite3
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Page

from bot.edge import HTTPS_HEADERS, SAFETY_HEADERS, InFlight, edge_middleware
from bot.pages.home import prefers_json
from sandbox.clock import VirtualClock
from tests.bot.hostile import TARGETS, good
from tests.bot.serving import Served, serving
from tests.bot.wire import Answer, Wire, request_of

pytestmark = pytest.mark.usefixtures("clean_log")


async def ask(served: Served, path: str, *, method: str = "GET", **headers: str) -> Answer:
    async with Wire.connect(served.port) as wire:
        return await wire.ask(request_of(path, b"", headers.items(), method=method))


@pytest.fixture
async def served(sqlite_url: str, clock: VirtualClock) -> AsyncIterator[Served]:
    async with serving(sqlite_url, clock=clock) as served:
        yield served


async def test_the_front_page_says_what_this_is_and_loads_nothing(served: Served) -> None:
    answer = await ask(served, "/", Accept="text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")

    page = answer.body.decode()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "billing back end of a GitHub App" in page
    assert "http://127.0.0.1:8000/webhooks/github/marketplace" in page
    assert not re.search(r"<script|<link|<img|src=|url\(|@import", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


async def test_the_front_page_is_json_for_programs(served: Served) -> None:
    answer = await ask(served, "/", Accept="application/json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Vary"] == "Accept"
    assert answer.document["name"] == "Tallyhook"
    assert answer.document["webhooks"]["app"] == "http://127.0.0.1:8000/webhooks/github"
    assert (await ask(served, "/", method="HEAD")).status == 200


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("text/html, application/json;q=0.9", False),
        ("text/html;q=0.5, APPLICATION/JSON;q=0.9", True),
        ("text/html;q=x, application/json", True),
        ("application/json;q=0", False),
        (";;,,q=", False),
    ],
)
def test_who_would_rather_have_json(accept: str, *, is_json: bool) -> None:
    assert prefers_json(accept) is is_json


@pytest.mark.browser
async def test_the_front_page_looks_as_it_is_meant_to(served: Served, browser_page: Page) -> None:
    complaints: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text))
    await browser_page.goto(f"http://127.0.0.1:{served.port}/")

    assert await browser_page.title() == "Tallyhook"
    assert await browser_page.locator("section").count() == 3
    # The style is applied: the policy lets it through.
    assert await browser_page.evaluate("getComputedStyle(document.body).margin") == "0px"
    assert [complaint for complaint in complaints if "favicon" not in complaint] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "problem"),
    [
        ("GET", "/nothing-here", 404, "not-found"),
        ("POST", "/nothing-here", 404, "not-found"),
        ("GET", "/webhooks/github/", 404, "not-found"),
        ("GET", "/%00", 404, "not-found"),
        ("POST", "/healthz", 405, "method-not-allowed"),
        ("DELETE", "/", 405, "method-not-allowed"),
    ],
)
async def test_problems_are_documents(method: str, path: str, status: int, problem: str, served: Served) -> None:
    answer = await ask(served, path, method=method)

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.document["type"] == f"urn:tallyhook:problem:{problem}"
    assert answer.document["request_id"] == answer.headers["X-Request-Id"]
    if status == 405:
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/nothing-here"])
async def test_headers_of_safety_are_everywhere(path: str, served: Served) -> None:
    first, second = await ask(served, path), await ask(served, path)

    assert SAFETY_HEADERS.keys() <= first.headers.keys()
    assert first.headers["Server"] == "tallyhook"
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert not HTTPS_HEADERS.keys() & first.headers.keys()


async def test_over_https_browsers_are_told_to_stay_with_it(sqlite_url: str) -> None:
    async with serving(sqlite_url, PUBLIC_URL="https://billing.example.com") as served:
        assert (await ask(served, "/healthz")).headers.items() >= HTTPS_HEADERS.items()


async def test_a_bug_is_told_by_an_id_and_nothing_else(clean_log: io.StringIO) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("the inner workings")

    async def refuse(_request: web.Request) -> web.Response:
        raise web.HTTPUnprocessableEntity(text="as aiohttp would")

    async def move(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    app = web.Application(
        middlewares=[edge_middleware(in_flight=InFlight(), is_https=False, new_request_id=lambda: "request-1")]
    )
    for path, handler in (("/fail", fail), ("/refuse", refuse), ("/move", move)):
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with Wire.connect(site.port) as wire:
        failed, refused, moved = [
            await wire.ask(request_of(path, b"", [], method="GET")) for path in ("/fail", "/refuse", "/move")
        ]
    await runner.cleanup()

    assert failed.status == 500
    assert failed.document["type"] == "urn:tallyhook:problem:internal-error"
    assert b"inner workings" not in failed.body
    (line,) = [json.loads(text) for text in clean_log.getvalue().splitlines()]
    assert (line["event"], line["request_id"], line["route"]) == ("request_failed", "request-1", "/fail")
    assert "the inner workings" in line["exception"]
    assert (refused.status, refused.document["status"]) == (422, 422)
    assert (moved.status, moved.headers["Location"]) == (302, "/elsewhere")


async def test_a_process_that_can_do_its_work_is_ready(served: Served) -> None:
    ready = await ask(served, "/readyz")

    assert (ready.status, ready.document["status"]) == (200, "ready")
    assert {name: check["ok"] for name, check in ready.document["checks"].items()} == {
        "database": True,
        "migrations": True,
        "worker_lag": True,
    }
    assert (await ask(served, "/healthz")).document == {"status": "alive"}


async def test_deliveries_that_pile_up_make_it_unready(served: Served, clock: VirtualClock) -> None:
    body, headers = good(TARGETS[0])
    async with Wire.connect(served.port) as wire:
        assert (await wire.ask(request_of(TARGETS[0].path, body, headers.items()))).status == 202
    clock.advance(seconds=119)
    assert (await ask(served, "/readyz")).status == 200

    clock.advance(seconds=1)
    late = await ask(served, "/readyz")

    assert (late.status, late.document["status"]) == (503, "unready")
    assert not late.document["checks"]["worker_lag"]["ok"]
    assert late.document["checks"]["database"]["ok"]


async def test_tables_of_another_version_make_it_unready(served: Served, sqlite_url: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'another'")
    connection.close()

    late = await ask(served, "/readyz")

    assert late.status == 503
    assert not late.document["checks"]["migrations"]["ok"]
    assert "another" in late.document["checks"]["migrations"]["detail"]
