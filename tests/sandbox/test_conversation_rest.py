"""What the REST API answers of repositories, issues and comments."""

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.model import Repository, Role, Thread
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Bot, Client, connect

BASE = "/repos/acme/project"
COMMENTS = f"{BASE}/issues/1/comments"


async def test_every_route_answers_by_the_description(
    bot: Bot, github: GitHubStandIn, project: Repository, issue: Thread, contract: GitHubContract
) -> None:
    pull = github.open_issue(project, "alice", "It is mended", pull_request=True)
    for thread in (issue, pull):
        made = await bot.ask("POST", f"{BASE}/issues/{thread.number}/comments", {"body": "Hello"})
        assert (made.status, made.headers["Location"]) == (201, made.body["url"])
        one = f"{BASE}/issues/comments/{made.body['id']}"
        reacted = await bot.ask("POST", f"{one}/reactions", {"content": "eyes"})
        assert reacted.status == 201
        asked = [
            ("POST", f"{one}/reactions", {"content": "eyes"}),
            ("GET", f"{BASE}/issues/{thread.number}", None),
            ("GET", f"{BASE}/issues/{thread.number}/comments?per_page=10&page=1&since=2026-01-01T00:00:00Z", None),
            ("GET", one, None),
            ("PATCH", one, {"body": "Hello again"}),
            ("GET", f"{one}/reactions?content=eyes&per_page=100", None),
            ("DELETE", f"{one}/reactions/{reacted.body['id']}", None),
            ("DELETE", one, None),
            ("GET", one, None),
        ]
        statuses = [(await bot.ask(method, path, body)).status for method, path, body in asked]
        assert statuses == [200, 200, 200, 200, 200, 200, 204, 204, 404]
    for path in (
        BASE,
        f"/repositories/{project.id}",
        f"{BASE}/collaborators/alice/permission",
        f"{BASE}/issues?state=all&sort=updated&direction=asc&creator=alice",
        f"{BASE}/pulls/{pull.number}",
    ):
        assert (await bot.get(path)).status == 200, path
    assert (await bot.get(f"{BASE}/pulls/{issue.number}")).status == 404
    contract.assert_kept()


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("admin", "admin"),
        ("maintain", "write"),
        ("write", "write"),
        ("triage", "read"),
        ("read", "read"),
        ("none", "none"),
    ],
)
async def test_the_finer_roles_are_told_besides_the_permission(
    bot: Bot, github: GitHubStandIn, project: Repository, role: Role, permission: str
) -> None:
    bob = github.add_user("bob")
    github.set_permission(project, bob, role)
    body = (await bot.get(f"{BASE}/collaborators/BOB/permission")).body
    assert (body["permission"], body["role_name"], body["user"]["id"]) == (permission, role, bob.id)
    may = body["user"]["permissions"]
    assert (may["pull"], may["push"], may["admin"]) == (
        role != "none",
        permission in {"write", "admin"},
        role == "admin",
    )


async def test_everybody_reads_what_is_public_and_owners_may_do_all(
    client: Client, bot: Bot, github: GitHubStandIn, project: Repository
) -> None:
    stranger = github.add_user("stranger")
    permission = f"{BASE}/collaborators/stranger/permission"
    assert (await bot.get(permission)).body["permission"] == "none"
    github.set_visibility(project, private=False)
    assert (await bot.get(permission)).body["permission"] == "read"
    assert (await bot.get(f"{BASE}/collaborators/alice/permission")).body["permission"] == "admin"
    own = github.add_repository(stranger, "own", private=True)
    theirs = await connect(client, github.install(stranger))
    assert (await theirs.get(f"/repos/{own.full_name}/collaborators/stranger/permission")).body["role_name"] == "admin"


async def test_who_is_no_user_has_no_permission(bot: Bot, github: GitHubStandIn) -> None:
    github.add_bot("dependabot")
    nobody = await bot.get(f"{BASE}/collaborators/nobody/permission")
    robot = await bot.get(f"{BASE}/collaborators/dependabot%5Bbot%5D/permission")
    owner = await bot.get(f"{BASE}/collaborators/acme/permission")
    assert (nobody.status, robot.status, owner.status) == (404, 404, 404)
    assert [answer.body["message"] for answer in (nobody, robot, owner)] == [
        "Not Found",
        "dependabot[bot] is not a user",
        "acme is not a user",
    ]


async def test_the_app_writes_as_its_bot(bot: Bot, github: GitHubStandIn, issue: Thread, client: Client) -> None:
    made = (await bot.ask("POST", COMMENTS, {"body": "Hello"})).body
    assert (made["user"]["login"], made["user"]["type"]) == ("tallyhook-sandbox[bot]", "Bot")
    assert made["performed_via_github_app"]["id"] == github.app_id
    assert made["html_url"] == f"{github.web_url}/acme/project/issues/1#issuecomment-{made['id']}"
    assert made["id"] > 2**31
    [comment] = issue.comments
    assert (comment.author, comment.via_app) == (github.app_bot, True)
    profile = await client.get("/users/tallyhook-sandbox%5Bbot%5D")
    assert (profile.body["type"], profile.body["id"]) == ("Bot", github.app_bot.id)
    human = github.comment(issue, "alice", "Hello")
    shown = (await bot.get(f"{BASE}/issues/comments/{human.id}")).body
    assert (shown["user"]["type"], shown["performed_via_github_app"]) == ("User", None)


