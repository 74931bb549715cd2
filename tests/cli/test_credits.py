"""`credits`: the statement, the explanation, and corrections that happen once, on both engines."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.values import NEVER
from bot.cli.corrections import last_moment_of
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import Ended, invoke
from tests.cli.seeding import ACME, Seeding, seed, user

GRANT = ("credits", "grant", "github:@octocat", "7", "--reason", "sorry for the outage")


def answer(ended: Ended) -> Any:
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


def balance(settings: Settings, reference: str = "github:@octocat") -> int:
    record = answer(invoke("customers", "show", reference, "--json", settings=settings))
    return int(record["credits"]["available"])


def test_the_statement_has_every_entry_with_the_balance_after_it(seeded: Settings) -> None:
    entries = answer(invoke("credits", "statement", "github:@acme", "--json", settings=seeded))
    last = answer(invoke("credits", "statement", "github:@acme", "--limit", "1", "--json", settings=seeded))

    assert [(entry["entry"], entry["kind"]) for entry in entries] == [(1, "grant"), (2, "grant"), (3, "spend")]
    assert [entry["amount"] for entry in entries][::2] == [5, -3]
    assert [entry["balance_after"] for entry in entries] == [5, 5 + entries[1]["amount"], 2 + entries[1]["amount"]]
    assert entries[2]["moves"] == [{"debit": "grant", "credit": "used", "grant": 2, "amount": 3}]
    assert (entries[2]["reference"], entries[2]["reason"], entries[2]["actor_name"]) == ("repository:7#12", None, None)
    assert all(re.fullmatch(r"[0-9a-f]{64}", entry["hash"]) for entry in entries)
    assert last == entries[-1:]


def test_a_statement_reads_well(seeded_sqlite: Settings) -> None:
    invoke(*GRANT, "--actor", "Ada", "--yes", settings=seeded_sqlite)

    lines = invoke("credits", "statement", "github:@octocat", settings=seeded_sqlite).stdout.splitlines()

    assert lines[0].split() == ["ENTRY", "BOOKED", "KIND", "AMOUNT", "BALANCE", "WHAT", "ACTOR", "REFERENCE", "REASON"]
    assert lines[-1].endswith("sorry for the outage (Ada)")
    assert " +7 " in lines[-1]
    assert "terms:" not in "".join(lines)


def test_a_grant_happens_once_by_its_key(seeded: Settings) -> None:
    first = answer(invoke(*GRANT, "--key", "ticket-9", "--yes", "--json", settings=seeded))
    again = answer(invoke(*GRANT, "--key", "ticket-9", "--yes", "--json", settings=seeded))
    other = invoke(*GRANT[:3], "8", *GRANT[4:], "--key", "ticket-9", "--yes", settings=seeded)

    assert first == {
        "customer_id": first["customer_id"],
        "amount": 7,
        "key": "ticket-9",
        "entries": [2],
        "replayed": False,
        "repaid": 0,
        "available": 12,
        "held": 0,
        "debt": 0,
    }
    assert again == first | {"replayed": True}
    assert other.code == 1
    assert "was used before for another request" in other.stderr
    assert "--key" in other.stderr.splitlines()[-1]
    assert balance(seeded) == 12


def test_each_grant_without_a_key_is_another_one(seeded_sqlite: Settings) -> None:
    keys = {answer(invoke(*GRANT, "--yes", "--json", settings=seeded_sqlite))["key"] for _ in range(2)}

    assert len(keys) == 2
    assert balance(seeded_sqlite) == 5 + 7 + 7


def test_granted_credits_expire_after_their_last_day(seeded: Settings) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date()  # noqa: TID251 -- the program under test has the machine's clock

    answer(invoke(*GRANT, "--expires", day.isoformat(), "--yes", "--json", settings=seeded))

    record = answer(invoke("customers", "show", "github:@octocat", "--json", settings=seeded))
    granted = next(grant for grant in record["credits"]["grants"] if grant["origin"] == "goodwill")
    assert granted["expires_at"] == f"{day + timedelta(days=1)}T00:00:00.000Z"


def test_the_last_day_is_included() -> None:
    assert last_moment_of("2027-12-31") == datetime(2028, 1, 1, tzinfo=UTC)
    assert last_moment_of("") == NEVER


def test_a_revocation_takes_back_what_is_there_and_no_more(seeded: Settings) -> None:
    revoke = ("credits", "revoke", "github:@octocat", "--reason", "by mistake", "--yes")

    done = answer(invoke(*revoke, "4", "--json", settings=seeded))
    refused = invoke(*revoke, "2", "--key", "second", settings=seeded)
    again = invoke(*revoke, "2", "--key", "second", settings=seeded)

    assert (done["amount"], done["available"]) == (-4, 1)
    assert (refused.code, again.code) == (1, 1)
    assert "error: 2 credits were asked for, 1 are available." in refused.stderr
    assert refused.stderr == again.stderr
    assert balance(seeded) == 1


def test_without_a_terminal_nothing_happens_unless_agreed_to(seeded_sqlite: Settings) -> None:
    refused = invoke(*GRANT, settings=seeded_sqlite)

    assert refused.code == 2
    assert "octocat (User 583231 at GitHub)" in refused.stderr
    assert "plan Trial, 5 credits available" in refused.stderr
    assert "Say yes by --yes." in refused.stderr
    assert balance(seeded_sqlite) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("github:@octocat", "0", "--reason", "x"), "0 is no number of credits"),
        (("github:@octocat", "1"), "--reason"),
        (("github:@octocat", "1", "--reason", "  "), "1 to 1000 characters"),
        (("github:@octocat", "1", "--reason", "x", "--expires", "soon"), "year-month-day"),
        (("github:@octocat", "1", "--reason", "x", "--expires", "2020-01-01"), "past"),
        (("github:@octocat", "1", "--reason", "x", "--key", "k" * 201), "200 printable"),
    ],
)
def test_a_wrong_grant_is_refused_before_anything(
    seeded_sqlite: Settings, arguments: tuple[str, ...], words: str
) -> None:
    ended = invoke("credits", "grant", *arguments, "--yes", settings=seeded_sqlite)

    assert ended.code == 2
    assert words in ended.stderr
    assert balance(seeded_sqlite) == 5


def test_an_ambiguous_login_is_told_with_the_ids(seeded_sqlite: Settings) -> None:
    async def reuse_the_login() -> None:
        clock = VirtualClock()
        database = Database.connect(seeded_sqlite["DATABASE_URL"], clock=clock)
        await database.open()
        await Seeding(database, clock, count=100).install(user(999, "ACME"), installation_id=99)
        await database.close()

    asyncio.run(reuse_the_login())
    ended = invoke("credits", "grant", "github:@acme", "1", "--reason", "x", "--yes", settings=seeded_sqlite)

    assert ended.code == 1
    assert "fits more than one account" in ended.stderr
    assert f"github:{ACME.id}" in ended.stderr
    assert "github:999" in ended.stderr


def test_an_explanation_accounts_for_every_credit(seeded: Settings) -> None:
    invoke("credits", "revoke", "github:@acme", "4", "--reason", "x", "--yes", settings=seeded)

    told = answer(invoke("credits", "explain", "github:@acme", "--json", settings=seeded))

    assert told["available"] == sum(grant["left"] for grant in told["grants"])
    for grant in told["grants"]:
        parts = ("spent", "repaid", "revoked", "expired", "held", "left")
        assert grant["amount"] == sum(grant[part] for part in parts)
    plan_grant = next(grant for grant in told["grants"] if grant["origin"] == "plan")
    assert (plan_grant["spent"], plan_grant["revoked"]) == (3, 4)
    assert told["next_to_expire"] == {
        "grant": plan_grant["id"],
        "amount": plan_grant["left"],
        "at": plan_grant["expires_at"],
    }
    assert [reason["reason"] for reason in told["reasons"]] == ["period_prorated"]


def test_an_explanation_says_why_there_is_not_more(seeded_sqlite: Settings) -> None:
    async def buy_only() -> None:
        clock = VirtualClock()
        database = Database.connect(seeded_sqlite["DATABASE_URL"], clock=clock)
        await database.open()
        await Seeding(database, clock, count=100).buy(user(5, "five"), plan_id=4242)
        await database.close()

    asyncio.run(buy_only())
    told = answer(invoke("credits", "explain", "github:@five", "--json", settings=seeded_sqlite))
    words = invoke("credits", "explain", "github:@five", settings=seeded_sqlite).stdout

    assert {reason["reason"] for reason in told["reasons"]} == {"signup_awaited", "plan_unknown"}
    assert "GitHub shows plan 4242, which isn't in the catalogue" in words
    assert "five has 0 credits to spend, on the plan Trial." in words
    assert "Nothing was ever granted." in words


def test_a_missing_catalogue_is_told(sqlite_url: str) -> None:
    asyncio.run(seed(sqlite_url))

    ended = invoke("customers", "list", settings={"DATABASE_URL": sqlite_url, "PLANS_FILE": "nowhere.toml"})

    assert ended.code == 1
    assert "nowhere.toml: isn't there" in ended.stderr
    assert "PLANS_FILE" in ended.stderr
