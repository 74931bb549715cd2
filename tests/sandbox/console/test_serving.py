"""What the console serves, to whom, and what it tells open pages."""

import asyncio
import re

import aiohttp
import pytest
from aiohttp import web

from sandbox.clock import VirtualClock
from sandbox.console.server import create_console
from sandbox.github.server import GitHubStandIn
from sandbox.inspector import DeliveryView, Snapshot
from tests.sandbox.console.conftest import Console, updates
from tests.sandbox.inspecting import HeldProduct, busy_snapshot, customer


async def test_accounts_repositories_and_threads_are_ready(console: Console, github: GitHubStandIn) -> None:
    page = await console.page()
    accounts = [console.account(login) for login in ("acme", "initech", "ada", "grace")]
    assert [account.type for account in accounts] == ["Organization", "Organization", "User", "User"]
    assert len({account.billing_day for account in accounts}) == 4
    assert re.findall(r'<span class="login">([^<]+)<', page) == ["acme", "initech", "ada", "grace"]
    for account in accounts:
        assert [(repository.name, repository.private) for repository in account.repositories] == [
            ("tally-arm", True),
            ("website", False),
        ]
    assert [thread.is_pull_request for thread in github.state.threads()] == [False, True] * 4


async def test_nothing_comes_from_elsewhere(console: Console) -> None:
    async with console.session.get(console.url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    loaded = set(re.findall(r'(?:src|href)="([^"#?]*)"', page)) - {""}
    assert {address for address in loaded if not re.fullmatch(r"avatars/\d+\.svg", address)} == {
        "static/icon.svg",
        "static/console.css",
        "static/thread.css",
        "static/balance.css",
        "static/console.js",
    }
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", page)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("console.css", "text/css"),
        ("thread.css", "text/css"),
        ("balance.css", "text/css"),
        ("console.js", "text/javascript"),
        ("morph.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_files_are_plain_and_name_nobody(console: Console, name: str, kind: str) -> None:
    async with console.session.get(f"{console.url}static/{name}") as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, kind)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "https://" not in text
    assert "@import" not in text


@pytest.mark.parametrize("path", ["static/server.py", "static/..%2Fserver.py", "avatars/0.svg", "avatars/x.svg", "act"])
async def test_nothing_else_is_served(console: Console, path: str) -> None:
    async with console.session.get(console.url + path) as answer:
        assert answer.status == 404


async def test_everybody_has_a_picture_of_their_own(console: Console, github: GitHubStandIn) -> None:
    drawn = {}
    for account in (console.account("acme"), console.account("ada"), github.add_bot("helper"), github.app_bot):
        async with console.session.get(f"{console.url}avatars/{account.id}.svg") as answer:
            assert answer.content_type == "image/svg+xml"
            drawn[account.login] = await answer.text()
    assert len(set(drawn.values())) == 4


async def test_other_sites_cannot_press_its_buttons(console: Console, github: GitHubStandIn) -> None:
    url = f"{console.url}act/install"
    async with console.session.post(url, data={"account": "ada"}) as answer:
        assert answer.status == 415
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with console.session.post(url, json={"account": "ada"}, headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
    async with console.session.get(console.url, headers={"Host": "rebound.example"}) as answer:
        assert answer.status == 421
    assert github.state.live_installations() == []


async def test_values_are_escaped(console: Console, github: GitHubStandIn, clock: VirtualClock) -> None:
    acme = console.account("acme")
    thread = acme.repositories[0].threads[1]
    github.comment(thread, "mona", "<script>alert(2)</script> <img src=x onerror=alert(3)>")
    delivery = DeliveryView(
        id="<i>",
        subject="<q>",
        event="a_<b>",
        action="c_<b>",
        state="<u>",
        attempts=1,
        received_at=clock.now(),
        error="<s>",
    )
    console.product.show(
        Snapshot(deliveries=(delivery,)), {acme.id: customer(now=clock.now(), note="<script>alert(1)</script>")}
    )
    page = await console.page()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a_<wbr>&lt;b&gt;<wbr>.c_<wbr>&lt;b&gt;" in page
    assert all(tag not in page for tag in ("<i>", "<u>", "<s>", "<b>", "<q>"))


async def test_a_login_cannot_break_out_of_a_buttons_values(console: Console, github: GitHubStandIn) -> None:
    thread = console.account("acme").repositories[0].threads[1]
    github.comment(thread, "mona", "'\"><button data-act=uninstall>")
    assert "<button data-act=uninstall>" not in await console.page()


async def test_an_open_page_hears_of_changes_on_both_sides(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    acme = console.account("acme")
    async with asyncio.timeout(60), console.session.get(f"{console.url}events") as answer:
        assert answer.content_type == "text/event-stream"
        assert "default-src" in answer.headers["Content-Security-Policy"]
        stream = updates(answer)
        first = await anext(stream)
        assert {"clock", "guide", "accounts", "thread", "ledger", "deliveries", "faults"} < set(first["regions"])
        assert (first["now"], first["running"]) == (int(clock.now().timestamp() * 1000), False)
        github.install(acme)
        second = await anext(stream)
        assert {"account", "guide", "accounts"} <= set(second["regions"])
        assert "ledger" not in second["regions"]
        assert ">Uninstall<" in second["regions"]["account"]
        console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
        third = await anext(stream)
        while "deliveries" not in third["regions"]:
            third = await anext(stream)
        assert ">47<" in third["regions"]["balance"]
        assert "GitHub answered 502" in third["regions"]["deliveries"]
        assert "unknown plan" in third["regions"]["alarms"]
        clock.advance(hours=1)
        fourth = await anext(stream)
        assert fourth["now"] - first["now"] == 3_600_000


async def test_each_page_is_told_of_what_it_looks_at(console: Console, github: GitHubStandIn) -> None:
    ada, grace = console.account("ada"), console.account("grace")
    github.install(ada)
    async with (
        asyncio.timeout(60),
        console.session.get(f"{console.url}events?account={ada.id}") as one,
        console.session.get(f"{console.url}events?account={grace.id}") as other,
    ):
        of_ada, of_grace = await anext(updates(one)), await anext(updates(other))
    assert ">Uninstall<" in of_ada["regions"]["account"]
    assert ">Install<" in of_grace["regions"]["account"]


async def test_an_address_of_nothing_leads_to_what_there_is(console: Console) -> None:
    acme = console.account("acme")
    for query in ("?account=5", "?account=x&thread=y", f"?account={acme.id}&repository=9&thread=77", "?thread=²"):
        assert "The sixth stroke misses the table" in await console.region("thread", query)


async def test_nobody_is_asked_while_nobody_looks(console: Console, github: GitHubStandIn) -> None:
    async with console.session.get(f"{console.url}events") as answer:
        await anext(updates(answer))
    for _ in range(50):
        await console.page()
        github.state.changed()
    asked = console.product.looks
    for _ in range(50):
        await console.page()
        github.state.changed()
    assert console.product.looks <= asked + 1


async def test_a_page_opened_later_sees_what_is(console: Console, github: GitHubStandIn) -> None:
    async with asyncio.timeout(60):
        async with console.session.get(f"{console.url}events") as answer:
            await anext(updates(answer))
        github.install("acme")
        async with console.session.get(f"{console.url}events") as answer:
            stream = updates(answer)
            while True:
                update = await anext(stream)
                if ">Uninstall<" in "".join(update["regions"].values()):
                    break


async def test_a_failing_product_ends_the_stream_instead_of_freezing_the_page(
    github: GitHubStandIn, product: HeldProduct
) -> None:
    runner = web.AppRunner(create_console(github, product, product, start_over=lambda: None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
        async with session.get(url) as answer:
            stream = updates(answer)
            await anext(stream)
            product.failure = LookupError("the database is gone")
            with pytest.raises((aiohttp.ClientPayloadError, StopAsyncIteration)):
                await anext(stream)
    with pytest.raises(LookupError, match="gone"):
        await runner.cleanup()


async def test_open_pages_are_let_go_when_the_server_stops(github: GitHubStandIn, product: HeldProduct) -> None:
    runner = web.AppRunner(create_console(github, product, product, start_over=lambda: None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    async with asyncio.timeout(30), aiohttp.ClientSession() as session, session.get(url) as answer:
        stream = updates(answer)
        await anext(stream)
        await runner.cleanup()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_whoever_closes_the_page_leaves_no_trace(
    console: Console, github: GitHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as visitor, visitor.get(f"{console.url}events") as answer:
        await anext(updates(answer))
    async with asyncio.timeout(60), console.session.get(f"{console.url}events") as answer:
        stream = updates(answer)
        await anext(stream)
        for _ in range(3):
            # Each is told to whoever watches, the visitor who has gone included.
            github.install("acme")
            await anext(stream)
            github.uninstall("acme")
            await anext(stream)
    assert caplog.records == []


async def test_each_run_has_a_name_of_its_own(console: Console, github: GitHubStandIn) -> None:
    other = create_console(github, console.product, console.product, start_over=lambda: None)
    runner = web.AppRunner(other)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    names = set()
    for port in (console.port, console.port, runner.addresses[0][1]):
        async with console.session.get(f"http://127.0.0.1:{port}/") as answer:
            names.update(re.findall(r'data-run="(\w+)"', await answer.text()))
    await runner.cleanup()
    assert len(names) == 2


async def test_what_is_late_shows_when_it_is_tried_again(console: Console, clock: VirtualClock) -> None:
    console.product.show(busy_snapshot(now=clock.now(), account_id=console.account("acme").id))
    deliveries, effects = await console.words("deliveries"), await console.words("effects")
    assert "No. 1, 10 Jan 12:00:00, acme" in deliveries
    assert "2 attempts, next try 10 Jan 12:05:00 GitHub answered 502" in deliveries
    assert "No. 5, 10 Jan 12:00:00, acme, 12 attempts GitHub answered 502 twelve times" in deliveries
    assert "No. 1, 10 Jan 12:00:00, acme/tally-arm#1" in effects
    assert "3 attempts, next try 10 Jan 12:05:00 no answer came" in effects
    assert "no mail server" in effects
    agenda = await console.words("clock")
    assert "Next: the delivery marketplace_purchase of acme is due, in 5 minutes" in agenda
    clock.advance(hours=1)
    assert "marketplace_purchase" not in await console.words("clock")