async def test_comments_come_in_pages_that_lead_to_each_other(
    bot: Bot, github: GitHubStandIn, issue: Thread, project: Repository
) -> None:
    ids = [github.comment(issue, "alice", f"number {number}").id for number in range(7)]
    first = await bot.get(f"{COMMENTS}?per_page=3")
    assert [comment["id"] for comment in first.body] == ids[:3]
    by_id = f"{github.api_url}/repositories/{project.id}/issues/1/comments?per_page=3"
    assert (first.link("next"), first.link("last")) == (f"{by_id}&page=2", f"{by_id}&page=3")
    assert (first.link("prev"), first.link("first")) == (None, None)
    last = await bot.get(first.link("last") or "")
    assert [comment["id"] for comment in last.body] == ids[6:]
    assert (last.link("prev"), last.link("first"), last.link("last")) == (f"{by_id}&page=2", f"{by_id}&page=1", None)


async def test_comments_since_a_moment_are_those_changed_since(
    bot: Bot, github: GitHubStandIn, issue: Thread, clock: VirtualClock
) -> None:
    first, second = (github.comment(issue, "alice", body) for body in ("one", "two"))
    clock.advance(minutes=5)
    github.edit_comment(first, "one, better")
    clock.advance(minutes=5)
    third = github.comment(issue, "alice", "three")

    async def seen(moment: str) -> list[int]:
        return [comment["id"] for comment in (await bot.get(f"{COMMENTS}?since={moment}")).body]

    assert await seen("2026-01-10T12:00:00Z") == [first.id, second.id, third.id]
    assert await seen("2026-01-10T12:05:00Z") == [first.id, third.id]
    assert await seen("2026-01-10T12:05:01Z") == [third.id]
    assert (await bot.get(f"{COMMENTS}?since=yesterday")).status == 422
    shown = (await bot.get(f"{BASE}/issues/comments/{first.id}")).body
    assert (shown["created_at"], shown["updated_at"]) == ("2026-01-10T12:00:00Z", "2026-01-10T12:05:00Z")


async def test_issues_are_listed_as_asked(
    bot: Bot, github: GitHubStandIn, project: Repository, issue: Thread, clock: VirtualClock
) -> None:
    bob = github.add_user("bob")
    github.set_permission(project, bob, "read")
    clock.advance(minutes=1)
    pull = github.open_issue(project, bob, "It is mended", pull_request=True)
    clock.advance(minutes=1)
    github.comment(issue, bob, "Still broken")

    async def numbers(query: str) -> list[int]:
        return [shown["number"] for shown in (await bot.get(f"{BASE}/issues?{query}")).body]

    assert await numbers("") == [2, 1]
    assert await numbers("direction=asc") == [1, 2]
    assert await numbers("sort=updated") == await numbers("sort=comments") == [1, 2]
    assert await numbers("creator=BOB") == await numbers("since=2026-01-10T12:01:00Z&creator=bob") == [2]
    assert await numbers("since=2026-01-10T12:02:00Z") == [1]
    assert await numbers("state=closed") == []
    assert (await bot.get(f"{BASE}/issues?sort=beauty")).status == 422
    shown = (await bot.get(f"{BASE}/issues/2")).body
    assert shown["pull_request"]["html_url"] == f"{github.web_url}/acme/project/pull/{pull.number}"
    assert "pull_request" not in (await bot.get(f"{BASE}/issues/1")).body


async def test_a_reaction_is_left_once(bot: Bot, github: GitHubStandIn, issue: Thread) -> None:
    comment = github.comment(issue, "alice", "/credits")
    path = f"{BASE}/issues/comments/{comment.id}/reactions"
    github.react(comment, "alice", "eyes")
    answers = [await bot.ask("POST", path, {"content": content}) for content in ("eyes", "eyes", "confused")]
    assert [answer.status for answer in answers] == [201, 200, 201]
    assert answers[0].body["id"] == answers[1].body["id"]
    listed = (await bot.get(f"{path}?content=eyes")).body
    assert [reaction["user"]["login"] for reaction in listed] == ["alice", "tallyhook-sandbox[bot]"]
    counts = (await bot.get(f"{BASE}/issues/comments/{comment.id}")).body["reactions"]
    assert (counts["total_count"], counts["eyes"], counts["confused"], counts["+1"]) == (3, 2, 1, 0)
    assert (await bot.ask("DELETE", f"{path}/{listed[0]['id']}")).status == 404
    assert (await bot.ask("DELETE", f"{path}/{listed[1]['id']}")).status == 204
    assert [reaction.author.login for reaction in comment.reactions] == ["alice", "tallyhook-sandbox[bot]"]
    assert (await bot.ask("POST", path, {"content": "applause"})).status == 422
