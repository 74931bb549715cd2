"""The judge itself: what breaks GitHub's description is found."""

from dataclasses import replace

import pytest

from sandbox.github.exchange import Exchange
from sandbox.github.server import GitHubStandIn
from tests.contract import ContractError, GitHubContract, check_answer, check_exchange, check_request, check_webhook
from tests.sandbox.conftest import Client

HEADERS = {"accept": "application/json", "user-agent": "tests", "x-github-api-version": "2022-11-28"}


@pytest.fixture
async def good(client: Client, github: GitHubStandIn, contract: GitHubContract) -> Exchange:
    """An exchange that keeps the contract."""
    github.buy(github.add_user("alice"), "Pro")
    await client.get("/marketplace_listing/plans/1313/accounts?sort=created")
    [exchange] = contract.exchanges
    check_exchange(exchange)
    return exchange


@pytest.mark.parametrize("missing", sorted(HEADERS))
async def test_a_request_owes_its_headers(good: Exchange, missing: str) -> None:
    with pytest.raises(ContractError, match=missing):
        check_request(replace(good, headers={name: value for name, value in good.headers.items() if name != missing}))


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/marketplace_listing/plan", "", "Path not found"),
        ("/marketplace_listing/plans/pro/accounts", "", "integer type: pro"),
        ("/marketplace_listing/plans/1313/accounts", "sort=name", "sort"),
        ("/marketplace_listing/plans/1313/accounts", "perpage=100", "perpage"),
        ("/marketplace_listing/plans/1313/accounts", "page=one", "page"),
    ],
)
async def test_a_request_asks_what_there_is(good: Exchange, path: str, query: str, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check_request(replace(good, path=path, query=query))


def test_a_body_has_the_described_form() -> None:
    request = Exchange(
        method="POST",
        path="/app/installations/1/access_tokens",
        query="",
        headers={**HEADERS, "content-type": "application/json"},
        body=b'{"repository_ids": ["one"]}',
        status=404,
        response_headers={"content-type": "application/json"},
        response_body=b"",
    )
    with pytest.raises(ContractError, match="repository_ids"):
        check_request(request)
    check_request(replace(request, body=b'{"repository_ids": [1]}'))


@pytest.mark.parametrize("base", ["/repos/acme/project", "/repositories/5"])
def test_what_is_asked_of_a_comment_has_the_described_form(base: str) -> None:
    request = Exchange(
        method="POST",
        path=f"{base}/issues/1/comments",
        query="",
        headers={**HEADERS, "content-type": "application/json"},
        body=b'{"body": "Hello"}',
        status=410,
        response_headers={"content-type": "application/json"},
        response_body=b'{"message": "This issue was deleted", "documentation_url": "https://docs.github.com/rest"}',
    )
    check_exchange(request)
    for body, words in (
        (b'{"text": "Hello"}', "body"),
        (b'{"body": 5}', "5 is not"),
        (b'{"body": "Hello", "bdoy": "x"}', "bdoy"),
    ):
        with pytest.raises(ContractError, match=words):
            check_request(replace(request, body=body))
    for path in (f"{base}/issues/one/comments", f"{base}/issue/1/comments", f"{base}/comments"):
        with pytest.raises(ContractError):
            check_request(replace(request, path=path))
    reaction = replace(request, path=f"{base}/issues/comments/1/reactions", body=b'{"content": "eyes"}')
    check_request(reaction)
    with pytest.raises(ContractError, match="applause"):
        check_request(replace(reaction, body=b'{"content": "applause"}'))
    check_request(replace(reaction, method="DELETE", path=f"{base}/issues/comments/1/reactions/2", body=b""))
    with pytest.raises(ContractError):
        check_request(replace(reaction, method="PATCH", body=b""))


async def test_an_answer_has_the_described_form(good: Exchange) -> None:
    with pytest.raises(ContractError, match="marketplace_purchase"):
        check_answer(replace(good, response_body=b'[{"url": "x", "id": 1, "type": "User", "login": "x"}]'))
    with pytest.raises(ContractError, match="array"):
        check_answer(replace(good, response_body=b"{}"))
    with pytest.raises(ContractError, match="FLATTISH"):
        check_answer(replace(good, response_body=good.response_body.replace(b"FLAT_RATE", b"FLATTISH")))
    with pytest.raises(ContractError):
        check_answer(replace(good, status=201))
    with pytest.raises(ContractError, match="message"):
        check_answer(replace(good, status=429, response_body=b'{"error": "slow down"}'))
    check_answer(replace(good, status=500, fault="status", response_body=b"boom"))


@pytest.mark.parametrize(
    ("name", "action", "words"),
    [
        ("installation", "created", "installation"),
        ("issue_comment", "created", "repository"),
        ("marketplace_purchase", "purchased", "effective_date"),
    ],
)
def test_a_webhook_has_the_described_form(name: str, action: str, words: str) -> None:
    headers = {
        "User-Agent": "GitHub-Hookshot/1",
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Event": name,
        "X-GitHub-Hook-Installation-Target-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-GitHub-Delivery": "1",
        "X-Hub-Signature-256": "sha256=0",
        "Content-Type": "application/json",
    }
    with pytest.raises(ContractError, match=words):
        check_webhook(name, action, headers=headers, body=b'{"action": "%s"}' % action.encode())
    del headers["X-GitHub-Delivery"]
    with pytest.raises(ContractError, match="X-GitHub-Delivery"):
        check_webhook(name, action, headers=headers, body=b"{}")


def test_an_unknown_event_is_none_of_githubs() -> None:
    with pytest.raises(ContractError):
        check_webhook("marketplace_purchase", "renewed", headers={}, body=b"{}")


async def test_what_was_found_is_told_at_the_end(client: Client, contract: GitHubContract) -> None:
    await client.get("/nowhere")
    contract.assert_kept(requests=False)
    with pytest.raises(AssertionError, match="nowhere"):
        contract.assert_kept()
