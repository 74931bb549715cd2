"""`customers list` and `show`: the promised fields, by every kind of reference, on both engines."""

import asyncio
import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from billing.commands import PendingChange
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import invoke
from tests.cli.seeding import ACME, Seeding, user

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

WHOLE = {
    "id",
    "github_account_id",
    "github_login",
    "email",
    "source",
    "plan",
    "figures_in_public",
    "subscriptions",
    "credits",
    "installations",
    "stripe_customer_id",
    "stripe_payment_method_id",
    "billing_consent_given",
    "billing_consent_at",
}


def shown(settings: Settings, reference: str) -> dict[str, Any]:
    ended = invoke("customers", "show", reference, "--json", settings=settings)
    assert (ended.code, ended.stderr) == (0, "")
    record: dict[str, Any] = json.loads(ended.stdout)
    return record


def test_show_prints_the_promised_fields(seeded: Settings) -> None:
    record = shown(seeded, "github:@acme")

    (subscription,) = record["subscriptions"]
    plan_grant, signup_grant = record["credits"].pop("grants")
    (installation,) = record["installations"]
    assert set(record) == WHOLE
    assert (record["github_account_id"], record["github_login"], record["plan"]) == (ACME.id, "acme", "pro")
    assert (record["email"], record["stripe_customer_id"], record["stripe_payment_method_id"]) == (None, None, None)
    assert (record["billing_consent_given"], record["billing_consent_at"]) == (False, None)
    assert record["figures_in_public"] is False
    assert MOMENT.fullmatch(subscription.pop("current_period_end"))
    assert subscription == {
        "provider": "github_marketplace",
        "plan": "pro",
        "state": "active",
        "pending_plan": None,
        "pending_effective_at": None,
        "cancel_at_period_end": False,
        "linked_subscription_id": None,
    }
    assert record["credits"] == {
        "available": plan_grant["remaining"] + signup_grant["remaining"],
        "held": 0,
        "debt": 0,
    }
    assert MOMENT.fullmatch(plan_grant.pop("expires_at"))
    assert plan_grant.pop("amount") == plan_grant.pop("remaining") + 3
    assert plan_grant == {"id": 2, "origin": "plan", "category": "paid", "held": 0}
    assert signup_grant == {
        "id": 1,
        "origin": "signup",
        "category": "promotional",
        "amount": 5,
        "remaining": 5,
        "held": 0,
        "expires_at": None,
    }
    assert MOMENT.fullmatch(installation.pop("created_at"))
    assert installation == {"id": 77, "state": "active", "repository_selection": "all"}


def test_each_kind_of_reference_finds_the_same_one(seeded_sqlite: Settings) -> None:
    by_login = shown(seeded_sqlite, "github:@ACME")

    assert shown(seeded_sqlite, f"github:{ACME.id}") == by_login
    assert shown(seeded_sqlite, str(by_login["id"])) == by_login


def test_list_prints_the_newest_first(seeded: Settings) -> None:
    ended = invoke("customers", "list", "--json", settings=seeded)
    one = invoke("customers", "list", "--json", "--limit", "1", settings=seeded)

    octocat, acme = json.loads(ended.stdout)
    assert (octocat["github_login"], octocat["plan"], octocat["source"]) == ("octocat", "trial", "github_installation")
    assert (acme["github_login"], acme["plan"]) == ("acme", "pro")
    assert octocat["credits"] == {"available": 5, "held": 0, "debt": 0}
    assert set(octocat) == {"id", "github_account_id", "github_login", "email", "source", "plan", "credits"}
    assert json.loads(one.stdout) == [octocat]


def test_people_get_the_same_in_words(seeded_sqlite: Settings) -> None:
    listed = invoke("customers", "list", settings=seeded_sqlite)
    whole = invoke("customers", "show", "github:@acme", settings=seeded_sqlite)

    assert listed.stdout.splitlines()[0].split() == ["ID", "GITHUB", "ACCOUNT", "LOGIN", "PLAN", "CREDITS", "SOURCE"]
    assert "github_marketplace: pro, active" in whole.stdout
    assert "signup" in whole.stdout
    assert re.search(r"^plan +pro$", whole.stdout, re.MULTILINE)
    assert re.search(r"^figures +hidden in public repositories$", whole.stdout, re.MULTILINE)


