"""The console page in a real browser: what a person does on it, by mouse and by keyboard."""

import re

import pytest
from playwright.async_api import Page, Route, expect

from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from tests.sandbox.console.conftest import LIVE, Console
from tests.sandbox.inspecting import busy_snapshot, customer


@pytest.mark.browser
async def test_the_first_minute(page: Page, console: Console, github: GitHubStandIn, clock: VirtualClock) -> None:
    acme = console.account("acme")
    guide = page.get_by_role("region", name="Your first minute")
    await page.evaluate("window.untouched = true")
    await guide.get_by_role("button", name="Install on acme").click()
    await expect(page.locator("#notice")).to_have_text("The App is installed on acme.")
    await expect(guide.get_by_text("Done:")).to_have_count(1)
    await expect(page.locator("#account").get_by_text("installed", exact=True)).to_be_visible()
    # What was pressed is gone; the focus went on to the next step.
    await expect(guide.get_by_role("button", name="Buy Plus")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#account").get_by_text("Plus, monthly")).to_be_visible()
    console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
    await expect(page.locator("#balance").get_by_text("47", exact=True)).to_be_visible()
    await guide.get_by_role("button", name="Comment /credits").click()
    thread = page.get_by_role("region", name="Conversation").get_by_role("article")
    await expect(thread).to_have_count(2)
    github.comment(acme.repositories[0].threads[1], github.app_bot, "**acme** has 47 credits left.")
    await expect(thread.nth(2)).to_contain_text("acme has 47 credits left.")
    await expect(thread.nth(2)).to_be_in_viewport()
    await expect(guide.get_by_text("That was the first minute.")).to_be_visible()
    assert await page.evaluate("window.untouched")


@pytest.mark.browser
async def test_an_account_installs_buys_changes_cancels_and_withdraws(page: Page, github: GitHubStandIn) -> None:
    card = page.get_by_role("region", name="At GitHub")
    await card.get_by_role("button", name="Install").click()
    await card.get_by_role("button", name="Buy Pro").click()
    await expect(card.get_by_text("Pro, monthly")).to_be_visible()
    await card.get_by_role("button", name="Change to Free").click()
    await expect(card.get_by_text("becomes Free on 20 Jan 2026")).to_be_visible()
    await page.locator("#notice-box").get_by_role("button", name="Withdraw").click()
    await expect(card.get_by_text("becomes Free")).to_be_hidden()
    await expect(page.locator("#notice")).to_have_text("acme keeps Pro.")
    await card.get_by_role("button", name="Pay yearly").click()
    await expect(card.get_by_text("Pro, yearly")).to_be_visible()
    await card.get_by_role("button", name="Cancel plan").click()
    await card.get_by_role("button", name="Withdraw change").click()
    await expect(card.get_by_role("button", name="Cancel plan")).to_be_visible()
    await card.get_by_role("button", name="Suspend").click()
    await expect(card.get_by_text("suspended", exact=True)).to_be_visible()
    await page.locator("#notice-box").get_by_role("button", name="Unsuspend").click()
    await expect(card.get_by_role("button", name="Suspend")).to_be_focused()
    await card.get_by_role("button", name="Uninstall").click()
    await page.locator("#notice-box").get_by_role("button", name="Install again").click()
    await expect(card.get_by_text("installed", exact=True)).to_be_visible()
    await card.get_by_role("button", name="Take Team off sale").click()
    await expect(card.get_by_text("off sale", exact=True)).to_be_visible()
    [purchase] = github.state.purchases.values()
    assert (purchase.terms.plan.name, purchase.terms.billing_cycle) == ("Pro", "yearly")


@pytest.mark.browser
async def test_another_account_is_looked_at_and_back(page: Page, console: Console, github: GitHubStandIn) -> None:
    accounts = page.get_by_role("navigation", name="Accounts")
    await accounts.get_by_role("link", name="grace").click()
    await expect(accounts.get_by_role("link", name="grace")).to_have_attribute("aria-current", "true")
    await expect(page).to_have_url(f"{console.url}?account={console.account('grace').id}")
    github.install("grace")
    await expect(page.locator("#install")).to_have_text("Uninstall")
    await page.go_back()
    await expect(page.locator("#install")).to_have_text("Install")
    await accounts.get_by_text("Add an account").click()
    await accounts.get_by_label("Name").fill("hedy")
    await accounts.get_by_label("Kind").select_option("User")
    await accounts.get_by_role("button", name="Add").click()
    await expect(accounts.get_by_role("link", name="hedy")).to_have_attribute("aria-current", "true")
    await expect(accounts.get_by_label("Name")).to_have_value("")
    github.add_user("zoe")
    await expect(accounts.get_by_role("link", name="zoe")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="The sixth stroke")).to_be_visible()
    await expect(accounts.get_by_role("link", name="hedy")).to_have_attribute("aria-current", "true")


