"""What the page's actions do at the pretended GitHub and at the product, and what is said of it."""

import asyncio
from datetime import UTC, datetime

import aiohttp
import pytest

from sandbox.clock import VirtualClock
from sandbox.console.faults import FAULTS
from sandbox.github.rest_faults import RestFault
from sandbox.github.server import GitHubStandIn
from sandbox.github.webhook_faults import WebhookFault
from sandbox.scenarios import SCENARIOS
from tests.sandbox.conftest import Client, Target
from tests.sandbox.console.conftest import Console
from tests.sandbox.inspecting import customer


async def test_every_act_on_an_account_says_what_it_did(
    console: Console, github: GitHubStandIn, target: Target
) -> None:
    ada = console.account("ada")
    said = [
        await console.act(name, account=ada.id, **more)
        for name, more in (
            ("install", {}),
            ("suspend", {}),
            ("unsuspend", {}),
            ("rename", {"login": "ada-l"}),
            ("buy", {"plan": 1111}),
            ("change", {"plan": 1313}),
            ("fail_upgrade", {}),
            ("change", {"plan": 1313}),
            ("change", {"cycle": "yearly"}),
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
            "The payment of the upgrade failed: ada-l is back on Free.",
            "ada-l has Pro from now on.",
            "ada-l has Pro from now on.",
            "A payment of ada-l failed: GitHub's API hides the plan for a day, and tells nobody.",
            "The payment of ada-l came through: GitHub's API shows the plan again.",
            "ada-l keeps Pro until 1 Jan 2027, then changes to Free.",
            "ada-l keeps Pro.",
            "ada-l has cancelled and keeps Pro until 1 Jan 2027.",
            "The App is uninstalled from ada-l. What was bought stays bought.",
        )
    ]
    await github.settle()
    assert len(target.received) == 13


async def test_a_free_plan_is_cancelled_at_once(console: Console, github: GitHubStandIn) -> None:
    github.buy("grace", "Free")
    assert await console.act("cancel", account="grace") == (200, "grace has cancelled and has no plan any more.")


async def test_a_plan_is_taken_off_sale(console: Console) -> None:
    assert await console.act("retire_plan", plan="Pro") == (200, "Pro is off sale. Whoever has it keeps it.")
    assert "off sale" in await console.words("plans")
    assert (await console.act("buy", account="ada", plan="Pro"))[0] == 409


async def undo(console: Console, action: str, /, **values: object) -> tuple[str, str]:
    """Do something and take it back by what the answer offers; return the button's words and what was said then."""
    status, said = await console.send(action, **values)
    assert status == 200
    offered = said["undo"]
    status, undone = await console.send(offered["action"], **offered["values"])
    assert status == 200
    return offered["label"], undone["message"]


async def test_what_is_natural_to_undo_is_undone(console: Console, github: GitHubStandIn) -> None:
    acme = console.account("acme")
    private = acme.repositories[0]
    github.install(acme)
    github.buy(acme, "Pro")
    assert await undo(console, "suspend", account=acme.id) == ("Unsuspend", "The installation on acme works again.")
    assert await undo(console, "cancel", account=acme.id) == ("Withdraw", "acme keeps Pro.")
    assert await undo(console, "change", account=acme.id, plan=1111) == ("Withdraw", "acme keeps Pro.")
    assert await undo(console, "uninstall", account=acme.id) == ("Install again", "The App is installed on acme.")
    assert (await undo(console, "rename", account=acme.id, login="acme-2"))[0] == "Undo"
    assert acme.login == "acme"
    assert await undo(console, "set_visibility", repository=private.id, private=False) == (
        "Undo",
        "acme/tally-arm is private now.",
    )
    assert (await undo(console, "set_lock", repository=private.id, number=1, locked=True))[0] == "Unlock"
    assert not private.threads[1].locked
    assert await undo(console, "set_fault", fault="down", on=True) == (
        "Switch off",
        "Switched off: GitHub's API is down.",
    )
    assert github.faults.rules == []


async def test_an_account_is_added_with_all_one_needs(console: Console) -> None:
    status, said = await console.send("add_account", login="hedy", type="User")
    hedy = console.account("hedy")
    assert (status, said["message"]) == (200, "hedy has signed up at GitHub.")
    assert said["go"] == f"?account={hedy.id}"
    assert [repository.name for repository in hedy.repositories] == ["tally-arm", "website"]
    assert (await console.send("add_account", login="globex"))[0] == 200
    assert console.account("globex").type == "Organization"
    page = await console.page(said["go"])
    assert "globex" in page
    assert "globex-owner</span>" not in page.partition("</nav>")[0]
    assert (await console.act("add_account", login="not a login"))[0] == 409