def test_an_account_chooses_whether_its_figures_are_shown_and_can_choose_again(seeded: Settings) -> None:
    before = shown(seeded, "github:@acme")

    def choose(choice: str) -> Any:
        ended = invoke("customers", "figures", "github:@acme", choice, "--json", settings=seeded)
        assert ended.code == 0, ended.stderr
        assert "acme (Organization 6811672 at GitHub)" in ended.stderr
        return json.loads(ended.stdout)

    is_shown = {"customer_id": before["id"], "figures_in_public": True, "changed": True}
    assert choose("shown") == is_shown
    assert choose("shown") == is_shown | {"changed": False}
    assert shown(seeded, "github:@acme") == before | {"figures_in_public": True}
    assert shown(seeded, "github:@octocat")["figures_in_public"] is False
    assert choose("hidden") == is_shown | {"figures_in_public": False}
    # No entry was written for any of it.
    assert shown(seeded, "github:@acme") == before


def test_a_choice_is_told_in_words(seeded_sqlite: Settings) -> None:
    said = [
        invoke("customers", "figures", "github:@octocat", choice, settings=seeded_sqlite).stdout
        for choice in ("shown", "shown", "hidden")
    ]

    assert [line.split(".")[0] for line in said] == [
        "In public repositories figures are shown",
        "In public repositories figures are shown, as before",
        "In public repositories no figures are shown",
    ]
    assert "shown in public" not in invoke("customers", "show", "github:@octocat", settings=seeded_sqlite).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("github:@octocat",), 2, "shown|hidden"),
        (("github:@octocat", "perhaps"), 2, "'perhaps' is not one of 'shown', 'hidden'"),
        (("github:@nobody", "shown"), 1, "There is no customer github:@nobody."),
    ],
)
def test_a_choice_of_nobody_or_of_nothing_is_refused(
    seeded_sqlite: Settings, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = invoke("customers", "figures", *arguments, settings=seeded_sqlite)

    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.stderr


@pytest.mark.parametrize("reference", ["99", "github:1", "github:@nobody", "stripe:cus_1", "someone@example.com"])
def test_nobody_is_told_with_the_way_out(seeded_sqlite: Settings, reference: str) -> None:
    ended = invoke("customers", "show", reference, settings=seeded_sqlite)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"error: There is no customer {reference}.",
        "       See `tallyhook customers list`; name one by its id, github:ACCOUNT-ID or github:@LOGIN.",
    ]


def test_an_empty_database_has_an_empty_list(settings: Settings) -> None:
    as_json = invoke("customers", "list", "--json", settings=settings)
    as_text = invoke("customers", "list", settings=settings)

    assert json.loads(as_json.stdout) == []
    assert (as_text.code, as_text.stdout, as_text.stderr) == (0, "", "There are no customers yet.\n")


@pytest.mark.parametrize(
    ("plan_id", "plan", "words"), [(1111, "trial", "it changes to trial on {}"), (None, None, "it ends on {}")]
)
def test_a_pending_change_is_shown(seeded_sqlite: Settings, plan_id: int | None, plan: str | None, words: str) -> None:
    clock = VirtualClock()
    day = (clock.now() + timedelta(days=10)).date()

    async def schedule() -> None:
        database = Database.connect(seeded_sqlite["DATABASE_URL"], clock=clock)
        await database.open()
        pending = PendingChange(
            marketplace_plan_id=plan_id,
            plan_name="",
            unit_count=1,
            effective_at=datetime.combine(day, time(), tzinfo=UTC),
        )
        await Seeding(database, clock, count=100).buy(ACME, pending=pending)
        await database.close()

    asyncio.run(schedule())
    (subscription,) = shown(seeded_sqlite, "github:@acme")["subscriptions"]

    assert (subscription["pending_plan"], subscription["cancel_at_period_end"]) == (plan, plan is None)
    assert subscription["pending_effective_at"] == f"{day}T00:00:00.000Z"
    assert words.format(day) in invoke("customers", "show", "github:@acme", settings=seeded_sqlite).stdout


def test_a_plan_that_nobody_knows_is_shown_as_such(seeded_sqlite: Settings) -> None:
    async def buy() -> None:
        clock = VirtualClock()
        database = Database.connect(seeded_sqlite["DATABASE_URL"], clock=clock)
        await database.open()
        await Seeding(database, clock, count=100).buy(user(5, "five"), plan_id=4242)
        await database.close()

    asyncio.run(buy())
    record = shown(seeded_sqlite, "github:@five")

    assert (record["plan"], record["subscriptions"][0]["plan"]) == ("trial", None)
    assert "unknown plan, active" in invoke("customers", "show", "github:@five", settings=seeded_sqlite).stdout