@pytest.mark.browser
async def test_somebody_comments_in_a_public_repository(page: Page, console: Console) -> None:
    public = console.account("acme").repositories[1]
    talk = page.get_by_role("region", name="Conversation")
    await talk.get_by_role("link", name="public website").click()
    await expect(talk.get_by_role("heading", name="Fix a typo")).to_be_visible()
    await talk.get_by_role("radio", name="otto outsider").check()
    await talk.get_by_role("button", name="/credits plan").click()
    await expect(talk.get_by_role("article")).to_have_count(2)
    await talk.get_by_label("Your comment").fill("**Really**, now.")
    await page.keyboard.press("Control+Enter")
    await expect(talk.get_by_role("article")).to_have_count(3)
    await expect(talk.get_by_role("article").last.locator("strong", has_text="Really")).to_be_visible()
    await expect(talk.get_by_label("Your comment")).to_have_value("")
    # The person stays chosen.
    await expect(talk.get_by_role("radio", name="otto outsider")).to_be_checked()
    comments = public.threads[1].comments
    assert [(comment.author.login, comment.body) for comment in comments] == [
        ("otto", "/credits plan"),
        ("otto", "**Really**, now."),
    ]
    await talk.get_by_role("button", name="Make private").click()
    await expect(talk.get_by_role("radio", name="otto outsider")).to_be_hidden()
    await expect(talk.get_by_role("radio", name="ada owner")).to_be_visible()
    await talk.get_by_role("button", name="Lock conversation").click()
    await expect(talk.get_by_text("locked", exact=True)).to_be_visible()


@pytest.mark.browser
async def test_repositories_and_threads_are_added(page: Page, console: Console) -> None:
    talk = page.get_by_role("region", name="Conversation")
    await talk.get_by_text("New repository").click()
    await talk.get_by_label("Name").fill("rockets")
    await talk.get_by_label("Private").check()
    await talk.get_by_role("button", name="Add").click()
    await expect(talk.get_by_role("link", name="private rockets")).to_have_attribute("aria-current", "true")
    await expect(talk.get_by_text("No thread in rockets yet.")).to_be_visible()
    await talk.get_by_text("New issue or pull request").click()
    await talk.get_by_label("Title").fill("It leaks")
    await talk.get_by_label("Words").fill("On the *left*.")
    await talk.get_by_label("Opened by").select_option("walt (writer)")
    await talk.get_by_label("It is a pull request").check()
    await talk.get_by_role("button", name="Open").click()
    await expect(talk.get_by_role("heading", name="It leaks #1")).to_be_visible()
    await expect(talk.get_by_role("article").locator("em")).to_have_text("left")
    thread = console.account("acme").repositories[-1].threads[1]
    assert (thread.author.login, thread.is_pull_request) == ("walt", True)


@pytest.mark.browser
async def test_a_comment_is_edited_and_deleted(page: Page, console: Console, github: GitHubStandIn) -> None:
    thread = console.account("acme").repositories[0].threads[1]
    comment = github.comment(thread, "mona", "first words")
    post = page.get_by_role("article").filter(has_text="first words")
    await post.get_by_text("Change the comment of mona").click()
    field = post.get_by_label("Words of the comment")
    # What somebody else does meanwhile takes nothing away.
    await field.fill("second words")
    github.react(comment, "walt", "rocket")
    await expect(post.get_by_text("walt reacted with rocket")).to_be_attached()
    await expect(field).to_have_value("second words")
    await expect(field).to_be_focused()
    await post.get_by_role("button", name="Edit").click()
    changed = page.get_by_role("article").filter(has_text="second words")
    await expect(changed.locator(".markdown")).to_have_text("second words")
    await changed.get_by_role("button", name="Delete").click()
    await expect(changed).to_be_hidden()
    assert thread.comments == []


@pytest.mark.browser
async def test_the_clock_is_moved(page: Page, github: GitHubStandIn) -> None:
    top = page.get_by_role("region", name="Clock")
    await top.get_by_role("button", name="+1 day").click()
    await expect(page.locator("#now")).to_have_text("2026-01-11 12:00:00")
    await top.get_by_role("button", name="+1 hour").click()
    await expect(page.locator("#now")).to_have_text("2026-01-11 13:00:00")
    await expect(top.get_by_text("Nothing is due")).to_be_visible()
    github.buy("acme", "Pro")
    await expect(top.get_by_text("Next: acme is billed for Pro, in 8 days")).to_be_visible()
    github.cancel("acme")
    await top.get_by_text("Next: Pro of acme ends").click()
    await top.get_by_role("button", name="Go to 20 Jan 00:00: Pro of acme ends").click()
    await expect(page.locator("#account").get_by_text("no plan")).to_be_visible()
    github.buy("acme", "Pro")
    await top.get_by_role("button", name="To 20 Feb 2026").click()
    await expect(page.locator("#now")).to_have_text("2026-02-20 00:00:00")
    await top.get_by_role("button", name="+1 month").click()
    await expect(page.locator("#now")).to_have_text("2026-03-20 00:00:00")