async def test_a_conversation_is_held(console: Console, github: GitHubStandIn, target: Target) -> None:
    acme = console.account("acme")
    github.install(acme)
    status, said = await console.send("add_repository", account=acme.id, name="rockets", private=True)
    rockets = acme.repositories[-1]
    assert (status, said["message"], said["go"]) == (
        200,
        "acme/rockets is there, private.",
        f"?account={acme.id}&repository={rockets.id}",
    )
    mona = console.account("mona")
    status, said = await console.send(
        "open_thread", repository=rockets.id, author=mona.id, title="It leaks", pull_request=True
    )
    assert (status, said["message"]) == (200, "Pull request acme/rockets#1 is open.")
    assert said["go"] == f"?account={acme.id}&repository={rockets.id}&thread=1"
    told = await console.act("comment", repository=rockets.id, number=1, author=mona.id, body="/credits")
    assert told == (200, "mona has commented in acme/rockets#1.")
    [comment] = rockets.threads[1].comments
    assert await console.act("edit_comment", comment=comment.id, body="/credits plan") == (
        200,
        "mona has edited the comment.",
    )
    assert await console.act("delete_comment", comment=comment.id) == (200, "The comment of mona is deleted.")
    assert await console.act("set_visibility", repository=rockets.id, private=False) == (
        200,
        "acme/rockets is public now.",
    )
    await github.settle()
    assert [name for name in target.names() if name.startswith("issue_comment")] == [
        "issue_comment.created",
        "issue_comment.edited",
        "issue_comment.deleted",
    ]


async def test_who_may_not_write_is_told_so(console: Console, github: GitHubStandIn) -> None:
    private = console.account("acme").repositories[0]
    otto, rita = console.account("otto"), console.account("rita")
    where = {"repository": private.id, "number": 1, "body": "hello"}
    status, words = await console.act("comment", author=otto.id, **where)
    assert (status, words) == (409, "That can't be done: otto can't see acme/tally-arm.")
    github.lock(private.threads[1])
    assert await console.act("comment", author=rita.id, **where) == (
        409,
        "That can't be done: acme/tally-arm#1 is locked.",
    )
    assert (await console.act("comment", repository=private.id, number=9, author=rita.id, body="x"))[0] == 409


async def test_what_cannot_be_done_is_said_in_words(console: Console) -> None:
    assert await console.act("uninstall", account="ada") == (
        409,
        "That can't be done: the App isn't installed there.",
    )
    status, words = await console.act("jump", to="1999-01-01T00:00:00Z")
    assert (status, words) == (409, "That can't be done: a clock never goes backwards.")
    assert (await console.act("jump", seconds=1e300))[0] == 409
    assert await console.act("jump", seconds=4e8) == (409, "That can't be done: a jump goes ten years at most.")
    assert (await console.act("jump", to="2026-02-01T00:00:00"))[0] == 409
    assert await console.act("set_fault", fault="meteor", on=True) == (
        409,
        "That can't be done: there is no fault 'meteor'.",
    )
    assert await console.act("put_into", scenario="bliss") == (409, "That can't be done: there is no state 'bliss'.")
    for name, values, status in (
        ("steal", {}, 404),
        ("buy", {"account": "ada", "price": 0}, 422),
        ("end_faults", {"fault": "lose"}, 422),
        ("jump", {"months": 12}, 422),
        ("grant", {"account": 1, "credits": 0}, 422),
        ("spend", {"account": 1, "credits": 10**30}, 422),
        ("show_figures", {"account": 10**30, "shown": True}, 409),
    ):
        async with console.session.post(f"{console.url}act/{name}", json=values) as answer:
            assert answer.status == status, name


