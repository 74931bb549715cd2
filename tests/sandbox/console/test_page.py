"""The console page in a real browser: used by mouse and keyboard, in both colour schemes, wide and narrow."""

import itertools
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route, expect

from sandbox.clock import VirtualClock
from sandbox.console.server import create_console, ready_accounts
from sandbox.github.server import GitHubStandIn
from sandbox.inspector import Snapshot
from tests.sandbox.inspecting import HeldSnapshot, busy_snapshot, customer

LIVE = "html[data-live=yes]"


@pytest.fixture
def inspector() -> HeldSnapshot:
    """A product that has nothing to show yet."""
    return HeldSnapshot(Snapshot())


@pytest.fixture
async def url(github: GitHubStandIn, inspector: HeldSnapshot) -> AsyncIterator[str]:
    """The console's address."""
    runner = web.AppRunner(create_console(github, inspector, github.clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
async def page(browser_page: Page, url: str) -> AsyncIterator[Page]:
    """The page, open and up to date; at the end nothing must have been refused or gone wrong in it."""
    complaints: list[str] = []
    asked: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))
    browser_page.on("request", lambda request: asked.append(request.url))
    await browser_page.goto(url)
    await browser_page.wait_for_selector(LIVE)
    yield browser_page
    assert [address for address in asked if not address.startswith(url)] == []
    assert [complaint for complaint in complaints if "409 (Conflict)" not in complaint] == []


@pytest.mark.browser
async def test_a_click_acts_at_github_and_the_page_follows_without_a_reload(
    page: Page, github: GitHubStandIn, inspector: HeldSnapshot, clock: VirtualClock
) -> None:
    ada = ready_accounts(github)[0]
    card = page.get_by_role("article", name="ada")
    await page.evaluate("window.untouched = true")
    await card.get_by_role("button", name="Install").click()
    await expect(page.get_by_role("status")).to_have_text("The App is installed on ada.")
    await expect(card.get_by_role("button", name="Uninstall")).to_be_enabled()
    await expect(card.get_by_text("installed", exact=True)).to_be_visible()
    await card.get_by_label("Plan for ada").select_option("Pro ($599 a month)")
    await card.get_by_role("button", name="Buy").click()
    await expect(card.get_by_text("Pro, monthly")).to_be_visible()
    assert [purchase.terms.plan.id for purchase in github.state.purchases.values()] == [1313]
    inspector.show(busy_snapshot((customer(ada.id, "ada", now=clock.now()),), now=clock.now()))
    await expect(card.get_by_text("48 credits")).to_be_visible()
    await expect(card.get_by_role("table", name="Ledger of ada").get_by_role("row")).to_have_count(4)
    await expect(page.get_by_text("unknown plan 9999")).to_be_visible()
    await card.get_by_role("button", name="Cancel plan").click()
    await expect(card.get_by_text("ends on 1 Feb 2026")).to_be_visible()
    await page.get_by_role("button", name="To 1 Feb 2026").click()
    await expect(card.get_by_text("no plan")).to_be_visible()
    await expect(page.locator("#now")).to_have_text("2026-02-01 00:00:00")
    assert await page.evaluate("window.untouched")


@pytest.mark.browser
async def test_something_is_let_go_wrong_and_right_again(page: Page, github: GitHubStandIn) -> None:
    ada = ready_accounts(github)[0]
    panel = page.get_by_role("region", name="Let something go wrong")
    await panel.get_by_label("What goes wrong").select_option("All webhooks are held back")
    await panel.get_by_role("button", name="Do", exact=True).click()
    await expect(panel.get_by_text("Every webhook: held back.")).to_be_visible()
    await page.locator(f"#install-{ada.id}").click()
    await expect(panel.get_by_text("1 webhook waits to be released.")).to_be_visible()
    await panel.get_by_role("button", name="Release last first").click()
    await expect(page.get_by_role("status")).to_have_text("In the wrong order, 1 webhook was sent.")
    await panel.get_by_role("button", name="Switch all off").click()
    await expect(panel.get_by_text("held back.")).to_be_hidden()
    assert github.webhook_faults.rules == []


@pytest.mark.browser
async def test_an_account_is_renamed_and_what_is_typed_survives_changes(page: Page, github: GitHubStandIn) -> None:
    ada = ready_accounts(github)[0]
    card = page.get_by_role("article", name="ada", exact=True)
    await card.get_by_text("More").click()
    field = page.get_by_label("New name of ada")
    await field.fill("ada-lovelace")
    github.buy(ada, "Pro")
    await expect(card.get_by_text("Pro, monthly")).to_be_visible()
    await expect(field).to_have_value("ada-lovelace")
    await card.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="ada-lovelace")).to_be_visible()
    await expect(page.get_by_label("New name of ada-lovelace")).to_be_visible()
    assert github.state.account(ada.id).login == "ada-lovelace"


@pytest.mark.browser
async def test_good_news_go_away_by_themselves(browser_page: Page, url: str) -> None:
    await browser_page.clock.install()
    await browser_page.goto(url)
    await browser_page.wait_for_selector(LIVE)
    status = browser_page.get_by_role("status")
    await browser_page.locator("#clock-hour").click()
    await expect(status).to_have_text("It is now 10 Jan 2026, 13:00 UTC.")
    await browser_page.clock.run_for(7_000)
    await expect(status).to_be_visible()
    await browser_page.clock.run_for(2_000)
    await expect(status).to_be_hidden()


