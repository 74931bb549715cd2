"""`checkpoint` puts what was booked under a signed digest, once, and tells the digests there are."""

import asyncio
import base64
import json
import re

import pytest

from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import invoke
from tests.cli.seeding import ACME, Seeding

KEY = base64.b64encode(bytes(range(32))).decode()
KEY_ID = "56475aa75463474c"


@pytest.fixture
def signing(seeded: Settings) -> Settings:
    """Two customers, and a key."""
    return {**seeded, "LEDGER_SIGNING_KEY": KEY}


def book_another(url: str) -> None:
    """Have something booked, which can be done once."""

    async def spend() -> None:
        database = Database.connect(url, clock=VirtualClock())
        await database.open()
        seeding = Seeding(database, VirtualClock())
        seeding.count = 77
        await seeding.spend(ACME, 1)
        await database.close()

    asyncio.run(spend())


def test_it_is_made_once_of_what_was_booked(signing: Settings) -> None:
    first = invoke("checkpoint", settings=signing)
    again = invoke("checkpoint", settings=signing)
    book_another(signing["DATABASE_URL"])
    second = invoke("checkpoint", "--json", settings=signing)
    nothing = invoke("checkpoint", "--json", settings=signing)

    header, row = first.stdout.splitlines()
    assert header.split() == ["NUMBER", "MADE", "ACCOUNTS", "KEY", "DIGEST"]
    assert re.fullmatch(rf"\s+1  \S+ \S+Z\s+2  {KEY_ID}  [0-9a-f]{{64}}", row)
    assert (again.code, again.stdout) == (0, "")
    assert "Nothing was booked since the newest checkpoint" in again.stderr
    (made,) = json.loads(second.stdout)
    assert list(made) == ["number", "made_at", "accounts", "digest", "key_id", "signature"]
    assert (made["number"], made["accounts"], made["key_id"], len(made["signature"])) == (2, 1, KEY_ID, 128)
    assert json.loads(nothing.stdout) == []
    assert invoke("verify", settings=signing).code == 0


def test_the_newest_are_listed_first(signing: Settings) -> None:
    assert invoke("checkpoint", "--list", settings=signing).stderr == "No checkpoint was made yet.\n"
    invoke("checkpoint", settings=signing)
    book_another(signing["DATABASE_URL"])
    invoke("checkpoint", settings=signing)

    # Listing takes no key.
    found = json.loads(invoke("checkpoint", "--list", "--json", settings={**signing, "LEDGER_SIGNING_KEY": ""}).stdout)
    limited = json.loads(invoke("checkpoint", "--list", "--limit", "1", "--json", settings=signing).stdout)

    assert [each["number"] for each in found] == [2, 1]
    assert limited == found[:1]


def test_without_a_key_none_is_made(seeded: Settings) -> None:
    ended = invoke("checkpoint", settings=seeded)

    assert (ended.code, ended.stdout) == (1, "")
    assert "LEDGER_SIGNING_KEY is absent" in ended.stderr
    assert "openssl rand -base64 32" in ended.stderr
    assert json.loads(invoke("checkpoint", "--list", "--json", settings=seeded).stdout) == []


def test_a_new_key_signs_and_the_old_one_still_counts(signing: Settings) -> None:
    invoke("checkpoint", settings=signing)
    new = base64.b64encode(bytes(32)).decode()
    book_another(signing["DATABASE_URL"])
    both = {**signing, "LEDGER_SIGNING_KEY": f"{new},{KEY}"}

    (made,) = json.loads(invoke("checkpoint", "--json", settings=both).stdout)

    assert made["key_id"] != KEY_ID
    assert invoke("verify", settings=both).code == 0
    without_the_old = invoke("verify", settings={**signing, "LEDGER_SIGNING_KEY": new})
    assert without_the_old.code == 1
    assert f"checkpoint 1: names the key {KEY_ID}, which is none of ours" in without_the_old.stdout
    assert "If the key was changed, append the old one: LEDGER_SIGNING_KEY=NEW,OLD." in without_the_old.stdout
    assert "this account" not in without_the_old.stdout
    elsewhere = invoke("verify", "--expect", f"99:{'a' * 64}", settings=both)
    assert elsewhere.code == 1
    assert "See that number and digest belong to this database" in elsewhere.stdout
    assert "this account" not in elsewhere.stdout
