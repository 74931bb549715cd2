"""`flags`: listed, set with who did, and seen by `doctor` and by whatever spends."""

import asyncio
import json
from typing import Any

import pytest

from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import Ended, invoke
from tests.cli.seeding import OCTOCAT, Seeding

OFF = ("flags", "set", "billing_enabled", "off", "--actor", "Ada")


def answer(ended: Ended) -> Any:
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


def listed(settings: Settings) -> Any:
    return answer(invoke("flags", "list", "--json", settings=settings))


def verdict(settings: Settings) -> Any:
    """What `doctor` says of billing."""
    checks = json.loads(invoke("doctor", "--json", settings=settings).stdout)
    return next(check for check in checks if check["check"] == "billing")


async def spend_more_than_there_is(settings: Settings) -> None:
    """Octocat, who has five credits, uses seven: as a server does that has run all the while."""
    database = Database.connect(settings["DATABASE_URL"], clock=VirtualClock())
    await database.open()
    await Seeding(database, VirtualClock(), count=100).spend(OCTOCAT, 7)
    await database.close()


def test_a_flag_is_set_and_told_with_what_it_was(settings: Settings) -> None:
    assert listed(settings) == [{"flag": "billing_enabled", "value": "on", "set_at": None, "set_by": None}]

    set_off = answer(invoke(*OFF, "--json", settings=settings))
    again = answer(invoke(*OFF, "--json", settings=settings))

    assert set_off == {"flag": "billing_enabled", "before": "on", "value": "off", "set_by": "Ada"}
    assert again == set_off | {"before": "off"}
    (row,) = listed(settings)
    assert (row["value"], row["set_by"]) == ("off", "Ada")
    assert row["set_at"].endswith("Z")


def test_it_is_told_in_words(settings: Settings) -> None:
    set_off = invoke(*OFF, settings=settings)
    table = invoke("flags", "list", settings=settings).stdout.splitlines()

    assert set_off.stdout == "billing_enabled: on -> off, set by Ada\n"
    assert "Billing is off from now on" in set_off.stderr
    assert table[0].split() == ["FLAG", "VALUE", "SET", "BY"]
    assert table[1].split()[:2] == ["billing_enabled", "off"]
    set_on = invoke("flags", "set", "billing_enabled", "on", settings=settings)
    assert set_on.stderr == ""
    despite = invoke("flags", "set", "billing_enabled", "on", settings={**settings, "BILLING_ENABLED": "false"})
    assert "BILLING_ENABLED is false here" in despite.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("billing", "off"), "There is no flag 'billing'."),
        (("billing", "off"), "There is billing_enabled."),
        (("billing_enabled", "no"), "Give on or off."),
        (("billing_enabled", "OFF"), "A flag can't be 'OFF'."),
    ],
)
def test_what_is_no_flag_or_no_value_is_refused(settings: Settings, arguments: tuple[str, ...], words: str) -> None:
    ended = invoke("flags", "set", *arguments, settings=settings)

    assert ended.code == 2
    assert words in ended.stderr
    assert listed(settings)[0]["value"] == "on"


def test_with_the_flag_off_what_the_credits_do_not_cover_is_waived(seeded: Settings) -> None:
    invoke(*OFF, settings=seeded)

    asyncio.run(spend_more_than_there_is(seeded))

    entries = answer(invoke("credits", "statement", "github:@octocat", "--json", settings=seeded))
    assert [(entry["kind"], entry["balance_after"]) for entry in entries] == [("grant", 5), ("spend", 0), ("waive", 0)]
    told = answer(invoke("credits", "explain", "github:@octocat", "--json", settings=seeded))
    assert (told["available"], told["debt"], told["waived"]) == (0, 0, 2)
    words = invoke("credits", "explain", "github:@octocat", settings=seeded).stdout
    assert "While billing was off, 2 credits beyond the balance were used." in words


def test_with_the_setting_off_what_the_credits_do_not_cover_is_waived(seeded_sqlite: Settings) -> None:
    about = ("--reference", "repository:7#12", "--reason", "x")
    usage = ("credits", "usage", "github:@octocat", "7", *about, "--yes", "--json")
    now = VirtualClock().now().isoformat()

    waived = invoke(*usage, "--at", now, "--key", "a", settings={**seeded_sqlite, "BILLING_ENABLED": "false"})
    owed = invoke(*usage, "--at", now, "--key", "b", settings=seeded_sqlite)

    assert (answer(waived)["available"], answer(waived)["debt"]) == (0, 0)
    assert (answer(owed)["available"], answer(owed)["debt"]) == (0, 7)


def test_doctor_says_that_billing_is_off_and_by_what(settings: Settings) -> None:
    assert verdict(settings) == {"check": "billing", "verdict": "ok", "text": "on", "way_out": None}

    by_setting = verdict({**settings, "BILLING_ENABLED": "false"})
    invoke(*OFF, settings=settings)
    by_flag = verdict(settings)
    by_both = verdict({**settings, "BILLING_ENABLED": "false"})

    assert (by_setting["verdict"], by_setting["way_out"]) == ("warning", "Set BILLING_ENABLED=true, and restart.")
    assert by_setting["text"].startswith("OFF by the setting BILLING_ENABLED: nothing is charged")
    assert by_flag["text"].startswith("OFF by the flag billing_enabled (Ada, 20")
    assert "tallyhook flags set billing_enabled on" in by_flag["way_out"]
    assert by_both["text"].startswith("OFF by the setting BILLING_ENABLED and the flag billing_enabled (Ada, ")
