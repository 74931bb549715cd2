"""Marketplace deliveries become one command each, whose plan is GitHub's answer and never the payload."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.commands import FollowMarketplace, GitHubAccount, Ignore, MarketplaceHint
from billing.values import GitHubAccountId
from tests.handlers.golden import Golden, golden
from tests.handlers.surroundings import CAUSE, AnsweringGitHub, a_purchase, commands_of, event_of

ACTIONS = ["purchased", "changed", "pending_change", "pending_change_cancelled", "cancelled"]


def altered(delivery: Golden, **purchase: Any) -> bytes:
    """The payload with other fields in its purchase."""
    payload = json.loads(delivery.body)
    payload["marketplace_purchase"] |= purchase
    return json.dumps(payload).encode()


@pytest.mark.parametrize("variant", ["full", "bare"])
@pytest.mark.parametrize("action", ACTIONS)
async def test_each_action_follows_what_github_says(action: str, variant: str) -> None:
    delivery = golden("marketplace_purchase", action, variant=variant)
    named = delivery.payload["marketplace_purchase"]
    account = GitHubAccount(id=GitHubAccountId(named["account"]["id"]), login="octo-org", type="Organization")
    truth = a_purchase(account)
    github = AnsweringGitHub(purchases={account.id: truth})

    commands = await commands_of(event_of(delivery), github)

    hint = MarketplaceHint(
        action=action, marketplace_plan_id=named["plan"]["id"], effective_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    assert commands == [FollowMarketplace(account=account, truth=truth, hint=hint, cause=CAUSE)]
    assert github.asked == [account.id]


async def test_no_plan_at_github_is_told_as_such() -> None:
    [command] = await commands_of(event_of(golden("marketplace_purchase", "cancelled")))
    assert isinstance(command, FollowMarketplace)
    assert command.truth is None


@pytest.mark.parametrize("action", ACTIONS)
async def test_the_quirks_of_real_payloads_change_nothing(action: str) -> None:
    delivery = golden("marketplace_purchase", action)
    body = altered(delivery, unit_count=0, next_billing_date=None, on_free_trial=None, free_trial_ends_on=None)
    payload = json.loads(body)
    del payload["sender"]
    payload["marketplace_purchase"]["plan"]["price_model"] = "flat-rate"
    payload["marketplace_purchase"]["account"].pop("node_id")
    [command] = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert isinstance(command, FollowMarketplace)
    assert command.hint.marketplace_plan_id == payload["marketplace_purchase"]["plan"]["id"]


@pytest.mark.parametrize(
    "account",
    [
        None,
        {},
        {"id": None},
        {"id": "103"},
        {"id": 0},
        {"id": -1},
        {"id": 2**63},
        {"id": True},
        {"id": 1.5},
        [],
        "octo",
        {"id": {}},
    ],
)
async def test_a_delivery_without_an_account_is_ignored_with_the_reason(account: Any) -> None:
    delivery = golden("marketplace_purchase", "purchased")
    github = AnsweringGitHub()
    commands = await commands_of(event_of(delivery, body=altered(delivery, account=account)), github)
    assert commands == [Ignore(reason="the delivery names no account", cause=CAUSE)]
    assert github.asked == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017-10-25T00:00:00+00:00", datetime(2017, 10, 25, tzinfo=UTC)),
        ("2017-04-06T02:01:16Z", datetime(2017, 4, 6, 2, 1, 16, tzinfo=UTC)),
        ("2021-05-06T07:00:00.123456Z", datetime(2021, 5, 6, 7, 0, 0, 123000, tzinfo=UTC)),
        ("2021-05-06T09:00:00+02:00", datetime(2021, 5, 6, 7, tzinfo=UTC)),
        ("2021-05-06", datetime(2021, 5, 6, tzinfo=UTC)),
        ("2021-05-06T07:00:00", datetime(2021, 5, 6, 7, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("1970-01-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1508889600, None),
    ],
)
async def test_any_date_is_read_or_left_out(text: Any, moment: datetime | None) -> None:
    delivery = golden("marketplace_purchase", "purchased")
    payload = {**delivery.payload, "effective_date": text}
    [command] = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert isinstance(command, FollowMarketplace)
    assert command.hint.effective_at == moment


@pytest.mark.parametrize("login", ["nul\x00l", "\ud800", "x" * 256, 5, None])
async def test_a_login_that_cannot_be_stored_is_left_out(login: Any) -> None:
    delivery = golden("marketplace_purchase", "purchased")
    body = altered(delivery, account={"id": 103, "login": login, "type": "User"})
    [command] = await commands_of(event_of(delivery, body=body))
    assert isinstance(command, FollowMarketplace)
    assert command.account == GitHubAccount(id=GitHubAccountId(103), login="", type="User")