@pytest.mark.browser
async def test_it_is_used_by_keyboard_alone(page: Page, github: GitHubStandIn) -> None:
    ada = ready_accounts(github)[0]
    button = page.locator(f"#install-{ada.id}")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await button.evaluate("element => element === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(button).to_have_text("Uninstall")
    await expect(button).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(page.locator(f"#suspend-{ada.id}")).to_have_text("Unsuspend")
    assert github.installation(ada).suspended_at is not None


@pytest.mark.browser
async def test_a_choice_survives_changes_around_it(page: Page, github: GitHubStandIn) -> None:
    ada = ready_accounts(github)[0]
    choice = page.locator(f"#plan-{ada.id}")
    await choice.select_option("1111")
    github.install(ada)
    await expect(page.locator(f"#install-{ada.id}")).to_have_text("Uninstall")
    await expect(choice).to_have_value("1111")


@pytest.mark.browser
async def test_buttons_rest_while_their_request_is_under_way(page: Page, github: GitHubStandIn) -> None:
    ada = ready_accounts(github)[0]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/act/install", hold)
    button = page.locator(f"#install-{ada.id}")
    await button.click()
    await expect(button).to_be_disabled()
    await expect(button).to_have_attribute("aria-busy", "true")
    github.rename(ada, "ada-l")
    github.buy(ada, "Pro")
    await expect(page.locator(f"#github-{ada.id}").get_by_text("Pro, monthly")).to_be_visible()
    await expect(page.get_by_role("heading", name="ada-l")).to_be_visible()
    await expect(button).to_be_disabled()
    await held[0].continue_()
    await expect(button).to_have_text("Uninstall")
    await expect(button).to_be_enabled()


@pytest.mark.browser
async def test_an_error_is_shown_in_words_and_goes_away(page: Page, github: GitHubStandIn) -> None:
    ada, grace = ready_accounts(github)[:2]
    # Somebody else was faster: the page's button is out of date when it is pressed.
    await page.route("**/act/install", lambda route: route.continue_(post_data=f'{{"account": {grace.id}}}'))
    github.install(grace)
    await page.locator(f"#install-{ada.id}").click()
    trouble = page.get_by_role("alert")
    await expect(trouble).to_have_text("That can't be done: the App is installed on grace already.")
    await page.unroute("**/act/install")
    await page.locator(f"#install-{ada.id}").click()
    await expect(page.get_by_role("status")).to_have_text("The App is installed on ada.")
    await expect(trouble).to_be_hidden()


@pytest.mark.browser
async def test_a_new_account_appears(page: Page, github: GitHubStandIn) -> None:
    github.add_user("hedy")
    await expect(page.get_by_role("article", name="hedy")).to_be_visible()


@pytest.mark.browser
async def test_axe_finds_nothing_and_nothing_overflows(
    page: Page, github: GitHubStandIn, inspector: HeldSnapshot, clock: VirtualClock
) -> None:
    ada, grace, acme, _ = ready_accounts(github)
    github.install(ada)
    github.install(acme)
    github.suspend(acme)
    github.buy(acme, "Pro")
    github.cancel(acme)
    github.buy(grace, "Plus")
    inspector.show(busy_snapshot((customer(ada.id, "ada", now=clock.now()),), now=clock.now()))
    await expect(page.get_by_text("unknown plan 9999")).to_be_visible()
    github.webhook_faults.hold()
    github.uninstall(ada)
    await page.locator(f"#more-of-{ada.id}").click()
    await expect(page.get_by_label("New name of ada")).to_be_visible()
    await page.get_by_role("button", name="+1 hour").click()
    await expect(page.get_by_role("status")).to_be_visible()
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme, width in itertools.product(schemes, (1360, 820, 360)):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.set_viewport_size({"width": width, "height": 800})
        found = await Axe().run(page)
        assert [(broken["id"], broken["impact"]) for broken in found.response["violations"]] == [], (scheme, width)
        for part in ("html", "aside", "main"):
            overflow = await page.locator(part).evaluate("element => element.scrollWidth - element.clientWidth")
            assert overflow == 0, (scheme, width, part)


@pytest.mark.browser
async def test_a_lost_connection_is_said_and_found_again(
    browser_page: Page, github: GitHubStandIn, inspector: HeldSnapshot
) -> None:
    runner = web.AppRunner(create_console(github, inspector, github.clock))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    await browser_page.goto(f"http://127.0.0.1:{port}/")
    await browser_page.wait_for_selector(LIVE)
    await runner.cleanup()
    trouble = browser_page.get_by_role("alert")
    await expect(trouble).to_contain_text("connection to the sandbox is lost")
    await browser_page.locator("#clock-hour").click()
    await expect(trouble).to_contain_text("doesn't answer")
    again = web.AppRunner(create_console(github, inspector, github.clock))
    await again.setup()
    await web.TCPSite(again, "127.0.0.1", port).start()
    await browser_page.wait_for_selector(LIVE, timeout=60_000)
    await expect(trouble).to_be_hidden()
    await browser_page.close()
    await again.cleanup()
