"""What the REST API refuses around comments, and where it sends those who come by a former address."""

from datetime import timedelta

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.conversation_actors import LONGEST_BODY
from sandbox.github.model import Repository, Thread
from sandbox.github.server import GitHubStandIn
from tests.sandbox.conftest import Bot, Client, connect

BASE = "/repos/acme/project"
COMMENTS = f"{BASE}/issues/1/comments"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "wasn't supplied"),
        ({"body": 5}, "is not a string"),
        ({"body": ""}, "cannot be blank"),
        ({"body": " \n"}, "cannot be blank"),
        ({"body": "x" * (LONGEST_BODY + 1)}, "too long"),
    ],
)
async def test_a_body_that_is_none_is_refused(bot: Bot, issue: Thread, body: dict[str, object], words: str) -> None:
    answer = await bot.ask("POST", COMMENTS, body)
    assert answer.status == 422
    assert words in answer.text
    assert issue.comments == []
    assert (await bot.ask("POST", COMMENTS, {"body": "x" * LONGEST_BODY})).status == 201
    assert (await bot.ask("PATCH", f"{BASE}/issues/comments/{issue.comments[0].id}", body)).status == 422


async def test_what_is_not_seen_is_not_there(client: Client, bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    other = github.add_repository(github.add_user("zoe"), "secret")
    foreign = github.open_issue(other, "zoe", "Mine")
    comment = github.comment(foreign, "zoe", "Mine")
    mine = github.comment(issue, "alice", "Mine")
    elsewhere = github.open_issue(github.add_repository("acme", "second"), "alice", "Second")
    paths = [
        "/repos/zoe/secret",
        f"/repositories/{other.id}/issues/1/comments",
        "/repos/zoe/secret/collaborators/zoe/permission",
        f"{BASE}/issues/99",
        f"{BASE}/issues/comments/{comment.id}",
        f"/repos/acme/second/issues/comments/{mine.id}",
        "/repositories/1",
    ]
    assert [(await bot.get(path)).status for path in paths] == [404] * len(paths)
    narrow = await connect(client, bot.installed, repositories=["project"])
    assert (await narrow.get(BASE)).status == 200
    assert (await narrow.get(f"/repos/{elsewhere.repository.full_name}")).status == 404
    github.remove_repositories("acme", ["project"])
    assert (await bot.ask("POST", COMMENTS, {"body": "Hello"})).status == 404


async def test_only_an_installation_may_ask(client: Client, bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    assert (await client.get(COMMENTS)).status == 401
    assert (await client.get(COMMENTS, token=None)).status == 401
    github.suspend("acme")
    assert (await bot.get(COMMENTS)).status == 403
    github.unsuspend("acme")
    assert (await bot.get(COMMENTS)).body == []
    github.uninstall("acme")
    assert (await bot.get(COMMENTS)).status == 401
    assert issue.comments == []


@pytest.mark.parametrize(("permission", "number"), [("issues", 1), ("pull_requests", 2)])
async def test_a_permission_is_needed_for_each_kind_of_thread(
    client: Client, bot: Bot, github: GitHubStandIn, issue: Thread, permission: str, number: int
) -> None:
    github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)
    path = f"{BASE}/issues/{number}/comments"
    for granted, statuses in (
        ({permission: "write"}, [200, 201]),
        ({permission: "read"}, [200, 403]),
        ({"metadata": "read"}, [403, 403]),
    ):
        narrow = await connect(client, bot.installed, permissions=granted)
        answers = [await narrow.get(path), await narrow.ask("POST", path, {"body": "Hello"})]
        assert [answer.status for answer in answers] == statuses
        for answer in answers:
            assert answer.status < 300 or answer.body["message"] == "Resource not accessible by integration"
    github.set_visibility(issue.repository, private=False)
    nothing = await connect(client, bot.installed, permissions={"metadata": "read"})
    assert (await nothing.get(path)).status == 200
    assert (await nothing.get(f"{BASE}/issues")).status == 200
    assert (await nothing.ask("POST", path, {"body": "Hello"})).status == 403
    github.set_visibility(issue.repository, private=True)
    assert (await nothing.get(f"{BASE}/issues")).status == 403


async def test_a_locked_conversation_takes_nothing_new(bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    made = (await bot.ask("POST", COMMENTS, {"body": "Hello"})).body
    one = f"{BASE}/issues/comments/{made['id']}"
    github.lock(issue)
    comment = await bot.ask("POST", COMMENTS, {"body": "Hello"})
    assert (comment.status, comment.body["message"]) == (403, "Unable to create comment because issue is locked.")
    assert (await bot.ask("POST", f"{one}/reactions", {"content": "eyes"})).status == 403
    assert (await bot.ask("PATCH", one, {"body": "Hello again"})).status == 200
    github.unlock(issue)
    assert (await bot.ask("POST", COMMENTS, {"body": "Hello"})).status == 201


async def test_an_archived_repository_is_read_only(bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    made = (await bot.ask("POST", COMMENTS, {"body": "Hello"})).body
    one = f"{BASE}/issues/comments/{made['id']}"
    github.archive(issue.repository)
    writes = [
        await bot.ask("POST", COMMENTS, {"body": "Hello"}),
        await bot.ask("PATCH", one, {"body": "Hello"}),
        await bot.ask("DELETE", one),
        await bot.ask("POST", f"{one}/reactions", {"content": "eyes"}),
    ]
    assert {(answer.status, answer.body["message"]) for answer in writes} == {
        (403, "Repository was archived so is read-only.")
    }
    assert (await bot.get(BASE)).body["archived"]
    assert (await bot.get(one)).status == 200
    github.archive(issue.repository, archived=False)
    assert (await bot.ask("DELETE", one)).status == 204


async def test_a_deleted_issue_is_gone(bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    comment = github.comment(issue, "alice", "Hello")
    github.delete_issue(issue)
    answers = [
        await bot.get(f"{BASE}/issues/1"),
        await bot.get(COMMENTS),
        await bot.ask("POST", COMMENTS, {"body": "x"}),
    ]
    assert [(answer.status, answer.body["message"]) for answer in answers] == [(410, "This issue was deleted")] * 3
    assert len(github.content_writes(bot.installed.id)) == 1
    assert (await bot.get(f"{BASE}/issues/comments/{comment.id}/reactions")).status == 404
    assert (await bot.get(f"{BASE}/issues")).body == []
    assert github.open_issue(issue.repository, "alice", "Again").number == 2


async def test_what_was_renamed_is_found_at_its_former_address(
    bot: Bot, github: GitHubStandIn, issue: Thread, project: Repository
) -> None:
    github.rename_repository(project, "product")
    github.rename("acme", "acme-corp")
    for former in (BASE, "/repos/acme/product", "/repos/acme-corp/project"):
        if former.endswith("acme-corp/project"):
            assert (await bot.get(former)).status == 404
            continue
        reading = await bot.ask("GET", f"{former}/issues/1/comments?per_page=5", follow=False)
        writing = await bot.ask("POST", f"{former}/issues/1/comments", {"body": "Hello"}, follow=False)
        url = f"{github.api_url}/repositories/{project.id}/issues/1/comments"
        assert (reading.status, reading.headers["Location"]) == (301, f"{url}?per_page=5")
        assert (writing.status, writing.headers["Location"], writing.body["url"]) == (307, url, url)
    assert issue.comments == []
    followed = await bot.ask("POST", COMMENTS, {"body": "Hello"})
    assert (followed.status, len(issue.comments)) == (201, 1)
    assert (await bot.get(COMMENTS)).body[0]["url"].startswith(f"{github.api_url}/repos/acme-corp/product/")
    assert (await bot.get(BASE)).body["full_name"] == "acme-corp/product"
    github.add_organization("acme")
    newcomer = github.add_repository("acme", "project")
    assert (await bot.ask("GET", BASE, follow=False)).status == 404
    assert newcomer.id != project.id


async def test_eighty_writes_a_minute_and_no_more(
    bot: Bot, github: GitHubStandIn, issue: Thread, clock: VirtualClock
) -> None:
    for _ in range(79):
        assert (await bot.ask("POST", COMMENTS, {"body": "Hello"})).status == 201
    clock.advance(seconds=20)
    one = f"{BASE}/issues/comments/{issue.comments[0].id}"
    assert (await bot.ask("PATCH", one, {"body": "Hello again"})).status == 200
    for method, path, body in (
        ("POST", COMMENTS, {"body": "Hello"}),
        ("POST", f"{one}/reactions", {"content": "eyes"}),
        ("DELETE", one, None),
    ):
        refused = await bot.ask(method, path, body)
        assert (refused.status, refused.headers["Retry-After"]) == (403, "40")
        assert "secondary rate limit" in refused.body["message"]
    assert (await bot.get(COMMENTS)).status == 200
    clock.advance(seconds=40)
    assert (await bot.ask("DELETE", one)).status == 204
    writes = github.content_writes(bot.installed.id)
    assert (len(writes), writes[-1] - writes[0]) == (81, timedelta(minutes=1))
    assert len(github.content_refusals(bot.installed.id)) == 3
    assert github.content_writes(1) == []


async def test_five_hundred_writes_an_hour_and_no_more(
    bot: Bot, github: GitHubStandIn, issue: Thread, clock: VirtualClock
) -> None:
    comment = github.comment(issue, "alice", "Hello")
    path = f"{BASE}/issues/comments/{comment.id}/reactions"
    for number in range(500):
        if number % 80 == 0:
            clock.advance(minutes=1)
        assert (await bot.ask("POST", path, {"content": "eyes"})).status == (201 if number == 0 else 200)
    clock.advance(minutes=1)
    refused = await bot.ask("POST", path, {"content": "eyes"})
    # The first eighty lie seven minutes back by now.
    assert (refused.status, refused.headers["Retry-After"]) == (403, str(53 * 60))
    clock.advance(minutes=53)
    bot = await connect(bot.client, bot.installed)
    assert (await bot.ask("POST", path, {"content": "eyes"})).status == 200
