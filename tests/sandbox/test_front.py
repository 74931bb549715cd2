"""The stand-in's own pages: what a customer would see at GitHub."""

import re

from sandbox.github.model import Thread
from sandbox.github.server import GitHubStandIn
from tests.sandbox.conftest import Answer, Client


async def seen(client: Client, path: str) -> Answer:
    """Open a page as a browser does."""
    return await client.ask("GET", client.github.web_url + path, token=None)


async def test_a_thread_is_shown_as_at_github(client: Client, github: GitHubStandIn, issue: Thread) -> None:
    comment = github.comment(issue, "alice", "@tallyhook-sandbox credits\n<script>alert(1)</script>")
    github.react(comment, github.app_bot, "eyes")
    answer = github.comment(issue, github.app_bot, "<!-- hidden -->\n**26 credits** <sub>of 60</sub>")
    github.lock(issue)
    page = await seen(client, "/acme/project/issues/1")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for words in (
        "<title>It breaks · acme/project#1</title>",
        "<p>How it breaks</p>",
        f'id="issuecomment-{comment.id}"',
        f'id="issuecomment-{answer.id}"',
        '<strong class="mention">@tallyhook-sandbox</strong> credits</p>',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<strong>26 credits</strong> <sub>of 60</sub>",
        "<strong>tallyhook-sandbox</strong>",
        'aria-label="eyes"',
        "Locked",
        "Private",
    ):
        assert words in page.text, words
    assert "<script" not in page.text
    assert "hidden -->" not in page.text
    assert not re.search(r'(src|href)="https?:', page.text)


async def test_every_address_that_the_api_tells_is_a_page(client: Client, github: GitHubStandIn, issue: Thread) -> None:
    comment = github.comment(issue, "alice", "Hello")
    pull = github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)
    github.set_permission(issue.repository, github.add_user("bob"), "triage")
    shown = await seen(client, "/acme/project")
    assert "bob" in shown.text
    assert "triage" in shown.text
    assert shown.text.index("It is mended") < shown.text.index("It breaks")
    links = re.findall(r'href="(/[^"]*)"', shown.text)
    assert {"/acme", "/acme/project", "/acme/project/issues/1", f"/acme/project/pull/{pull.number}"} <= set(links)
    for link in [*links, "/alice", "/", "/settings/installations", f"/avatars/u/{comment.author.id}"]:
        assert (await seen(client, link)).status == 200, link
    assert "/acme/project" in (await seen(client, "/")).text
    assert "project" in (await seen(client, "/acme")).text
    assert "None yet" in (await seen(client, "/alice")).text
    drawn = await seen(client, f"/avatars/u/{github.app_bot.id}")
    assert (drawn.headers["Content-Type"], ">T</text>" in drawn.text) == ("image/svg+xml; charset=utf-8", True)


async def test_a_page_is_found_by_its_former_and_its_other_address(
    client: Client, github: GitHubStandIn, issue: Thread
) -> None:
    pull = github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)

    async def leads_to(path: str) -> tuple[int, str | None]:
        answer = await client.ask("GET", github.web_url + path, token=None, allow_redirects=False)
        return answer.status, answer.headers.get("Location")

    assert await leads_to(f"/acme/project/issues/{pull.number}") == (302, "/acme/project/pull/2")
    assert await leads_to("/ACME/Project/issues/1") == (200, None)
    github.rename_repository(issue.repository, "product")
    assert await leads_to("/acme/project/issues/1") == (301, "/acme/product/issues/1")
    assert await leads_to("/acme/project") == (301, "/acme/product")
    github.delete_issue(issue)
    for path in ("/nobody", "/nobody/nothing", "/acme/product/issues/1", "/acme/product/issues/9", "/avatars/u/1"):
        assert (await leads_to(path))[0] == 404, path
