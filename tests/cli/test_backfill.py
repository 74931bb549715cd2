"""`credits backfill`: what was due and never granted is told, asked about, and granted once."""

import asyncio
import json
from typing import Any

import pytest

from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import Ended, invoke
from tests.cli.seeding import ACME, Seeding, user
from tests.storage.raw import execute

DRY = ("credits", "backfill", "--dry-run")
GRANT = ("credits", "backfill", "--reason", "the outage", "--actor", "Ada", "--yes")


def answer(ended: Ended) -> Any:
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def with_missing(seeded: Settings) -> Settings:
    """Two customers lack something: one installed and never signed up, and Acme's month was granted in part."""

    async def lose() -> None:
        url = seeded["DATABASE_URL"]
        database = Database.connect(url, clock=VirtualClock())
        await database.open()
        seeding = Seeding(database, VirtualClock(), count=100)
        await seeding.buy(user(5, "five"))
        customer_id = await seeding.customer(user(5, "five"))
        acme = await seeding.customer(ACME)
        await database.close()
        await execute(
            url,
            "INSERT INTO installations (id, customer_id, state, repository_selection, observation, created_at) "
            "VALUES (99, :customer_id, 'active', 'all', 1, 1)",
            customer_id=customer_id,
        )
        await execute(
            url,
            "UPDATE subscriptions SET period_granted = period_granted - 7 WHERE customer_id = :customer_id",
            customer_id=acme,
        )

    asyncio.run(lose())
    return seeded


def balance(settings: Settings, reference: str) -> int:
    return int(answer(invoke("customers", "show", reference, "--json", settings=settings))["credits"]["available"])


def test_nothing_is_missing_where_all_went_well(seeded: Settings) -> None:
    ended = invoke(*DRY, settings=seeded)

    assert (ended.code, ended.stdout) == (0, "")
    assert "Nothing is missing." in ended.stderr
    assert answer(invoke(*GRANT, "--json", settings=seeded)) == []


def test_a_dry_run_tells_what_and_why_and_grants_nothing(with_missing: Settings) -> None:
    before = balance(with_missing, "github:@acme"), balance(with_missing, "github:@five")

    found = {each["github_login"]: each for each in answer(invoke(*DRY, "--json", settings=with_missing))}
    lines = invoke(*DRY, settings=with_missing).stdout.splitlines()
    one = answer(invoke("credits", "backfill", "github:@five", "--dry-run", "--json", settings=with_missing))

    assert set(found) == {"acme", "five"}
    (plan,), (signup,) = found["acme"]["missing"], found["five"]["missing"]
    assert (plan["origin"], plan["amount"], signup["origin"], signup["amount"]) == ("plan", 7, "signup", 5)
    assert (signup["key"], signup["expires_at"]) == ("signup", None)
    assert plan["key"].startswith("plan:github_marketplace:")
    assert [each["entries"] for each in found.values()] == [[], []]
    assert one == [found["five"]]
    assert any("five: 5 credits are missing, because it installed the App and never got" in line for line in lines)
    assert any("acme: 7 credits are missing, because its plan's running period" in line for line in lines)
    assert (balance(with_missing, "github:@acme"), balance(with_missing, "github:@five")) == before


def test_what_is_missing_is_granted_once_with_its_reason(with_missing: Settings) -> None:
    acme, five = balance(with_missing, "github:@acme"), balance(with_missing, "github:@five")

    granted = answer(invoke(*GRANT, "--json", settings=with_missing))
    again = invoke(*GRANT, settings=with_missing)

    assert all(each["entries"] for each in granted)
    assert again.stdout == ""
    assert "Nothing is missing." in again.stderr
    assert (balance(with_missing, "github:@acme"), balance(with_missing, "github:@five")) == (acme + 7, five + 5)
    last = answer(invoke("credits", "statement", "github:@five", "--json", settings=with_missing))[-1]
    assert (last["kind"], last["key"], last["reason"], last["actor_name"]) == ("grant", "signup", "the outage", "Ada")
    assert invoke("verify", settings=with_missing).code == 0


def test_it_is_asked_before_and_told_behind(with_missing: Settings) -> None:
    refused = invoke("credits", "backfill", "--reason", "x", settings=with_missing)
    nameless = invoke("credits", "backfill", "--yes", settings=with_missing)
    done = invoke(*GRANT, settings=with_missing)

    assert refused.code == 2
    assert "Grant 12 credits to 2 customers? Nobody is there to ask." in refused.stderr
    assert "5 credits are missing" in refused.stderr
    assert nameless.code == 2
    assert "--reason" in nameless.stderr
    assert sorted(line.partition(": ")[2] for line in done.stdout.splitlines()) == [
        "5 credits granted",
        "7 credits granted",
    ]


def test_nobody_is_nobody(seeded_sqlite: Settings) -> None:
    ended = invoke("credits", "backfill", "github:@nobody", "--dry-run", settings=seeded_sqlite)

    assert ended.code == 1
    assert "There is no customer github:@nobody." in ended.stderr
