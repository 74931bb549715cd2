"""The console page without a browser: what it serves, what its actions do, what it tells open pages."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import aiohttp
import pytest
from aiohttp import web

from sandbox.clock import VirtualClock
from sandbox.console.faults import describe_faults
from sandbox.console.server import create_console, ready_accounts
from sandbox.console.view import account_card, shown_accounts
from sandbox.console.words import describe_price, ordinal
from sandbox.github.rest_faults import FaultKind, RestFault
from sandbox.github.server import GitHubStandIn
from sandbox.github.webhook_faults import Effect, WebhookFault
from sandbox.inspector import CustomerView, DeliveryView, Snapshot
from tests.sandbox.conftest import Client, Target
from tests.sandbox.inspecting import HeldSnapshot, busy_snapshot, customer


@dataclass(slots=True)
class Console:
    """A served console and a client of it."""

    url: str
    inspector: HeldSnapshot
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any) -> tuple[int, str]:
        async with self.session.post(f"{self.url}/{path}", json=body) as answer:
            return answer.status, (await answer.json())["message"]

    async def page(self) -> str:
        async with self.session.get(self.url) as answer:
            return await answer.text()

    async def region(self, name: str) -> str:
        """What a part of the page says, its words separated by single spaces."""
        found = re.search(rf'id="{name}" data-region[^>]*>(.*?)</(?:section|article)>', await self.page(), re.DOTALL)
        assert found is not None
        joined = re.sub(r"</?(?:span|time|wbr)\b[^>]*>", "", found[1])
        return " ".join(re.sub(r"<[^>]+>", " ", joined).split())


@pytest.fixture
def inspector() -> HeldSnapshot:
    """A product that has nothing to show yet."""
    return HeldSnapshot(Snapshot())


@pytest.fixture
async def console(github: GitHubStandIn, inspector: HeldSnapshot) -> AsyncIterator[Console]:
    """The console on a free port."""
    runner = web.AppRunner(create_console(github, inspector, github.clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Console(f"http://127.0.0.1:{runner.addresses[0][1]}", inspector, session)
    await runner.cleanup()


async def updates(answer: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """Yield what a stream says."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


async def test_two_users_and_two_organizations_are_ready(console: Console, github: GitHubStandIn) -> None:
    accounts = ready_accounts(github)
    assert [(account.login, account.type) for account in accounts] == [
        ("ada", "User"),
        ("grace", "User"),
        ("acme", "Organization"),
        ("initech", "Organization"),
    ]
    assert len({account.billing_day for account in accounts}) == 4
    assert shown_accounts(github) == accounts
    page = await console.page()
    for account in accounts:
        assert f">{account.login}</h2>" in page


async def test_every_action_says_what_it_did(console: Console, github: GitHubStandIn, target: Target) -> None:
    ada = ready_accounts(github)[0]
    said = [
        await console.post(f"act/{name}", {"account": ada.id, **more})
        for name, more in (
            ("install", {}),
            ("suspend", {}),
            ("unsuspend", {}),
            ("rename", {"login": "ada-l"}),
            ("buy", {"plan": 1111}),
            ("change", {"plan": 1313}),
            ("fail_payment", {}),
            ("restore_payment", {}),
            ("change", {"plan": 1111}),
            ("withdraw_change", {}),
            ("cancel", {}),
            ("uninstall", {}),
        )
    ]
    assert said == [
        (200, words)
        for words in (
            "The App is installed on ada.",
            "The installation on ada is suspended.",
            "The installation on ada works again.",
            "The account is called ada-l now.",
            "ada-l has bought Free.",
            "ada-l has Pro from now on.",
            "A payment of ada-l failed: GitHub's API hides the plan for a day, and tells nobody.",
            "The payment of ada-l came through: GitHub's API shows the plan again.",
            "ada-l keeps Pro until 1 Feb 2026, then changes to Free.",
            "ada-l keeps Pro.",
            "ada-l has cancelled and keeps Pro until 1 Feb 2026.",
            "The App is uninstalled from ada-l. What was bought stays bought.",
        )
    ]
    await github.settle()
    assert len(target.received) == 10


async def test_a_free_plan_is_cancelled_at_once(console: Console, github: GitHubStandIn) -> None:
    github.buy("grace", "Free")
    assert await console.post("act/cancel", {"account": "grace"}) == (
        200,
        "grace has cancelled and has no plan any more.",
    )


