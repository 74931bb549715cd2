"""Purchases on the listing: what people and the calendar do, and what hook and API say of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.github.model import Plan
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client, Target, shown

ONLY_HOOK = "/webhooks/github/marketplace"


async def test_every_action_is_sent_by_the_description_to_the_listings_hook(
    github: GitHubStandIn, clock: VirtualClock, target: Target, contract: GitHubContract
) -> None:
    alice = github.add_user("alice", email="alice@example.com", billing_day=20)
    acme = github.add_organization("acme", owner=alice, email="billing@acme.example", billing_day=20)
    github.buy(alice, "Pro")
    github.buy(acme, "Plus")
    github.change(alice, "Free")
    github.withdraw_change(alice)
    github.change(alice, "Plus")
    github.cancel(alice)
    await github.settle()
    clock.advance(days=20)
    await github.settle()
    assert target.names() == [
        "marketplace_purchase.purchased",
        "marketplace_purchase.purchased",
        "marketplace_purchase.pending_change",
        "marketplace_purchase.pending_change_cancelled",
        "marketplace_purchase.changed",
        "marketplace_purchase.pending_change",
        "marketplace_purchase.cancelled",
        "marketplace_purchase.changed",
    ]
    assert {webhook.path for webhook in target.received} == {ONLY_HOOK}
    contract.assert_kept()


async def test_a_purchase_says_who_pays_and_who_clicked(github: GitHubStandIn, target: Target) -> None:
    alice = github.add_user("alice", email="alice@example.com")
    acme = github.add_organization("acme", owner=alice, email="billing@acme.example", billing_day=25)
    github.buy(acme, 1515, units=7)
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("purchased", "2026-01-10T00:00:00+00:00")
    assert (body["sender"]["id"], body["sender"]["email"]) == (alice.id, "alice@example.com")
    bought = body["marketplace_purchase"]
    assert bought["account"] == {
        "type": "Organization",
        "id": acme.id,
        "node_id": acme.node_id,
        "login": "acme",
        "organization_billing_email": "billing@acme.example",
    }
    assert (bought["unit_count"], bought["plan"]["id"], bought["plan"]["price_model"]) == (7, 1515, "PER_UNIT")
    assert bought["next_billing_date"] == "2026-01-25T00:00:00+00:00"
    assert "installation" not in body
    assert "previous_marketplace_purchase" not in body


async def test_a_free_plan_has_no_billing_date_and_ends_at_once(
    client: Client, github: GitHubStandIn, target: Target
) -> None:
    alice = github.add_user("alice")
    github.buy(alice, "Free", cycle="yearly")
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["next_billing_date"], bought["billing_cycle"]) == (None, "monthly")
    github.cancel(alice)
    await github.settle()
    assert await shown(client, alice.id) is None
    body = target.last().payload
    assert (body["action"], body["marketplace_purchase"]["unit_count"]) == ("cancelled", 0)
    assert body["marketplace_purchase"]["plan"]["name"] == "Free"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"plan": "Free"}, {"plan": "Pro"}),
        ({"plan": "Pro"}, {"plan": "Plus"}),
        ({"plan": "Team", "units": 2}, {"units": 3}),
        ({"plan": "Pro"}, {"cycle": "yearly"}),
    ],
)
async def test_upgrades_take_effect_at_once(
    client: Client, github: GitHubStandIn, target: Target, before: dict[str, Any], after: dict[str, Any]
) -> None:
    alice = github.add_user("alice", billing_day=25)
    github.buy(alice, **before, trial=False)
    github.change(alice, **after)
    await github.settle()
    body = target.last().payload
    assert body["action"] == "changed"
    assert body["effective_date"] == "2026-01-10T00:00:00+00:00"
    assert body["previous_marketplace_purchase"]["plan"]["name"] == before["plan"]
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert bought["plan"]["name"] == after.get("plan", before["plan"])
    assert bought["unit_count"] == after.get("units", 1)
    assert bought["next_billing_date"] == ("2026-12-25T00:00:00Z" if "cycle" in after else "2026-01-25T00:00:00Z")


@pytest.mark.parametrize(
    ("before", "after", "boundary"),
    [
        ({"plan": "Plus"}, {"plan": "Pro"}, "2026-01-25"),
        ({"plan": "Pro"}, {"plan": "Free"}, "2026-01-25"),
        ({"plan": "Team", "units": 3}, {"units": 2}, "2026-01-25"),
        ({"plan": "Pro", "cycle": "yearly"}, {"cycle": "monthly"}, "2026-12-25"),
    ],
)
async def test_downgrades_wait_for_the_end_of_the_cycle(
    client: Client,
    github: GitHubStandIn,
    clock: VirtualClock,
    target: Target,
    before: dict[str, Any],
    after: dict[str, Any],
    boundary: str,
) -> None:
    alice = github.add_user("alice", billing_day=25)
    github.buy(alice, **before, trial=False)
    github.change(alice, **after)
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("pending_change", f"{boundary}T00:00:00+00:00")
    assert body["marketplace_purchase"]["plan"]["name"] == after.get("plan", before["plan"])
    account = await shown(client, alice.id)
    assert account["marketplace_purchase"]["plan"]["name"] == before["plan"]
    assert account["marketplace_pending_change"]["plan"]["name"] == after.get("plan", before["plan"])
    assert account["marketplace_pending_change"]["effective_date"] == f"{boundary}T00:00:00Z"
    moment = datetime.fromisoformat(boundary).replace(tzinfo=UTC)
    clock.set(moment - timedelta(milliseconds=1))
    await github.settle()
    assert target.last().payload["action"] == "pending_change"
    clock.set(moment)
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("changed", f"{boundary}T00:00:00+00:00")
    account = await shown(client, alice.id)
    assert account["marketplace_pending_change"] is None
    bought = account["marketplace_purchase"]
    assert bought["plan"]["name"] == after.get("plan", before["plan"])
    assert bought["unit_count"] == after.get("units", 1)
    following = None if after.get("plan") == "Free" else (moment + timedelta(days=31)).strftime("%Y-%m-%dT00:00:00Z")
    assert bought["next_billing_date"] == following


async def test_a_paid_plan_runs_to_the_end_of_its_cycle_when_cancelled(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice = github.add_user("alice", billing_day=25)
    github.buy(alice, "Pro")
    github.cancel(alice)
    await github.settle()
    assert target.last().payload["action"] == "pending_change"
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["name"] == "Pro"
    clock.advance(days=14)
    assert (await shown(client, alice.id))["marketplace_pending_change"]["unit_count"] == 0
    clock.advance(days=1)
    assert await shown(client, alice.id) is None
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["effective_date"]) == ("cancelled", "2026-01-25T00:00:00+00:00")
    assert (body["marketplace_purchase"]["plan"]["name"], body["marketplace_purchase"]["unit_count"]) == ("Pro", 0)
    github.buy(alice, "Pro")
    assert (await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"] == "2026-02-25T00:00:00Z"


async def test_renewals_are_told_to_nobody(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice = github.add_user("alice", billing_day=31)
    github.buy(alice, "Pro")
    seen = [(await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"][:10]]
    for _ in range(3):
        clock.advance(days=31)
        seen.append((await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"][:10])
    assert seen == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    clock.advance(days=365)
    assert (await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"] == "2027-04-30T00:00:00Z"
    await github.settle()
    assert target.names() == ["marketplace_purchase.purchased"]


async def test_a_renewal_may_be_shown_late(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    github.renewal_lag = timedelta(hours=6)
    alice = github.add_user("alice", billing_day=11)
    github.buy(alice, "Pro")
    clock.set(datetime(2026, 1, 11, 5, 59, tzinfo=UTC))
    assert (await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"] == "2026-01-11T00:00:00Z"
    clock.set(datetime(2026, 1, 11, 6, 0, tzinfo=UTC))
    assert (await shown(client, alice.id))["marketplace_purchase"]["next_billing_date"] == "2026-02-11T00:00:00Z"


async def test_a_scheduled_change_may_take_effect_late(
    client: Client, github: GitHubStandIn, clock: VirtualClock
) -> None:
    github.pending_change_lag = timedelta(hours=7)
    alice = github.add_user("alice", billing_day=11)
    github.buy(alice, "Plus", trial=False)
    github.change(alice, "Pro")
    assert (await shown(client, alice.id))["marketplace_pending_change"]["effective_date"] == "2026-01-11T07:00:00Z"
    clock.set(datetime(2026, 1, 11, 6, 59, tzinfo=UTC))
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["plan"]["name"], bought["next_billing_date"]) == ("Plus", "2026-02-11T00:00:00Z")
    clock.set(datetime(2026, 1, 11, 7, 0, tzinfo=UTC))
    bought = (await shown(client, alice.id))["marketplace_purchase"]
    assert (bought["plan"]["name"], bought["next_billing_date"]) == ("Pro", "2026-02-11T00:00:00Z")


async def test_a_withdrawn_change_never_happens(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice = github.add_user("alice", billing_day=25)
    github.buy(alice, "Pro")
    github.cancel(alice)
    github.withdraw_change(alice)
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["marketplace_purchase"]["plan"]["name"]) == ("pending_change_cancelled", "Pro")
    assert body["marketplace_purchase"]["unit_count"] == 1
    clock.advance(days=60)
    await github.settle()
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["name"] == "Pro"
    assert target.last().payload["action"] == "pending_change_cancelled"


async def test_what_is_due_happens_in_order_over_a_long_jump(
    client: Client, github: GitHubStandIn, clock: VirtualClock, target: Target
) -> None:
    alice, bob = github.add_user("alice", billing_day=20), github.add_user("bob", billing_day=15)
    github.buy(alice, "Pro")
    github.buy(bob, "Plus", trial=False)
    github.cancel(alice)
    github.change(bob, "Pro")
    clock.advance(days=400)
    await github.settle()
    assert [webhook.payload["effective_date"][:10] for webhook in target.received[-2:]] == ["2026-01-15", "2026-01-20"]
    assert target.names()[-2:] == ["marketplace_purchase.changed", "marketplace_purchase.cancelled"]
    assert await shown(client, alice.id) is None
    assert (await shown(client, bob.id))["marketplace_purchase"]["next_billing_date"] == "2027-02-15T00:00:00Z"


async def test_a_date_comes_without_anybody_asking(
    github: GitHubStandIn, clock: VirtualClock, target: Target, client: Client
) -> None:
    alice = github.add_user("alice", billing_day=20)
    github.buy(alice, "Pro")
    github.cancel(alice)
    await github.settle()
    clock.advance(days=10)
    for _ in range(10_000):
        if target.names()[-1] == "marketplace_purchase.cancelled":
            break
        await client.get("/rate_limit")
    assert target.names()[-1] == "marketplace_purchase.cancelled"


async def test_installed_is_shown(client: Client, github: GitHubStandIn) -> None:
    alice = github.add_user("alice")
    github.buy(alice, "Pro")
    assert not (await shown(client, alice.id))["marketplace_purchase"]["is_installed"]
    github.install(alice)
    assert (await shown(client, alice.id))["marketplace_purchase"]["is_installed"]
    github.uninstall(alice)
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["name"] == "Pro"


async def test_a_retired_plan_stays_with_those_who_have_it(client: Client, github: GitHubStandIn) -> None:
    alice, bob = github.add_user("alice"), github.add_user("bob")
    github.buy(alice, "Pro")
    github.retire_plan("Pro")
    github.add_plan(
        Plan(
            id=1314,
            number=5,
            name="Pro 2",
            description="Dearer",
            price_model="FLAT_RATE",
            monthly_price_in_cents=69_900,
            yearly_price_in_cents=699_000,
        )
    )
    assert (await shown(client, alice.id))["marketplace_purchase"]["plan"]["state"] == "retired"
    listed = {plan["id"]: plan["state"] for plan in (await client.get("/marketplace_listing/plans")).body}
    assert (listed[1313], listed[1314]) == ("retired", "published")
    with pytest.raises(ActionError, match="isn't for sale"):
        github.buy(bob, 1313)
    github.change(alice, "Pro 2")
    with pytest.raises(ActionError, match="plan id 1314 is taken"):
        github.add_plan(github.state.plan("Pro 2"))


def test_what_githubs_pages_would_not_offer_is_refused(clock: VirtualClock, plans: list[Plan]) -> None:
    github = GitHubStandIn(clock, plans=plans)
    alice = github.add_user("alice")
    for act in (github.cancel, github.withdraw_change, github.change, github.fail_upgrade):
        with pytest.raises(ActionError, match="bought nothing"):
            act(alice)
    with pytest.raises(ActionError, match="no plan 'Gold'"):
        github.buy(alice, "Gold")
    with pytest.raises(ActionError, match="one unit or more"):
        github.buy(alice, "Pro", units=2)
    with pytest.raises(ActionError, match="one unit or more"):
        github.buy(alice, "Team", units=0)
    with pytest.raises(ActionError, match="no free trial"):
        github.buy(alice, "Pro", trial=True)
    github.buy(alice, "Pro")
    with pytest.raises(ActionError, match="has a plan already"):
        github.buy(alice, "Free")
    with pytest.raises(ActionError, match="has already"):
        github.change(alice, "Pro")
    with pytest.raises(ActionError, match="no change is scheduled"):
        github.withdraw_change(alice)