@pytest.mark.browser
async def test_something_is_let_go_wrong_and_right_again(page: Page, github: GitHubStandIn) -> None:
    panel = page.get_by_role("region", name="Let something go wrong")
    held = panel.get_by_role("switch", name="All webhooks are held back")
    await expect(held).not_to_be_checked()
    await expect(held).to_have_accessible_description(re.compile("no credit comes twice and no plan is lost"))
    await held.click()
    await expect(held).to_be_checked()
    await expect(page.locator("#going-wrong")).to_contain_text("All webhooks are held back")
    await page.locator("#install").click()
    await expect(panel.get_by_text("1 webhook waits to be released.")).to_be_visible()
    await panel.get_by_role("button", name="Release last first").click()
    await expect(page.locator("#notice")).to_have_text("In the wrong order, 1 webhook was sent.")
    await panel.get_by_role("switch", name="GitHub is down for comments").click()
    await expect(page.locator("#going-wrong")).to_contain_text("GitHub is down for comments")
    await page.locator("#alerts").get_by_role("button", name="Switch all off").click()
    await expect(held).not_to_be_checked()
    await expect(page.locator("#going-wrong")).to_be_hidden()
    assert [*github.webhook_faults.rules, *github.faults.rules] == []


@pytest.mark.browser
async def test_a_ready_made_customer_is_gone_to(page: Page, console: Console) -> None:
    await page.get_by_role("button", name="Cancel pending").click()
    line = page.get_by_role("navigation").get_by_role("link", name="cancel-pending-1")
    await expect(line).to_have_attribute("aria-current", "true")
    # The focus follows up there.
    await expect(line).to_be_focused()
    await expect(line).to_be_in_viewport()
    await expect(page.locator("#account").get_by_text(re.compile("ends on"))).to_be_visible()
    assert console.github.state.purchases


@pytest.mark.browser
async def test_the_desk_gives_and_uses_credits(page: Page, console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: customer(now=clock.now())})
    balance = page.get_by_role("region", name="Balance")
    await balance.get_by_role("spinbutton", name="Credits").fill("3")
    await balance.get_by_role("button", name="Give").click()
    await expect(page.locator("#notice")).to_have_text("grant of 3 is done.")
    await balance.get_by_role("button", name="Use").click()
    await expect(page.locator("#notice")).to_have_text("spend of 3 is done.")
    await balance.get_by_role("switch", name="Show figures in public repositories").click()
    await expect(page.locator("#notice")).to_have_text("show_figures of 1 is done.")
    assert [asked[0] for asked in console.product.asked] == ["grant", "spend", "show_figures"]
    await expect(balance.get_by_role("img", name=re.compile("Balance of acme over time"))).to_be_visible()
    await balance.get_by_text("In words").click()
    await expect(balance.get_by_role("table", name="Balance of acme, step by step")).to_be_visible()
    await expect(page.get_by_role("table", name="Ledger of acme, newest first").get_by_role("row")).to_have_count(5)


@pytest.mark.browser
async def test_starting_over_asks_first(page: Page, console: Console) -> None:
    await page.get_by_role("button", name="Start over").click()
    dialog = page.get_by_role("dialog", name="Start over?")
    await expect(dialog.get_by_role("button", name="Keep everything")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Start over")).to_be_focused()
    assert console.restarts == []
    await page.keyboard.press("Enter")
    await dialog.get_by_role("button", name="Start over").click()
    await expect(page.locator("#notice")).to_have_text("Starting over …")
    assert console.restarts == ["once"]


@pytest.mark.browser
async def test_good_news_go_away_by_themselves(browser_page: Page, console: Console) -> None:
    await browser_page.clock.install()
    await browser_page.goto(console.url)
    await browser_page.wait_for_selector(LIVE)
    status = browser_page.locator("#notice")
    await browser_page.locator("#clock-hour").click()
    await expect(status).to_have_text("It is now 10 Jan 2026, 13:00 UTC.")
    await browser_page.clock.run_for(3_000)
    await expect(status).to_be_visible()
    await browser_page.clock.run_for(2_000)
    await expect(status).to_be_hidden()


@pytest.mark.browser
async def test_buttons_rest_while_their_request_is_under_way(page: Page, github: GitHubStandIn) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/act/install", hold)
    button = page.locator("#install")
    await button.click()
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(button).to_have_attribute("aria-busy", "true")
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    github.buy("acme", "Pro")
    await expect(page.locator("#account").get_by_text("Pro, monthly")).to_be_visible()
    await expect(button).to_have_attribute("aria-busy", "true")
    # The second press sent nothing.
    assert len(held) == 1
    await held[0].continue_()
    await expect(button).to_have_text("Uninstall")
    await expect(button).not_to_have_attribute("aria-busy", "true")


@pytest.mark.browser
async def test_an_error_is_shown_in_words_and_goes_away(page: Page, console: Console, github: GitHubStandIn) -> None:
    grace = console.account("grace")
    # Somebody else was faster: the page's button is out of date when it is pressed.
    await page.route("**/act/install", lambda route: route.continue_(post_data=f'{{"account": {grace.id}}}'))
    github.install(grace)
    await page.locator("#install").click()
    trouble = page.get_by_role("alert")
    await expect(trouble).to_have_text("That can't be done: the App is installed on grace already.")
    await page.unroute("**/act/install")
    await page.locator("#install").click()
    await expect(page.locator("#notice")).to_have_text("The App is installed on acme.")
    await expect(trouble).to_be_hidden()