async def test_the_clock_is_moved(console: Console, clock: VirtualClock, github: GitHubStandIn) -> None:
    assert await console.act("jump", seconds=86400) == (200, "It is now 11 Jan 2026, 12:00 UTC.")
    github.buy("grace", "Pro")
    grace = console.account("grace")
    clock_of_grace = await console.region("clock", f"?account={grace.id}")
    assert '{"to": "2026-01-15T00:00:00+00:00"}' in clock_of_grace
    assert "To 15 Jan 2026" in clock_of_grace
    assert (await console.act("jump", to="2026-01-31T10:00:00Z"))[0] == 200
    assert await console.act("jump", months=1) == (200, "It is now 28 Feb 2026, 10:00 UTC.")
    assert (await console.act("jump", to="2026-12-05T00:00:00Z"))[0] == 200
    assert await console.act("jump", months=1) == (200, "It is now 5 Jan 2027, 00:00 UTC.")
    assert clock.now() == datetime(2027, 1, 5, tzinfo=UTC)


async def test_a_webhook_is_lost_and_another_comes_twice(
    console: Console, github: GitHubStandIn, target: Target
) -> None:
    assert await console.words("alerts") == ""
    assert await console.act("set_fault", fault="lose", on=True) == (200, "Switched on: The next webhook is lost.")
    assert await console.words("alerts") == "Going wrong: The next webhook is lost. Switch all off"
    github.install("ada")
    assert await console.words("alerts") == ""
    await console.act("set_fault", fault="duplicate", on=True)
    github.install("grace")
    await github.settle()
    assert [received.payload["installation"]["account"]["login"] for received in target.received] == ["grace", "grace"]


async def test_webhooks_are_held_back_and_released_in_the_wrong_order(
    console: Console, github: GitHubStandIn, target: Target
) -> None:
    await console.act("set_fault", fault="hold", on=True)
    github.install("ada")
    github.suspend("ada")
    assert "2 webhooks wait to be released." in await console.words("faults")
    assert await console.act("release_webhooks") == (200, "In the wrong order, 2 webhooks were sent.")
    await github.settle()
    assert target.names() == ["installation.suspend", "installation.created"]
    github.unsuspend("ada")
    assert await console.act("set_fault", fault="hold", on=False) == (
        200,
        "Switched off: All webhooks are held back; 1 webhook was sent.",
    )
    await github.settle()
    assert target.names()[-1] == "installation.unsuspend"
    await console.act("set_fault", fault="hold", on=True)
    github.uninstall("ada")
    assert await console.act("end_faults") == (200, "Nothing goes wrong any more; 1 webhook was sent.")
    assert await console.act("end_faults") == (200, "Nothing goes wrong any more.")


async def test_a_webhook_comes_late(
    console: Console, github: GitHubStandIn, target: Target, clock: VirtualClock
) -> None:
    await console.act("set_fault", fault="late", on=True)
    github.install("ada")
    await github.settle()
    assert target.received == []
    clock.advance(hours=1)
    await github.settle()
    assert target.names() == ["installation.created"]


async def test_the_api_fails_and_goes_down(console: Console, client: Client) -> None:
    await console.act("set_fault", fault="error", on=True)
    assert [(await client.get("/app")).status for _ in range(4)] == [502, 502, 502, 200]
    await console.act("set_fault", fault="down", on=True)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.get("/app")
    assert 'id="fault-down" role="switch" aria-checked="true"' in await console.region("faults")
    await console.act("set_fault", fault="down", on=False)
    assert (await client.get("/app")).status == 200


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("lost_answer", [None, 201, 201]), ("limit", [403, 403, 201]), ("comments_down", [503, 503, 503])],
)
async def test_comments_go_wrong(
    console: Console, github: GitHubStandIn, client: Client, fault: str, statuses: list[int | None]
) -> None:
    acme = console.account("acme")
    installed = github.install(acme)
    made = await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")
    token = made.body["token"]
    await console.act("set_fault", fault=fault, on=True)
    answered: list[int | None] = []
    for number in range(3):
        path = "/repos/acme/tally-arm/issues/1/comments"
        try:
            answer = await client.ask("POST", path, token=token, json={"body": f"number {number}"})
            answered.append(answer.status)
        except aiohttp.ServerDisconnectedError:
            answered.append(None)
    assert answered == statuses
    # What was done without an answer was done.
    assert len(acme.repositories[0].threads[1].comments) == sum(status in {None, 201} for status in statuses)


