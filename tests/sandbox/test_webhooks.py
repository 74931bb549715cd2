"""How webhooks are sent: signed, with GitHub's headers, in order, logged, and never again by themselves."""

import asyncio
import uuid
from typing import Literal

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.courier import signature_headers
from sandbox.github.errors import ActionError
from sandbox.github.server import GitHubStandIn
from sandbox.loopback import NotLoopbackError
from tests.contract import GitHubContract, check_webhook
from tests.sandbox.conftest import Client, Target, digest

SHA256_OF_GITHUBS_EXAMPLE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""GitHub documentation, "Validating webhook deliveries"."""


def test_the_signature_is_githubs() -> None:
    headers = signature_headers("It's a Secret to Everybody", b"Hello, World!")
    assert headers["X-Hub-Signature-256"] == SHA256_OF_GITHUBS_EXAMPLE
    assert headers["X-Hub-Signature"].startswith("sha1=")
    assert signature_headers(None, b"Hello, World!") == {}


async def test_each_hook_has_its_own_secret_and_headers(github: GitHubStandIn, target: Target) -> None:
    alice = github.add_user("alice")
    installed = github.install(alice)
    github.buy(alice, "Pro")
    await github.settle()
    by_path = {webhook.path: webhook for webhook in target.received}
    app, marketplace = by_path["/webhooks/github"], by_path["/webhooks/github/marketplace"]
    assert github.webhook_secret != github.marketplace_webhook_secret
    for webhook, secret in ((app, github.webhook_secret), (marketplace, github.marketplace_webhook_secret)):
        assert webhook.headers["X-Hub-Signature-256"] == digest(secret, webhook, "sha256")
        assert webhook.headers["X-Hub-Signature"] == digest(secret, webhook, "sha1")
        assert webhook.headers["User-Agent"].startswith("GitHub-Hookshot/")
        assert webhook.headers["Content-Type"] == "application/json"
        assert str(uuid.UUID(webhook.headers["X-GitHub-Delivery"])) == webhook.headers["X-GitHub-Delivery"]
        assert webhook.headers["X-GitHub-Hook-Installation-Target-ID"] == str(github.app_id)
    assert app.headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
    assert marketplace.headers["X-GitHub-Hook-Installation-Target-Type"] == "marketplace::listing"
    assert app.headers["X-GitHub-Hook-ID"] != marketplace.headers["X-GitHub-Hook-ID"]
    assert app.payload["installation"]["id"] == installed.id


async def test_a_delivery_as_it_crossed_the_wire_keeps_the_contract(github: GitHubStandIn, target: Target) -> None:
    github.install(github.add_user("alice"))
    await github.settle()
    webhook = target.last()
    check_webhook("installation", "created", headers=webhook.headers, body=webhook.raw)


@pytest.mark.parametrize("content_type", ["json", "form"])
async def test_both_hooks_are_pinged_when_they_are_made(
    github: GitHubStandIn, target: Target, contract: GitHubContract, content_type: Literal["json", "form"]
) -> None:
    for hook in github.state.hooks.values():
        hook.content_type = content_type
    github.connect(target.url)
    await github.settle()
    assert sorted((webhook.event, webhook.path) for webhook in target.received) == [
        ("ping", "/webhooks/github"),
        ("ping", "/webhooks/github/marketplace"),
    ]
    for webhook in target.received:
        assert webhook.payload["zen"]
        assert webhook.payload["hook_id"] == int(webhook.headers["X-GitHub-Hook-ID"])
    assert [event.name for event in contract.events] == ["ping", "ping"]


async def test_the_form_encoding_is_signed_over_its_raw_body(github: GitHubStandIn, target: Target) -> None:
    github.set_hook("app", f"{target.url}/form", secret="größer", content_type="form", ping=False)
    github.install(github.add_user("alice"))
    await github.settle()
    webhook = target.last()
    assert webhook.raw.startswith(b"payload=%7B")
    assert webhook.headers["X-Hub-Signature-256"] == digest("größer", webhook, "sha256")
    assert webhook.payload["action"] == "created"


async def test_a_hook_without_address_or_switched_off_hears_nothing(github: GitHubStandIn, target: Target) -> None:
    github.set_hook("app", None)
    github.state.hooks["marketplace"].active = False
    alice = github.add_user("alice")
    github.install(alice)
    github.buy(alice, "Pro")
    await github.settle()
    assert target.received == []
    assert github.target_url is None
    assert github.state.deliveries == {"app": [], "marketplace": []}


async def test_deliveries_keep_their_order(github: GitHubStandIn, target: Target) -> None:
    for number in range(20):
        github.install(github.add_user(f"user-{number}"))
    await github.settle()
    assert [webhook.payload["sender"]["login"] for webhook in target.received] == [f"user-{n}" for n in range(20)]


async def test_the_log_shows_what_was_sent_and_answered(
    client: Client, github: GitHubStandIn, target: Target, clock: VirtualClock
) -> None:
    target.status = 503
    alice = github.add_user("alice")
    installed = github.install(alice)
    await github.settle()
    target.status = 202
    clock.advance(minutes=1)
    github.suspend(alice)
    await github.settle()
    newest, oldest = (await client.get("/app/hook/deliveries")).body
    assert (newest["status"], newest["status_code"], newest["action"]) == ("OK", 202, "suspend")
    assert (oldest["status"], oldest["status_code"]) == ("Invalid HTTP Response: 503", 503)
    assert (oldest["event"], oldest["installation_id"], oldest["redelivery"]) == ("installation", installed.id, False)
    assert (oldest["delivered_at"], newest["delivered_at"]) == ("2026-01-10T12:00:00Z", "2026-01-10T12:01:00Z")
    assert oldest["id"] > 2**32
    detail = (await client.get(f"/app/hook/deliveries/{oldest['id']}")).body
    assert detail["url"] == github.target_url
    assert detail["request"]["headers"]["X-GitHub-Delivery"] == oldest["guid"]
    assert detail["request"]["payload"]["installation"]["id"] == installed.id
    assert detail["response"]["payload"] == "thank you"
    failures = (await client.get("/app/hook/deliveries?status=failure")).body
    assert [delivery["id"] for delivery in failures] == [oldest["id"]]
    assert len((await client.get("/app/hook/deliveries?status=success")).body) == 1


async def test_nothing_is_sent_again_by_itself_and_a_redelivery_keeps_its_guid(
    client: Client, github: GitHubStandIn, target: Target, clock: VirtualClock
) -> None:
    target.status = 500
    github.install(github.add_user("alice"))
    await github.settle()
    clock.advance(days=2)
    await github.settle()
    assert len(target.received) == 1
    target.status = 202
    [failed] = (await client.get("/app/hook/deliveries")).body
    assert (await client.ask("POST", f"/app/hook/deliveries/{failed['id']}/attempts")).status == 202
    await github.settle()
    newest, _ = (await client.get("/app/hook/deliveries")).body
    assert (newest["guid"], newest["redelivery"], newest["status"]) == (failed["guid"], True, "OK")
    assert newest["id"] != failed["id"]
    first, second = target.received
    assert first.raw == second.raw
    assert first.headers["X-GitHub-Delivery"] == second.headers["X-GitHub-Delivery"]


async def test_the_log_forgets_after_three_days(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    github.install(github.add_user("alice"))
    await github.settle()
    [delivery] = (await client.get("/app/hook/deliveries")).body
    clock.advance(days=3)
    assert len((await client.get("/app/hook/deliveries")).body) == 1
    clock.advance(milliseconds=1)
    assert (await client.get("/app/hook/deliveries")).body == []
    assert (await client.get(f"/app/hook/deliveries/{delivery['id']}")).status == 404
    assert (await client.ask("POST", f"/app/hook/deliveries/{delivery['id']}/attempts")).status == 404


async def test_the_log_is_read_by_cursor(client: Client, github: GitHubStandIn) -> None:
    for number in range(5):
        github.install(github.add_user(f"user-{number}"))
    await github.settle()
    url: str | None = "/app/hook/deliveries?per_page=2&status=success"
    seen: list[int] = []
    while url is not None:
        answer = await client.get(url)
        assert len(answer.body) <= 2
        seen += [delivery["id"] for delivery in answer.body]
        url = answer.link("next")
        assert url is None or "status=success" in url
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    assert (await client.get("/app/hook/deliveries?cursor=nonsense")).body == []


async def test_the_listings_hook_is_sent_again_by_hand_only(
    client: Client, github: GitHubStandIn, target: Target
) -> None:
    github.buy(github.add_user("alice"), "Pro")
    await github.settle()
    assert (await client.get("/app/hook/deliveries")).body == []
    [delivery] = github.state.deliveries["marketplace"]
    assert (await client.ask("POST", f"/app/hook/deliveries/{delivery.id}/attempts")).status == 404
    github.courier.redeliver("marketplace", delivery.id)
    await github.settle()
    assert [webhook.headers["X-GitHub-Delivery"] for webhook in target.received] == [delivery.event.guid] * 2
    with pytest.raises(ActionError, match="no delivery 1"):
        github.courier.redeliver("marketplace", 1)


async def test_a_target_that_is_away_or_slow_is_a_failed_delivery(clock: VirtualClock, target: Target) -> None:
    async with GitHubStandIn(clock, target_url=target.url, answer_seconds=0.2) as github:
        alice = github.add_user("alice")
        target.gate.clear()
        github.install(alice)
        await github.settle()
        github.set_hook("app", "http://127.0.0.1:1/nobody", ping=False)
        github.suspend(alice)
        await github.settle()
        late, away = github.state.deliveries["app"]
        assert (late.status, late.status_code, late.succeeded) == ("timed out", 0, False)
        assert (away.status, away.status_code) == ("failed to connect to host", 0)


async def test_a_redirect_is_not_followed(github: GitHubStandIn, target: Target) -> None:
    target.status = 307
    github.install(github.add_user("alice"))
    await github.settle()
    [delivery] = github.state.deliveries["app"]
    assert (delivery.status_code, delivery.succeeded, len(target.received)) == (307, False, 1)


async def test_several_senders_work_at_once(clock: VirtualClock, target: Target) -> None:
    async with GitHubStandIn(clock, target_url=target.url, concurrency=3) as github:
        target.gate.clear()
        for number in range(5):
            github.install(github.add_user(f"user-{number}"))
        for _ in range(10_000):
            if len(target.received) == 3:
                break
            await asyncio.sleep(0.001)
        assert len(target.received) == 3
        assert github.courier.waiting == 5
        target.gate.set()
        await github.settle()
        assert len(target.received) == 5


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "http://10.0.0.1:80/", "http://0.0.0.0/", "https://127.0.0.1.example.com/", "nothing"],
)
async def test_webhooks_leave_this_machine_never(clock: VirtualClock, url: str) -> None:
    github = GitHubStandIn(clock)
    with pytest.raises(NotLoopbackError):
        github.connect(url)
    with pytest.raises(NotLoopbackError):
        GitHubStandIn(clock, target_url=url)
    assert github.target_url is None


async def test_an_address_set_by_the_api_is_kept_but_never_called(client: Client, github: GitHubStandIn) -> None:
    url = "https://tallyhook.example.com/webhooks/github"
    assert (await client.ask("PATCH", "/app/hook/config", json={"url": url})).body["url"] == url
    github.install(github.add_user("alice"))
    await github.settle()
    [delivery] = github.state.deliveries["app"]
    assert (delivery.status_code, delivery.url) == (0, url)
    assert delivery.status == "refused: the sandbox sends to loopback addresses only"


async def test_settling_needs_a_running_courier(clock: VirtualClock) -> None:
    with pytest.raises(RuntimeError, match="started"):
        await GitHubStandIn(clock).settle()
