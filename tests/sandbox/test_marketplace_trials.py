"""Free trials, and payments that fail: what hook and API say of them."""

from datetime import UTC, datetime

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.github.server import GitHubStandIn
from tests.sandbox.conftest import Client, Target, shown


async def test_a_trial_becomes_paid_after_fourteen_days(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice = github.add_user("alice", billing_day=15)
    github.buy(alice, "Plus")
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["on_free_trial"], bought["free_trial_ends_on"]) == (True, "2026-01-24T00:00:00.000Z")
    assert bought["next_billing_date"] == "2026-02-15T00:00:00Z"
    clock.set(datetime(2026, 1, 24, tzinfo=UTC))
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("changed", "2026-01-24T00:00:00+00:00")
    assert body["previous_marketplace_purchase"]["on_free_trial"]
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["on_free_trial"], bought["free_trial_ends_on"]) == (False, None)
    assert bought["next_billing_date"] == "2026-02-15T00:00:00Z"


async def test_a_trial_is_cancelled_at_once_and_there_is_only_one(
    client: Client, github: GitHubStandIn, target: Target
) -> None:
    alice = github.add_user("alice")
    github.buy(alice, "Plus")
    github.cancel(alice)
    await github.settle()
    assert target.last().payload["action"] == "cancelled"
    assert await shown(client, alice.id) is None
    with pytest.raises(ActionError, match="no free trial"):
        github.buy(alice, "Plus", trial=True)
    github.buy(alice, "Plus")
    assert not (await shown(client, alice.id))["marketplace_purchase"]["on_free_trial"]


async def test_changes_during_a_trial_keep_its_end(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    alice, bob = github.add_user("alice", billing_day=25), github.add_user("bob", billing_day=25)
    github.buy(alice, "Plus")
    github.buy(bob, "Plus")
    clock.advance(days=3)
    github.change(alice, cycle="yearly")
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["billing_cycle"], bought["free_trial_ends_on"]) == ("yearly", "2026-01-24T00:00:00.000Z")
    github.change(bob, "Pro")
    assert (await shown(client, bob.id))["marketplace_pending_change"]["effective_date"] == "2026-01-24T00:00:00Z"
    clock.set(datetime(2026, 1, 24, tzinfo=UTC))
    bought = (await shown(client, bob.id))["marketplace_purchase"]
    assert (bought["plan"]["name"], bought["on_free_trial"]) == ("Pro", False)


async def test_a_failed_upgrade_goes_back_with_another_changed(
    client: Client, github: GitHubStandIn, target: Target
) -> None:
    alice = github.add_user("alice", billing_day=25)
    github.buy(alice, "Pro")
    github.change(alice, "Plus")
    github.fail_upgrade(alice)
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("changed", "2026-01-10T00:00:00+00:00")
    assert body["marketplace_purchase"]["plan"]["name"] == "Pro"
    assert body["previous_marketplace_purchase"]["plan"]["name"] == "Plus"
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["name"] == "Pro"
    with pytest.raises(ActionError, match="no upgrade"):
        github.fail_upgrade(alice)


async def test_a_failed_payment_hides_the_plan_for_a_while(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice, bob = github.add_user("alice"), github.add_user("bob")
    github.buy(alice, "Pro")
    github.buy(bob, "Pro")
    github.fail_payment(alice, hours=5)
    github.fail_payment(bob, hours=5)
    assert await shown(client, alice.id) is None
    assert (await client.get("/marketplace_listing/plans/1313/accounts")).body == []
    github.restore_payment(bob)
    assert await shown(client, bob.id) is not None
    clock.advance(hours=5)
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["name"] == "Pro"
    await github.settle()
    assert target.names() == ["marketplace_purchase.purchased"] * 2