async def test_a_webhook_is_lost_and_another_comes_twice(
    console: Console, github: GitHubStandIn, target: Target
) -> None:
    assert "lost" not in await console.region("faults")
    said = await console.post("faults/begin", {"fault": "lose"})
    assert said == (200, "The next webhook is lost. GitHub sends none again by itself.")
    assert "The next webhook: lost." in await console.region("faults")
    github.install("ada")
    assert await console.region("faults") == ""
    await console.post("faults/begin", {"fault": "duplicate"})
    github.install("grace")
    await github.settle()
    assert [received.payload["installation"]["account"]["login"] for received in target.received] == ["grace", "grace"]


async def test_a_webhook_comes_late(
    console: Console, github: GitHubStandIn, target: Target, clock: VirtualClock
) -> None:
    await console.post("faults/begin", {"fault": "late"})
    github.install("ada")
    await github.settle()
    assert target.received == []
    clock.advance(hours=1)
    await github.settle()
    assert target.names() == ["installation.created"]


async def test_webhooks_are_held_back_and_released_in_the_wrong_order(
    console: Console, github: GitHubStandIn, target: Target
) -> None:
    await console.post("faults/begin", {"fault": "hold"})
    github.install("ada")
    github.suspend("ada")
    faults = await console.region("faults")
    assert "Every webhook: held back." in faults
    assert "2 webhooks wait to be released." in faults
    assert await console.post("faults/release", {}) == (200, "In the wrong order, 2 webhooks were sent.")
    await github.settle()
    assert target.names() == ["installation.suspend", "installation.created"]
    github.unsuspend("ada")
    assert await console.post("faults/end", {}) == (200, "Nothing goes wrong any more; 1 webhook was sent.")
    await github.settle()
    assert target.names()[-1] == "installation.unsuspend"
    assert await console.post("faults/end", {}) == (200, "Nothing goes wrong any more.")
    assert await console.region("faults") == ""


async def test_the_api_fails_and_goes_down(console: Console, client: Client) -> None:
    await console.post("faults/begin", {"fault": "error"})
    assert [(await client.get("/app")).status for _ in range(4)] == [502, 502, 502, 200]
    await console.post("faults/begin", {"fault": "down"})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.get("/app")
    assert "Every request to the API: not answered." in await console.region("faults")
    await console.post("faults/end", {})
    assert (await client.get("/app")).status == 200


async def test_a_fault_that_does_not_exist_is_refused(console: Console) -> None:
    async with console.session.post(f"{console.url}/faults/begin", json={"fault": "meteor"}) as answer:
        assert (answer.status, await answer.text()) == (422, "There is no fault 'meteor'.\n")
    async with console.session.post(f"{console.url}/faults/end", json={"fault": "lose"}) as answer:
        assert answer.status == 422


def test_every_fault_that_the_stand_in_knows_has_its_words(github: GitHubStandIn, clock: VirtualClock) -> None:
    github.webhook_faults.fail(event="installation", action="created", times=2)
    github.faults.slow(1.0, path="/app", times=None)
    github.faults.garble()
    github.faults.exhaust(now=clock.now(), seconds=3600)
    for effect in get_args(Effect):
        github.webhook_faults.rules.append(WebhookFault(effect=effect))
    for kind in get_args(FaultKind):
        github.faults.rules.append(RestFault(kind=kind))
    lines = describe_faults(github)
    assert lines[0] == "The next 2 webhooks installation.created: failed"
    assert "Every request to /app: answered slowly" in lines
    assert "The next request to the API: answered with nonsense" in lines
    assert lines[-1] == "Every request to the API: refused by the rate limit until 10 Jan 13:00"
    assert len(lines) == 4 + len(get_args(Effect)) + len(get_args(FaultKind))


async def test_what_cannot_be_done_is_said_in_words(console: Console) -> None:
    assert await console.post("act/uninstall", {"account": "ada"}) == (
        409,
        "That can't be done: the App isn't installed there.",
    )
    status, words = await console.post("clock", {"to": "1999-01-01T00:00:00Z"})
    assert (status, words) == (409, "That can't be done: a clock never goes backwards.")
    async with console.session.post(f"{console.url}/act/steal", json={}) as answer:
        assert answer.status == 404
    async with console.session.post(f"{console.url}/act/buy", json={"account": "ada", "price": 0}) as answer:
        assert answer.status == 422
    async with console.session.get(f"{console.url}/static/server.py") as answer:
        assert answer.status == 404


async def test_the_clock_is_moved(console: Console, clock: VirtualClock, github: GitHubStandIn) -> None:
    assert await console.post("clock", {"seconds": 86400}) == (200, "It is now 11 Jan 2026, 12:00 UTC.")
    github.buy("grace", "Pro")
    assert 'data-to="2026-01-15T00:00:00+00:00"' in await console.page()
    assert (await console.post("clock", {"to": "2026-01-15T00:00:00Z"}))[0] == 200
    assert clock.now() == datetime(2026, 1, 15, tzinfo=UTC)


