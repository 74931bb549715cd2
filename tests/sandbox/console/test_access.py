"""The console page in a real browser: for everybody, whatever they use, and whatever happens meanwhile."""

import itertools
import re
from typing import Literal

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from sandbox.clock import VirtualClock
from sandbox.console.server import create_console
from sandbox.github.server import GitHubStandIn
from tests.sandbox.console.conftest import LIVE, Console
from tests.sandbox.inspecting import HeldProduct, busy_snapshot, customer

WIDTHS = (1280, 820, 360)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def focused(page: Page) -> str:
    """The id of what has the focus; its tag's name if it has none."""
    found: str = await page.evaluate("document.activeElement.id || document.activeElement.tagName")
    return found


@pytest.mark.browser
async def test_the_first_minute_by_keyboard_alone(page: Page, console: Console, github: GitHubStandIn) -> None:
    acme = console.account("acme")
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await focused(page) == "guide-install":
            break
    await page.keyboard.press("Enter")
    await expect(page.locator("#guide-buy")).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.locator("#guide-ask")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#posts").get_by_role("article")).to_have_count(2)
    assert github.state.installation_of(acme) is not None
    assert acme.id in github.state.purchases


@pytest.mark.browser
async def test_everything_is_reached_in_order_and_nothing_holds_the_focus(
    page: Page, console: Console, clock: VirtualClock
) -> None:
    acme = console.account("acme")
    console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
    await expect(page.get_by_text("unknown plan 9999")).to_be_visible()
    seen: list[str] = []
    for _ in range(150):
        await page.keyboard.press("Tab")
        name = await focused(page)
        if name == "BODY":
            break
        seen.append(name)
    # Once round: from the skip links to the last ready-made customer, and out.
    assert seen[-1] == "scenario-team"
    named = [name for name in seen if name.islower()]
    assert len(named) == len(set(named))
    order = ["clock-hour", "reset", "guide-install", f"account-{acme.id}", "install", "buy-1313", "repository-1"]
    order += ["posts", "say-1", "comment-words", "comment-send", "amount", "figures", "fault-lose", "end-faults"]
    assert [name for name in seen if name in order] == order
    for name in order:
        element = page.locator(f"#{name}")
        await element.focus()
        box = await element.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 19, name


@pytest.mark.browser
async def test_skip_links_lead_past_the_head(page: Page) -> None:
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the conversation")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to the conversation")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    assert await focused(page) == "conversation"


@pytest.mark.browser
async def test_people_are_chosen_by_arrow_keys(page: Page, console: Console, github: GitHubStandIn) -> None:
    github.install("acme")
    await page.get_by_role("radio", name="ada owner").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="walt writer")).to_be_checked()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#posts").get_by_role("article")).to_have_count(2)
    [comment] = console.account("acme").repositories[0].threads[1].comments
    assert (comment.author.login, comment.body) == ("walt", "/credits")