async def test_the_answer_that_gets_lost_may_be_an_edit_but_is_no_reaction(
    console: Console, github: GitHubStandIn, client: Client
) -> None:
    installed = github.install(console.account("acme"))
    token = (await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")).body["token"]
    issue = "/repos/acme/tally-arm/issues"
    made = await client.ask("POST", f"{issue}/1/comments", token=token, json={"body": "first"})
    comment = f"{issue}/comments/{made.body['id']}"
    await console.act("set_fault", fault="lost_answer", on=True)
    assert (await client.ask("POST", f"{comment}/reactions", token=token, json={"content": "eyes"})).status == 201
    assert (await client.get(comment, token=token)).status == 200
    assert 'id="fault-lost_answer" role="switch" aria-checked="true"' in await console.region("faults")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.ask("PATCH", comment, token=token, json={"body": "second"})
    assert (await client.get(comment, token=token)).body["body"] == "second"
    assert 'id="fault-lost_answer" role="switch" aria-checked="false"' in await console.region("faults")
    answers = [
        await client.ask("PATCH", comment, token=token, json={"body": "third"}),
        await client.ask("POST", f"{issue}/1/comments", token=token, json={"body": "fourth"}),
    ]
    assert [answer.status for answer in answers] == [200, 201]


async def test_what_a_script_lets_go_wrong_is_seen_and_switched_off(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    github.webhook_faults.fail(event="installation", action="created", times=2)
    github.faults.slow(1.0, path="/app", times=None)
    github.faults.rules.append(RestFault(kind="garbled"))
    github.webhook_faults.rules.append(WebhookFault(effect="late"))
    github.faults.exhaust(now=clock.now(), seconds=3600)
    words = await console.words("faults")
    assert "The next 2 webhooks installation.created: failed." in words
    assert "Every request to /app: answered slowly." in words
    assert "The next request to the API: answered with nonsense." in words
    assert "Every request to the API: refused by the rate limit until 10 Jan 13:00." in words
    await console.act("end_faults")
    assert "webhooks installation.created" not in await console.words("faults")


async def test_every_fault_is_switched_on_and_off(console: Console, github: GitHubStandIn) -> None:
    for name, fault in FAULTS.items():
        await console.act("set_fault", fault=name, on=True)
        assert fault.label in await console.words("alerts")
        await console.act("set_fault", fault=name, on=True)
        await console.act("set_fault", fault=name, on=False)
        assert await console.words("alerts") == ""
        assert [*github.faults.rules, *github.webhook_faults.rules] == []
        assert fault.explanation.endswith(".")


async def test_one_click_makes_a_customer_in_any_state(console: Console, github: GitHubStandIn) -> None:
    page = await console.page()
    for scenario in SCENARIOS.values():
        assert f'id="scenario-{scenario.name}"' in page
        status, said = await console.send("put_into", scenario=scenario.name)
        assert (status, scenario.description in said["message"]) == (200, True), scenario.name
    shown = [line for line in (await console.words("accounts")).split() if line.startswith("team-")]
    # The team's people act, and pay for nothing.
    assert shown == ["team-1"]
    assert github.state.account("team-1").repositories


async def test_a_ready_made_customer_waits_for_the_product(console: Console) -> None:
    console.product.is_resting = False
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        sending = group.create_task(console.act("put_into", scenario="installed_only"))
        while console.product.rests_asked_for < 3:  # noqa: ASYNC110 -- a question rings no bell
            await asyncio.sleep(0.01)
        assert not sending.done()
        console.product.is_resting = True
    assert sending.result() == (200, "installed-only-1 is ready: Installed, and bought nothing.")


async def test_the_desk_grants_spends_and_chooses(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    assert await console.act("grant", account=acme.id, credits=5) == (
        409,
        "That can't be done: nobody knows the account.",
    )
    console.product.show(customers={acme.id: customer(now=clock.now())})
    assert await console.act("grant", account=acme.id, credits=5) == (200, "grant of 5 is done.")
    assert await console.act("spend", account=acme.id, credits=2) == (200, "spend of 2 is done.")
    label, said = await undo(console, "show_figures", account=acme.id, shown=True)
    assert (label, said) == ("Undo", "show_figures of 0 is done.")
    assert console.product.asked == [
        ("grant", acme.id, 5),
        ("spend", acme.id, 2),
        ("show_figures", acme.id, 1),
        ("show_figures", acme.id, 0),
    ]


async def test_starting_over_is_left_to_whoever_started_it(console: Console) -> None:
    assert await console.act("start_over") == (200, "Starting over …")
    assert console.restarts == ["once"]
