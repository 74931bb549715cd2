"""What the REST API answers of repositories, issues and comments."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.conversation_actors import LONGEST_BODY
from sandbox.github.model import Account, Installation, Repository
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Answer, Client


@dataclass(slots=True, kw_only=True)
class Bot:
    """Asks as the installation of one account."""

    client: Client
    installed: Installation
    token: str

    async def ask(self, method: str, path: str, body: Any = None, *, allow_redirects: bool = True) -> Answer:
        return await self.client.ask(method, path, token=self.token, json=body, allow_redirects=allow_redirects)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)


async def connect(client: Client, installed: Installation, **narrowed: Any) -> Bot:
    made = await client.ask("POST", f"/app/installations/{installed.id}/access_tokens", json=narrowed)
    return Bot(client=client, installed=installed, token=made.body["token"])


@pytest.fixture
def alice(github: GitHubStandIn) -> Account:
    return github.add_user("alice")


@pytest.fixture
def acme(github: GitHubStandIn, alice: Account) -> Account:
    return github.add_organization("acme", owner=alice)


@pytest.fixture
def project(github: GitHubStandIn, acme: Account) -> Repository:
    """A private repository of an organization."""
    return github.add_repository(acme, "project", private=True)


@pytest.fixture
async def bot(client: Client, github: GitHubStandIn, acme: Account, project: Repository) -> AsyncIterator[Bot]:
    """The App on the organization."""
    yield await connect(client, github.install(acme))


async def test_every_route_answers_by_the_description(
    bot: Bot, github: GitHubStandIn, project: Repository, alice: Account, contract: GitHubContract
) -> None:
    issue = github.open_issue(project, alice, "It breaks", "How it breaks")
    pull = github.open_issue(project, alice, "It is mended", pull_request=True)
    base = "/repos/acme/project"
    for thread in (issue, pull):
        made = await bot.ask("POST", f"{base}/issues/{thread.number}/comments", {"body": "Hello"})
        assert (made.status, made.headers["Location"]) == (201, made.body["url"])
        one = f"{base}/issues/comments/{made.body['id']}"
        reacted = await bot.ask("POST", f"{one}/reactions", {"content": "eyes"})
        assert reacted.status == 201
        assert (await bot.ask("POST", f"{one}/reactions", {"content": "eyes"})).status == 200
        statuses = [
            (await bot.ask(method, path, body)).status
            for method, path, body in (
                ("GET", f"{base}/issues/{thread.number}", None),
                ("GET", f"{base}/issues/{thread.number}/comments?per_page=10&page=1&since=2026-01-01T00:00:00Z", None),
                ("GET", one, None),
                ("PATCH", one, {"body": "Hello again"}),
                ("GET", f"{one}/reactions?content=eyes&per_page=100", None),
                ("DELETE", f"{one}/reactions/{reacted.body['id']}", None),
                ("DELETE", one, None),
                ("GET", one, None),
            )
        ]
        assert statuses == [200, 200, 200, 200, 200, 204, 204, 404]
    for path in (
        base,
        f"/repositories/{project.id}",
        f"{base}/collaborators/alice/permission",
        f"{base}/issues?state=all&sort=updated&direction=asc",
        f"{base}/pulls/{pull.number}",
    ):
        assert (await bot.get(path)).status == 200, path
    assert (await bot.get(f"{base}/pulls/{issue.number}")).status == 404
    contract.assert_kept()
