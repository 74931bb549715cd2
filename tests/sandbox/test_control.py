"""The sandbox's own addresses, and the fence around all of them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import VirtualClock
from sandbox.github.control import ACTS
from sandbox.github.server import GitHubStandIn
from sandbox.loopback import NotLoopbackError, is_loopback, require_loopback_url
from tests.sandbox.conftest import Client, Target


class Control:
    """Asks the addresses under `/_sandbox`."""

    def __init__(self, github: GitHubStandIn, session: aiohttp.ClientSession) -> None:
        self._base = f"{github.web_url}/_sandbox"
        self._session = session

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._session.post(self._base + path, json={} if body is None else body) as answer:
            return (
                answer.status,
                await answer.json() if answer.content_type == "application/json" else await answer.text(),
            )

    async def state(self) -> Any:
        async with self._session.get(f"{self._base}/state") as answer:
            return await answer.json()

    async def delete(self, path: str) -> int:
        async with self._session.delete(self._base + path) as answer:
            return answer.status


@pytest.fixture
async def control(github: GitHubStandIn) -> AsyncIterator[Control]:
    """A client of the sandbox's own addresses."""
    async with aiohttp.ClientSession() as session:
        yield Control(github, session)


async def test_every_act_can_be_done_by_json(control: Control, github: GitHubStandIn, target: Target) -> None:
    done: list[tuple[str, dict[str, Any]]] = [
        ("add_user", {"login": "alice", "billing_day": 20}),
        ("add_organization", {"login": "acme", "owner": "alice", "email": "billing@acme.example"}),
        ("install", {"account": "alice", "repositories": ["one"]}),
        ("add_repositories", {"account": "alice", "names": ["two"]}),
        ("remove_repositories", {"account": "alice", "names": ["one"]}),
        ("accept_permissions", {"account": "alice", "permissions": {"checks": "read"}}),
        ("suspend", {"account": "alice"}),
        ("unsuspend", {"account": "alice", "sender": "alice"}),
        ("rename", {"account": "alice", "login": "alicia"}),
        ("buy", {"account": "alicia", "plan": 1313}),
        ("change", {"account": "alicia", "plan": "Plus"}),
        ("fail_upgrade", {"account": "alicia"}),
        ("cancel", {"account": "alicia"}),
        ("withdraw_change", {"account": "alicia"}),
        ("fail_payment", {"account": "alicia", "hours": 2}),
        ("restore_payment", {"account": "alicia"}),
        ("retire_plan", {"plan": "Team"}),
        ("uninstall", {"account": "alicia"}),
    ]
    assert {name for name, _ in done} == set(ACTS) - CONVERSATION
    versions = []
    for name, body in done:
        status, answer = await control.post(f"/act/{name}", body)
        assert status == 200, answer
        versions.append(answer["version"])
    assert versions == sorted(set(versions))
    assert (await control.post("/webhooks/settle"))[0] == 200
    assert len(target.received) == 13
    state = await control.state()
    assert [purchase["login"] for purchase in state["purchases"]] == ["alicia"]
    assert state["installations"] == []
    assert state["webhooks"] == {"waiting": 0, "held": 0}
    assert len(state["deliveries"]["app"]) == 8
    assert github.state.plan("Team").state == "retired"


CONVERSATION = {
    *("add_bot", "add_repository", "set_permission", "rename_repository", "set_visibility", "archive", "open_issue"),
    *("delete_issue", "lock", "unlock", "comment", "edit_comment", "delete_comment", "react"),
}