@pytest.mark.browser
async def test_what_is_typed_chosen_opened_and_scrolled_survives(
    page: Page, console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    acme = console.account("acme")
    thread = acme.repositories[0].threads[1]
    for number in range(12):
        github.comment(thread, "mona", f"remark {number}")
    await expect(page.locator(".markdown", has_text="remark 11")).to_be_attached()
    await page.get_by_role("radio", name="rita reader").check()
    await page.locator("#comment-words").fill("half a wor")
    await page.locator("#comment-words").evaluate("element => element.setSelectionRange(4, 6)")
    await page.locator("#open-thread-summary").click()
    await page.get_by_label("Opened by").select_option("walt (writer)")
    await page.locator("#comment-words").focus()
    await page.locator("#posts").evaluate("element => { element.scrollTop = 100 }")
    github.comment(thread, github.app_bot, "an answer")
    console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
    github.set_visibility(acme.repositories[0], private=False)
    await expect(page.get_by_role("radio", name="otto outsider")).to_be_attached()
    await expect(page.locator(".markdown", has_text="an answer")).to_be_attached()
    await expect(page.locator("#comment-words")).to_have_value("half a wor")
    await expect(page.locator("#comment-words")).to_be_focused()
    assert await page.locator("#comment-words").evaluate("e => [e.selectionStart, e.selectionEnd]") == [4, 6]
    await expect(page.get_by_role("radio", name="rita reader")).to_be_checked()
    await expect(page.get_by_label("Opened by")).to_be_visible()
    assert await page.get_by_label("Opened by").input_value() == str(console.account("walt").id)
    assert await page.locator("#posts").evaluate("element => element.scrollTop") == 100


@pytest.mark.browser
async def test_a_new_answer_is_scrolled_to_by_whoever_reads_the_end(
    page: Page, console: Console, github: GitHubStandIn
) -> None:
    thread = console.account("acme").repositories[0].threads[1]
    for number in range(12):
        github.comment(thread, "mona", f"remark {number}")
    await expect(page.locator(".markdown", has_text="remark 11")).to_be_attached()
    github.comment(thread, github.app_bot, "an answer\n\nof two paragraphs")
    await expect(page.locator(".markdown", has_text="of two paragraphs")).to_be_attached()
    assert await page.locator("#posts").evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight") < 2


@pytest.mark.browser
async def test_results_and_answers_are_announced(page: Page, console: Console, github: GitHubStandIn) -> None:
    thread = console.account("acme").repositories[0].threads[1]
    await page.locator("#install").click()
    await expect(page.get_by_role("status").filter(has_text="The App is installed on acme.")).to_be_visible()
    posts = page.locator("#posts")
    await expect(posts).to_have_attribute("aria-live", "polite")
    await page.evaluate(
        "window.first = document.querySelector('#posts > li');"
        "window.added = [];"
        "new MutationObserver((all) => all.forEach((each) => each.addedNodes.forEach("
        "(node) => node.id && window.added.push(node.id))))"
        ".observe(document.querySelector('#posts'), {childList: true})"
    )
    answer = github.comment(thread, github.app_bot, "60 credits")
    await expect(posts.get_by_role("article")).to_have_count(2)
    # Only what is new is added, so only that is read out.
    assert await page.evaluate("window.added") == [f"post-{thread.repository.id}-1-{answer.id}"]
    assert await page.evaluate("window.first.isConnected")
    github.edit_comment(answer, "59 credits")
    await expect(page.locator("#spoken")).to_have_text("tallyhook-sandbox[bot] has changed a comment.")
    await page.get_by_role("navigation").get_by_role("link", name="ada").click()
    await expect(page.locator("#spoken")).to_have_text(re.compile(r"^ada User, not installed .*: shown\.$"))


@pytest.mark.browser
async def test_nothing_moves_for_those_who_want_no_motion(page: Page, console: Console, github: GitHubStandIn) -> None:
    await page.emulate_media(reduced_motion="reduce")
    answer = github.comment(console.account("acme").repositories[0].threads[1], github.app_bot, "60 credits")
    github.edit_comment(answer, "59 credits")
    await expect(page.locator(".markdown", has_text="59 credits")).to_be_visible()
    moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter("
    moving += "(element) => parseFloat(getComputedStyle(element).transitionDuration) > 0).length"
    assert await page.evaluate(moving) == 0


@pytest.mark.browser
async def test_axe_finds_nothing_on_an_empty_page(page: Page) -> None:
    found = await Axe().run(page)
    assert [(broken["id"], broken["impact"]) for broken in found.response["violations"]] == []


@pytest.mark.browser
async def test_axe_finds_nothing_and_nothing_overflows(
    page: Page, console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    acme = console.account("acme")
    github.install(acme)
    github.suspend(acme)
    github.buy(acme, "Pro")
    github.cancel(acme)
    thread = acme.repositories[0].threads[1]
    asked = github.comment(thread, "mona", "/credits\n\n> quoted\n\n`code` and https://example.com/" + "long" * 40)
    github.react(asked, github.app_bot, "eyes")
    github.comment(thread, github.app_bot, "**47** credits\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n<sub>small</sub>")
    github.open_issue(acme.repositories[0], "rita", "Another one")
    console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
    await page.goto(f"{console.url}?account={acme.id}&thread=1")
    await expect(page.get_by_text("unknown plan 9999")).to_be_visible()
    await page.get_by_role("switch", name="GitHub's API is down").click()
    for opened in ("more", "agenda", "add-account", "open-thread", "add-repository", "plot-words"):
        await page.locator(f"#{opened}-summary").click()
    await page.locator("#amount").fill("3")
    await page.locator("#spend").click()
    await expect(page.locator("#notice")).to_be_visible()
    for scheme, width in itertools.product(SCHEMES, WIDTHS):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.set_viewport_size({"width": width, "height": 800})
        found = await Axe().run(page)
        assert [(broken["id"], broken["nodes"][0]["html"]) for broken in found.response["violations"]] == [], (
            scheme,
            width,
        )
        wider = "[...document.querySelectorAll('html, main, section, nav, article, form')].filter("
        wider += "(each) => each.scrollWidth > each.clientWidth).map((each) => each.id || each.tagName)"
        assert await page.evaluate(wider) == [], (scheme, width)


@pytest.mark.browser
async def test_the_dialog_is_accessible_too(page: Page) -> None:
    await page.get_by_role("button", name="Start over").click()
    found = await Axe().run(page)
    assert [(broken["id"], broken["impact"]) for broken in found.response["violations"]] == []


@pytest.mark.browser
async def test_a_lost_connection_is_said_and_a_new_run_is_noticed(
    browser_page: Page, github: GitHubStandIn, product: HeldProduct
) -> None:
    async def serve(news: str, port: int) -> web.AppRunner:
        runner = web.AppRunner(create_console(github, product, product, start_over=lambda: None, news=news))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    runner = await serve("", 0)
    port = runner.addresses[0][1]
    await browser_page.goto(f"http://127.0.0.1:{port}/")
    await browser_page.wait_for_selector(LIVE)
    await runner.cleanup()
    trouble = browser_page.get_by_role("alert")
    await expect(trouble).to_contain_text("connection to the sandbox is lost")
    await browser_page.locator("#clock-hour").click()
    await expect(trouble).to_contain_text("doesn't answer")
    again = await serve("Everything is new. The former database is kept as sandbox-1.db.", port)
    # It is another run, so the page loads itself anew and says what has happened.
    await expect(browser_page.locator("#news")).to_contain_text("kept as sandbox-1.db", timeout=60_000)
    await browser_page.wait_for_selector(LIVE)
    await expect(trouble).to_be_hidden()
    await browser_page.reload()
    await browser_page.wait_for_selector(LIVE)
    await expect(browser_page.locator("#news")).to_be_hidden()
    await browser_page.close()
    await again.cleanup()