async def test_nothing_comes_from_elsewhere(console: Console) -> None:
    async with console.session.get(console.url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="([^"#]*)"', page) == [
        "static/icon.svg",
        "static/console.css",
        "static/console.js",
        "static/icon.svg",
    ]
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", page)
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        async with console.session.get(f"{console.url}/static/{name}") as answer:
            text = await answer.text()
            assert (answer.status, answer.content_type) == (200, kind)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "https://" not in text
            assert "@import" not in text


async def test_other_sites_cannot_press_its_buttons(console: Console, github: GitHubStandIn) -> None:
    url = f"{console.url}/act/install"
    async with console.session.post(url, data={"account": "ada"}) as answer:
        assert answer.status == 415
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with console.session.post(url, json={"account": "ada"}, headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
    async with console.session.get(console.url, headers={"Host": "rebound.example"}) as answer:
        assert answer.status == 421
    assert github.state.live_installations() == []


async def test_values_are_escaped(console: Console, github: GitHubStandIn, clock: VirtualClock) -> None:
    ada = ready_accounts(github)[0]
    console.inspector.show(
        Snapshot(
            customers=(customer(ada.id, "ada", now=clock.now(), note="<script>alert(1)</script>"),),
            deliveries=(
                DeliveryView(
                    id="<i>",
                    github_account_id=ada.id,
                    event="a_<b>",
                    action="c_<b>",
                    state="<u>",
                    attempts=1,
                    received_at=clock.now(),
                    error="<s>",
                ),
            ),
        )
    )
    page = await console.page()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a_<wbr>&lt;b&gt;<wbr>.c_<wbr>&lt;b&gt;" in page
    assert all(tag not in page for tag in ("<i>", "<u>", "<s>", "<b>"))


async def test_an_open_page_hears_of_changes_on_both_sides(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    ada = ready_accounts(github)[0]
    async with asyncio.timeout(60), console.session.get(f"{console.url}/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert "default-src" in answer.headers["Content-Security-Policy"]
        stream = updates(answer)
        first = await anext(stream)
        assert {"clock", "deliveries", "effects", "alarms", f"ledger-{ada.id}"} < set(first["regions"])
        assert (first["now"], first["running"]) == (int(clock.now().timestamp() * 1000), False)
        github.install(ada)
        second = await anext(stream)
        assert set(second["regions"]) == {f"github-{ada.id}"}
        assert ">Uninstall<" in second["regions"][f"github-{ada.id}"]
        console.inspector.show(busy_snapshot((customer(ada.id, "ada", now=clock.now()),), now=clock.now()))
        third = await anext(stream)
        while "deliveries" not in third["regions"]:
            third = await anext(stream)
        assert ">48<" in third["regions"][f"customer-{ada.id}"]
        assert "GitHub answered 502" in third["regions"]["deliveries"]
        assert "unknown plan" in third["regions"]["alarms"]
        clock.advance(hours=1)
        fourth = await anext(stream)
        assert fourth["now"] - first["now"] == 3_600_000


async def test_nobody_is_asked_while_nobody_looks(console: Console, github: GitHubStandIn) -> None:
    async with console.session.get(f"{console.url}/events") as answer:
        await anext(updates(answer))
    for _ in range(100):
        await console.page()
        github.state.changed()
    asked = console.inspector.looks
    for _ in range(100):
        await console.page()
        github.state.changed()
    assert console.inspector.looks <= asked + 1


async def test_a_page_opened_later_sees_what_is(console: Console, github: GitHubStandIn) -> None:
    async with asyncio.timeout(60):
        async with console.session.get(f"{console.url}/events") as answer:
            await anext(updates(answer))
        github.install("ada")
        async with console.session.get(f"{console.url}/events") as answer:
            stream = updates(answer)
            while True:
                update = await anext(stream)
                if ">Uninstall<" in "".join(update["regions"].values()):
                    break


async def test_a_failing_product_ends_the_stream_instead_of_freezing_the_page(
    github: GitHubStandIn, inspector: HeldSnapshot
) -> None:
    runner = web.AppRunner(create_console(github, inspector, github.clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
        async with session.get(url) as answer:
            stream = updates(answer)
            await anext(stream)
            inspector.failure = LookupError("the database is gone")
            with pytest.raises((aiohttp.ClientPayloadError, StopAsyncIteration)):
                await anext(stream)
    with pytest.raises(LookupError, match="gone"):
        await runner.cleanup()


async def test_open_pages_are_let_go_when_the_server_stops(github: GitHubStandIn, inspector: HeldSnapshot) -> None:
    runner = web.AppRunner(create_console(github, inspector, github.clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    async with asyncio.timeout(30), aiohttp.ClientSession() as session, session.get(url) as answer:
        stream = updates(answer)
        await anext(stream)
        await runner.cleanup()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


def test_the_console_moves_the_one_clock(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="one clock"):
        create_console(GitHubStandIn(VirtualClock()), HeldSnapshot(Snapshot()), clock)


def test_a_card_says_what_github_knows(github: GitHubStandIn, clock: VirtualClock) -> None:
    grace, acme = ready_accounts(github)[1:3]
    assert not account_card(github, grace, None).has_plan
    github.buy(grace, "Plus")
    card = account_card(github, grace, None)
    assert card.has_plan
    assert (card.plan, card.on_free_trial, card.billing_day) == ("Plus, monthly", True, "15th")
    assert card.free_trial_ends_on == datetime(2026, 1, 24, tzinfo=UTC)
    github.buy(acme, "Team", units=3)
    github.change(acme, units=2)
    github.fail_payment(acme, hours=1)
    card = account_card(github, acme, None)
    assert (card.plan, card.scheduled, card.hidden) == ("Team, 3 seats, monthly", "becomes Team on 20 Jan 2026", True)
    assert [offer.label for offer in card.offers] == ["Plus ($999 a month)", "Pro ($599 a month)", "Free ($0)"]
    assert describe_price(github.state.plan("Team")) == "Team ($49 a seat and month)"
    clock.advance(hours=1)
    assert not account_card(github, acme, None).hidden


def test_owners_that_were_made_up_are_not_shown(github: GitHubStandIn) -> None:
    globex = github.add_organization("globex")
    assert github.state.human(globex).login == "globex-owner"
    github.rename(globex, "globex-2")
    assert shown_accounts(github) == [globex]


@pytest.mark.parametrize(
    ("day", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd"), (31, "31st")],
)
def test_days_are_spoken(day: int, words: str) -> None:
    assert ordinal(day) == words


async def test_a_customer_without_expiry_or_change_is_shown_plainly(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    ada, grace = ready_accounts(github)[:2]
    plain = CustomerView(
        id="1", github_account_id=ada.id, login="ada", plan="Trial", plan_state="none", available=1, next_expiry=None
    )
    ending = customer(grace.id, "grace", now=clock.now() + timedelta(days=1))
    [subscription] = ending.subscriptions
    ending = replace(
        ending,
        subscriptions=(replace(subscription, pending_plan=None, ends=True, changes_at=None),),
    )
    console.inspector.show(Snapshot(customers=(plain, ending)))
    page = " ".join((await console.page()).split())
    assert '<span class="figure">1</span> credit</p>' in page
    assert "<dt>Scheduled</dt><dd>ends</dd>" in page


async def test_what_expired_since_the_last_entry_is_shown_above_it(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    ada = ready_accounts(github)[0]
    console.inspector.show(Snapshot(customers=(replace(customer(ada.id, "ada", now=clock.now()), due=43),)))
    ledger = await console.region(f"ledger-{ada.id}")
    assert "expired since then; booked before the next entry \u221243 5 3 10 Jan 12:00 spend" in ledger
    console.inspector.show(Snapshot(customers=(customer(ada.id, "ada", now=clock.now()),)))
    assert "expired" not in await console.region(f"ledger-{ada.id}")


async def test_a_delivery_says_whose_it_is(console: Console, github: GitHubStandIn, clock: VirtualClock) -> None:
    ada = ready_accounts(github)[0]
    snapshot = busy_snapshot((), now=clock.now())
    known, *others = snapshot.deliveries
    console.inspector.show(replace(snapshot, deliveries=(replace(known, github_account_id=ada.id), *others)))
    deliveries = await console.region("deliveries")
    assert "No. 1, 10 Jan 12:00, ada" in deliveries
    assert "No. 5, 10 Jan 12:00, 12 attempts" in deliveries


async def test_whoever_closes_the_page_leaves_no_trace(
    console: Console, github: GitHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as visitor, visitor.get(f"{console.url}/events") as answer:
        await anext(updates(answer))
    async with asyncio.timeout(60), console.session.get(f"{console.url}/events") as answer:
        stream = updates(answer)
        await anext(stream)
        for _ in range(3):
            # Each is told to whoever watches, the visitor who has gone included.
            github.state.changed()
            github.install("ada")
            await anext(stream)
            github.uninstall("ada")
            await anext(stream)
    assert caplog.records == []