async def test_a_conversation_can_be_held_by_json(control: Control, github: GitHubStandIn) -> None:
    async def act(act: str, **body: Any) -> Any:
        status, answer = await control.post(f"/act/{act}", body)
        assert status == 200, answer
        did.add(act)
        return answer

    did: set[str] = set()
    alice = await control.post("/act/add_user", {"login": "alice"})
    acme = await control.post("/act/add_organization", {"login": "acme", "owner": "alice"})
    assert [answer["login"] for _, answer in (alice, acme)] == ["alice", "acme"]
    assert github.state.account(alice[1]["account"]).login == "alice"
    bob = (await control.post("/act/add_user", {"login": "bob"}))[1]["account"]
    assert (await act("add_bot", login="dependabot"))["login"] == "dependabot[bot]"
    repository = (await act("add_repository", account="acme", name="project", private=True))["repository"]
    await act("set_permission", repository=repository, account=bob, role="write")
    opened = await act("open_issue", repository="acme/project", author="bob", title="It breaks", pull_request=True)
    assert (opened["thread"], opened["number"]) == ("acme/project#1", 1)
    comment = (await act("comment", thread="acme/project#1", author="bob", body="/credits"))["comment"]
    robot = (await act("comment", thread="acme/project#1", author="dependabot[bot]", body="Bump"))["comment"]
    await act("edit_comment", comment=comment, body="/credits plan")
    await act("delete_comment", comment=robot, sender="alice")
    assert (await act("react", comment=comment, author="alice", content="heart"))["reaction"] > 0
    await act("lock", thread="acme/project#1")
    await act("rename_repository", repository=repository, name="product")
    await act("set_visibility", repository=repository, private=False)
    state = await control.state()
    assert state["repositories"] == [
        {"id": repository, "full_name": "acme/product", "private": False, "archived": False, "roles": {"bob": "write"}}
    ]
    [thread] = state["threads"]
    assert (thread["thread"], thread["title"], thread["author"], thread["locked"], thread["pull_request"]) == (
        "acme/product#1",
        "It breaks",
        "bob",
        True,
        True,
    )
    [shown] = thread["comments"]
    assert (shown["id"], shown["author"], shown["body"]) == (comment, "bob", "/credits plan")
    assert shown["reactions"] == [["alice", "heart"]]
    assert [bot["login"] for bot in state["bots"]] == ["tallyhook-sandbox[bot]", "dependabot[bot]"]
    await act("unlock", thread="acme/product#1")
    second = await act("open_issue", repository=repository, author="bob", title="Delete me")
    await act("delete_issue", thread=second["thread"])
    await act("archive", repository=repository)
    assert (await control.state())["repositories"][0]["archived"]
    assert did == CONVERSATION


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/act/buy", {"account": "nobody", "plan": "Pro"}, 409, "no account"),
        ("/act/buy", {"account": "nobody"}, 422, "plan"),
        ("/act/buy", {"account": "nobody", "plan": "Pro", "colour": "red"}, 422, "colour"),
        ("/act/buy", [], 422, "object"),
        ("/act/steal", {}, 404, "add_user"),
        ("/act/comment", {"thread": "acme/project#1", "author": "nobody", "body": "x"}, 409, "no repository"),
        ("/act/set_permission", {"repository": 1, "account": "nobody", "role": "king"}, 422, "king"),
        ("/act/react", {"comment": 1, "author": "nobody", "content": "eyes"}, 409, "no such comment"),
        ("/clock", {"seconds": -1}, 409, "backwards"),
        ("/clock", {"to": "2026-01-01T00:00:00Z"}, 409, "backwards"),
        ("/clock", {"seconds": 1e300}, 409, "too large"),
        ("/faults/rest", {"kind": "fire"}, 422, "fire"),
        ("/faults/variants", {"variant": "purple"}, 409, "old_price_model"),
        ("/webhooks/redeliver", {"hook": "app", "id": 1}, 409, "no delivery"),
    ],
)
async def test_what_cannot_be_done_is_said(control: Control, path: str, body: Any, status: int, words: str) -> None:
    got, answer = await control.post(path, body)
    assert got == status
    assert words in str(answer)


async def test_the_clock_is_moved(control: Control, clock: VirtualClock) -> None:
    assert await control.post("/clock", {"seconds": 60}) == (200, {"now": "2026-01-10T12:01:00+00:00"})
    assert await control.post("/clock", {"to": "2026-02-01T00:00:00Z"}) == (200, {"now": "2026-02-01T00:00:00+00:00"})
    assert clock.now().month == 2


