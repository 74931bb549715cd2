"""The manifest flow: a page that takes a manifest, a code, and the App's secrets once."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client, Target


def manifest(**changes: Any) -> str:
    body = {
        "name": "Tallyhook for Acme",
        "url": "https://tallyhook.example",
        "redirect_url": "http://127.0.0.1:9999/callback?kept=1",
        "public": True,
        "default_permissions": {"issues": "write", "metadata": "read"},
        "default_events": ["issue_comment"],
        **changes,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None})


async def submit(client: Client, text: str, *, page: str = "/settings/apps/new?state=s3cret") -> tuple[int, str]:
    """Post a manifest and return the status with the `Location`, or with the words of a refusal."""
    async with client.session.post(
        client.github.web_url + page, data={"manifest": text}, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("Location", await answer.text())


async def test_an_app_is_registered_and_answers_with_its_own_key(
    client: Client, github: GitHubStandIn, target: Target, contract: GitHubContract
) -> None:
    github.install(github.add_user("alice"))
    await github.settle()
    former_id, former_token = github.app_id, client.app_token()
    status, location = await submit(client, manifest(hook_attributes={"url": f"{target.url}/new-hook"}))
    back = urlsplit(location)
    query = parse_qs(back.query)
    assert (status, f"{back.scheme}://{back.netloc}{back.path}") == (302, "http://127.0.0.1:9999/callback")
    assert (query["kept"], query["state"]) == (["1"], ["s3cret"])
    path = f"/app-manifests/{query['code'][0]}/conversions"
    made = await client.ask("POST", path, token=None)
    assert made.status == 201
    assert made.body["pem"] == github.private_key_pem
    assert made.body["webhook_secret"] == github.webhook_secret
    assert (made.body["client_id"], made.body["client_secret"]) == (github.client_id, github.client_secret)
    assert (made.body["id"], made.body["slug"]) == (github.app_id, "tallyhook-for-acme")
    assert github.app_id != former_id
    assert (await client.ask("POST", path, token=None)).status == 404
    assert (await client.get("/app", token=former_token)).status == 401
    assert (await client.get("/app")).body["permissions"] == {"issues": "write", "metadata": "read"}
    assert (await client.get("/app/installations")).body == []
    await github.settle()
    assert (target.last().event, target.last().path) == ("ping", "/new-hook")
    assert github.app_bot.login == "tallyhook-for-acme[bot]"
    contract.assert_kept()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("A. C. M. E.'s App!", "a-c-m-e-s-app"),
        ("x" * 30 + " and too long a tail", "x" * 30 + "-and-too"),
        ("\N{BRAIN}", "app-1001"),
    ],
)
async def test_a_name_becomes_what_addresses_and_the_bot_can_have(
    client: Client, github: GitHubStandIn, name: str, slug: str
) -> None:
    _, location = await submit(client, manifest(name=name))
    made = await client.ask(
        "POST", f"/app-manifests/{parse_qs(urlsplit(location).query)['code'][0]}/conversions", token=None
    )
    assert (made.status, made.body["slug"]) == (201, slug)
    assert github.app_bot.login == f"{slug}[bot]"


async def test_an_organization_may_own_it(client: Client, github: GitHubStandIn) -> None:
    github.add_organization("acme")
    _, location = await submit(client, manifest(name=None), page="/organizations/acme/settings/apps/new")
    query = parse_qs(urlsplit(location).query)
    assert "state" not in query
    made = await client.ask("POST", f"/app-manifests/{query['code'][0]}/conversions", token=None)
    assert made.body["owner"]["login"] == "acme"
    assert github.target_url is None
    status, _ = await submit(client, manifest(), page="/organizations/nobody/settings/apps/new")
    assert status == 404


async def test_a_code_lasts_an_hour(client: Client, clock: VirtualClock) -> None:
    for age, status in ((3600, 201), (3601, 404)):
        _, location = await submit(client, manifest())
        clock.advance(seconds=age)
        code = parse_qs(urlsplit(location).query)["code"][0]
        assert (await client.ask("POST", f"/app-manifests/{code}/conversions", token=None)).status == status


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "isn't JSON"),
        ("[]", "JSON object"),
        (manifest(url=None), "'url' is required"),
        (manifest(redirect_url=None), "'redirect_url' is required"),
        (manifest(redirect_url="https://example.com/"), "loopback"),
        (manifest(hook_attributes={"active": True}), "'hook_attributes.url' is required"),
        (manifest(default_events=["issues", "installation"]), "unsupported: installation"),
        (manifest(hook_attributes={"url": "http://127.0.0.1/", "secret": "mine"}), "GitHub makes the secret"),
    ],
)
async def test_a_bad_manifest_is_refused(client: Client, text: str, words: str) -> None:
    status, answer = await submit(client, text)
    assert status == 422
    assert words in answer


async def test_the_page_has_a_form(client: Client) -> None:
    async with client.session.get(f"{client.github.web_url}/settings/apps/new") as answer:
        assert answer.status == 200
        assert 'name="manifest"' in await answer.text()
