"""What can go wrong with webhooks: twice, out of order, late, never, failed on the way, or with an unusual body."""

import asyncio

import pytest

from sandbox.clock import VirtualClock
from sandbox.github import variants
from sandbox.github.server import GitHubStandIn
from sandbox.github.webhook_faults import Chaos
from tests.sandbox.conftest import Target, digest


async def test_a_webhook_sent_twice_has_one_guid(github: GitHubStandIn, target: Target) -> None:
    github.webhook_faults.duplicate(event="installation", copies=3)
    alice = github.add_user("alice")
    github.install(alice)
    github.suspend(alice)
    await github.settle()
    assert target.names() == ["installation.created"] * 3 + ["installation.suspend"]
    assert len({webhook.headers["X-GitHub-Delivery"] for webhook in target.received}) == 2


async def test_held_webhooks_come_in_the_order_they_are_released(github: GitHubStandIn, target: Target) -> None:
    github.webhook_faults.hold(event="installation*")
    alice = github.add_user("alice")
    github.install(alice)
    github.suspend(alice)
    github.unsuspend(alice)
    github.buy(alice, "Pro")
    await github.settle()
    assert target.names() == ["marketplace_purchase.purchased"]
    assert github.courier.release(reverse=True) == 3
    await github.settle()
    assert target.names()[1:] == ["installation.unsuspend", "installation.suspend", "installation.created"]
    assert github.courier.release() == 0
    github.webhook_faults.clear()
    github.suspend(alice)
    await github.settle()
    assert target.names()[-1] == "installation.suspend"


async def test_a_shuffle_is_the_same_for_the_same_seed(clock: VirtualClock, target: Target) -> None:
    orders = []
    for _ in range(2):
        target.received.clear()
        async with GitHubStandIn(clock, seed=7, target_url=target.url) as github:
            github.webhook_faults.hold()
            for number in range(6):
                github.install(github.add_user(f"user-{number}"))
            github.courier.release(shuffle=True)
            await github.settle()
        orders.append([webhook.payload["sender"]["login"] for webhook in target.received])
    assert orders[0] == orders[1] != sorted(orders[0])


async def test_a_late_webhook_comes_by_the_clock(github: GitHubStandIn, target: Target, clock: VirtualClock) -> None:
    github.webhook_faults.delay(600, action="created")
    alice = github.add_user("alice")
    github.install(alice)
    github.suspend(alice)
    await github.settle()
    assert target.names() == ["installation.suspend"]
    assert github.courier.waiting == 1
    clock.advance(seconds=599)
    await github.settle()
    assert len(target.received) == 1
    clock.advance(seconds=1)
    await github.settle()
    assert target.names() == ["installation.suspend", "installation.created"]


async def test_a_late_webhook_comes_without_anybody_asking(
    github: GitHubStandIn, target: Target, clock: VirtualClock
) -> None:
    github.webhook_faults.delay(600)
    github.install(github.add_user("alice"))
    clock.advance(seconds=600)
    for _ in range(10_000):
        if target.received:
            break
        await asyncio.sleep(0.001)
    assert target.names() == ["installation.created"]


async def test_a_lost_webhook_leaves_no_trace_and_a_failed_one_does(github: GitHubStandIn, target: Target) -> None:
    github.webhook_faults.lose(action="created")
    github.webhook_faults.fail(action="suspend")
    alice = github.add_user("alice")
    github.install(alice)
    github.suspend(alice)
    await github.settle()
    assert target.received == []
    [failed] = github.state.deliveries["app"]
    assert (failed.event.action, failed.status_code) == ("suspend", 0)
    github.courier.redeliver("app", failed.id)
    await github.settle()
    assert target.names() == ["installation.suspend"]


async def test_a_fault_strikes_as_often_as_it_was_told(github: GitHubStandIn, target: Target) -> None:
    github.webhook_faults.lose(times=2)
    for number in range(3):
        github.install(github.add_user(f"user-{number}"))
    await github.settle()
    assert [webhook.payload["sender"]["login"] for webhook in target.received] == ["user-2"]


async def test_chaos_is_the_same_for_the_same_seed(clock: VirtualClock, target: Target) -> None:
    runs: list[list[tuple[str, str]]] = []
    for seed in (3, 3, 4):
        target.received.clear()
        async with GitHubStandIn(clock, seed=seed, target_url=target.url) as github:
            github.webhook_faults.randomly(Chaos(duplicate=0.2, hold=0.2, late=0.2, lose=0.2))
            for number in range(40):
                github.install(github.add_user(f"user-{number}"))
            await github.settle()
            straight = len(target.received)
            assert 0 < len(github.courier.held) < 40
            github.courier.release(shuffle=True)
            clock.advance(hours=1)
            await github.settle()
            assert straight < len(target.received)
            assert github.courier.waiting == 0
        runs.append([(webhook.payload["sender"]["login"], webhook.name) for webhook in target.received])
    logins = {login for login, _ in runs[0]}
    assert runs[0] == runs[1] != runs[2]
    assert len(logins) < 40 < len(runs[0]) + 40
    assert len(runs[0]) > len(logins)


async def test_variants_change_what_is_sent_and_are_signed(github: GitHubStandIn, target: Target) -> None:
    github.webhook_faults.alter(variants.installation_account_null, event="installation")
    github.webhook_faults.alter(variants.old_price_model, event="marketplace_purchase")
    alice = github.add_user("alice")
    github.install(alice)
    github.buy(alice, "Pro")
    github.suspend(alice)
    await github.settle()
    by_name = {webhook.name: webhook for webhook in target.received}
    assert by_name["installation.created"].payload["installation"]["account"] is None
    assert by_name["installation.suspend"].payload["installation"]["account"]["login"] == "alice"
    bought = by_name["marketplace_purchase.purchased"]
    assert bought.payload["marketplace_purchase"]["plan"]["price_model"] == "flat-rate"
    assert bought.headers["X-Hub-Signature-256"] == digest(github.marketplace_webhook_secret, bought, "sha256")


@pytest.mark.parametrize("name", sorted(variants.VARIANTS))
def test_no_variant_changes_the_body_it_is_given(name: str) -> None:
    plan = {"price_model": "FLAT_RATE", "bullets": []}
    purchase = {"account": {"id": 1, "node_id": "x"}, "plan": plan, "unit_count": 1}
    body = {
        "action": "changed",
        "sender": {"id": 1, "email": None},
        "installation": {"id": 1, "account": {"id": 1}},
        "marketplace_purchase": purchase,
        "previous_marketplace_purchase": {**purchase, "unit_count": 2},
        "comment": {"user": {"id": 1}, "performed_via_github_app": {"id": 1}},
    }
    before = repr(body)
    assert variants.VARIANTS[name](body) != body
    assert repr(body) == before
    variants.VARIANTS[name]({})


def test_single_fields_can_be_left_out_and_replaced() -> None:
    body = {"a": {"b": 1, "c": 2}, "d": None}
    assert variants.without("a.b", "a.x.y", "d.e", "z")(body) == {"a": {"c": 2}, "d": None}
    assert variants.nulled("a.c", "d.e")(body) == {"a": {"b": 1, "c": None}, "d": None}
    assert variants.replaced("a.b", "one")(body) == {"a": {"b": "one", "c": 2}, "d": None}
    assert variants.upcoming_in_previous(body) == body
