"""The browser that page tests drive: it opens what this machine serves, runs its scripts, and axe judges it."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

PAGE = """<!doctype html><html lang="en"><head><title>Balance</title></head>
<body><main><h1>Credits</h1><p id="count">0</p><img src="data:,"></main>
<script>document.getElementById("count").textContent = 2 + 3</script></body></html>"""


async def show(_request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@pytest.mark.browser
async def test_the_browser_runs_a_page_and_axe_finds_what_is_wrong_with_it(browser_page: Page) -> None:
    app = web.Application()
    app.router.add_get("/", show)
    async with TestServer(app) as server:
        await browser_page.goto(str(server.make_url("/")))

        assert await browser_page.text_content("#count") == "5"
        found = await Axe().run(browser_page)

    assert [violation["id"] for violation in found.response["violations"]] == ["image-alt"]