async def test_faults_are_switched_on_and_off(
    control: Control, client: Client, github: GitHubStandIn, target: Target
) -> None:
    await control.post("/faults/rest", {"kind": "status", "status": 503, "path": "/app", "times": None})
    assert (await client.get("/app")).status == 503
    assert await control.delete("/faults") == 200
    assert (await client.get("/app")).status == 200
    await control.post("/faults/rest", {"kind": "exhausted", "seconds": 60})
    assert (await client.get("/app")).status == 403
    await control.delete("/faults")
    await control.post("/faults/rest", {"kind": "young_token", "times": 1})
    installed = github.install(github.add_user("alice"))
    token = (await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")).body["token"]
    assert [(await client.get("/installation/repositories", token=token)).status for _ in range(2)] == [401, 200]
    await github.settle()
    await control.post("/faults/webhooks", {"effect": "hold", "times": None})
    await control.post("/faults/variants", {"variant": "sender_null"})
    github.suspend("alice")
    github.unsuspend("alice")
    assert (await control.state())["webhooks"]["held"] == 2
    assert await control.post("/webhooks/release", {"reverse": True}) == (200, {"released": 2})
    await control.post("/webhooks/settle")
    assert target.names()[1:] == ["installation.unsuspend", "installation.suspend"]
    assert target.last().payload["sender"] is None
    delivery = github.state.deliveries["app"][0]
    assert (await control.post("/webhooks/redeliver", {"hook": "app", "id": delivery.id}))[0] == 200
    await control.post("/webhooks/settle")
    assert target.last().headers["X-GitHub-Delivery"] == delivery.event.guid


async def test_a_web_page_of_the_outside_cannot_drive_it(client: Client, github: GitHubStandIn) -> None:
    url = f"{github.web_url}/_sandbox/act/add_user"
    async with client.session.post(url, data={"login": "mallory"}) as form:
        assert form.status == 415
    async with client.session.post(url, json={"login": "mallory"}, headers={"Origin": "https://evil.example"}) as site:
        assert site.status == 403
    async with client.session.post(url, json={"login": "mallory"}, headers={"Host": "evil.example"}) as rebound:
        assert rebound.status == 421
    async with client.session.post(url, json={"login": "mallory"}, headers={"Origin": "http://localhost:3"}) as own:
        assert own.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "localhost.example.com", ""])  # noqa: S104 -- refused
async def test_it_listens_on_loopback_only(clock: VirtualClock, host: str) -> None:
    github = GitHubStandIn(clock)
    with pytest.raises(NotLoopbackError):
        await github.start(host)
    await github.close()


async def test_it_listens_on_a_port_of_choice(clock: VirtualClock) -> None:
    github = GitHubStandIn(clock)
    await github.start("127.0.0.1")
    assert github.api_url == f"{github.web_url}/api/v3"
    await github.close()
    port = int(github.web_url.rpartition(":")[2])
    again = GitHubStandIn(clock)
    await again.start("localhost", port)
    assert again.web_url == f"http://localhost:{port}"
    await again.close()


def test_what_loopback_is() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost"))
    assert not any(is_loopback(host) for host in ("", "1.1.1.1", "::", "127.0.0.1.nip.io"))
    assert require_loopback_url("http://[::1]:80/x") == "http://[::1]:80/x"


async def test_the_front_page_says_what_this_is_and_where_the_app_is_installed(
    github: GitHubStandIn, client: Client
) -> None:
    front = await client.ask("GET", f"{github.web_url}/", token=None)
    assert (front.status, front.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "stand-in for GitHub" in front.text
    assert github.api_url in front.text
    installations = f"{github.web_url}/settings/installations"
    assert "On no account yet" in (await client.ask("GET", installations, token=None)).text
    github.install(github.add_user("zoe"))
    github.install(github.add_user("alice"))
    assert "<ul><li>alice</li><li>zoe</li></ul>" in (await client.ask("GET", installations, token=None)).text


async def test_a_fault_shows_that_something_changed(control: Control) -> None:
    versions = [(await control.state())["version"]]
    for path, body in (("/faults/webhooks", {"effect": "lose"}), ("/faults/rest", {"kind": "status"})):
        assert (await control.post(path, body))[0] == 200
        versions.append((await control.state())["version"])
    assert await control.delete("/faults") == 200
    versions.append((await control.state())["version"])
    assert sorted(set(versions)) == versions
