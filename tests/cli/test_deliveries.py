"""`deliveries`, `effects` and `alarms`: what came in, what goes out, and what wants a person, on both engines."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from billing.records import Alarm
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import NewEffect
from tests.cli.conftest import Settings
from tests.cli.running import Ended, invoke
from tests.cli.seeding import ACME, Seeding


def answer(ended: Ended) -> Any:
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


def within(settings: Settings, work: Callable[[Database, VirtualClock], Awaitable[None]]) -> None:
    """Do something in the database as the server would."""

    async def run() -> None:
        clock = VirtualClock()
        database = Database.connect(settings["DATABASE_URL"], clock=clock)
        await database.open()
        await work(database, clock)
        await database.close()

    asyncio.run(run())


async def bury_a_delivery(database: Database, clock: VirtualClock) -> None:
    await Seeding(database, clock, count=200).receive("github", "installation", "suspend", ACME)
    (claimed,) = await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=30)
    await database.inbox.bury(claimed, error="a bug: KeyError")
    await database.inbox.release([claimed.lease])


def test_deliveries_are_listed_by_state_and_route(seeded: Settings) -> None:
    within(seeded, bury_a_delivery)

    everything = answer(invoke("deliveries", "list", "--json", settings=seeded))
    dead = answer(invoke("deliveries", "list", "--state", "dead", "--json", settings=seeded))
    bought = answer(invoke("deliveries", "list", "--route", "github_marketplace", "--json", settings=seeded))
    older = answer(invoke("deliveries", "list", "--before", str(everything[0]["id"]), "--json", settings=seeded))

    lines = invoke("deliveries", "list", settings=seeded).stdout.splitlines()
    assert lines[0].split() == ["ID", "RECEIVED", "ROUTE", "ABOUT", "EVENT", "STATE", "ATTEMPTS", "ERROR"]
    about, *words = lines[1].split()[-7:]
    assert re.fullmatch(r"github:\d+", about)
    assert words == ["installation.suspend", "dead", "1", "a", "bug:", "KeyError"]
    assert [row["state"] for row in everything] == ["dead", "done", "done", "done"]
    assert dead == everything[:1]
    assert older == everything[1:]
    assert set(dead[0]) == {
        "id",
        "route",
        "delivery_id",
        "event",
        "action",
        "state",
        "attempts",
        "received_at",
        "error",
    }
    assert (dead[0]["event"], dead[0]["action"], dead[0]["error"]) == ("installation", "suspend", "a bug: KeyError")
    assert [(row["event"], row["error"]) for row in bought] == [("marketplace_purchase", None)]


def test_a_delivery_is_shown_with_its_body(seeded: Settings) -> None:
    newest = answer(invoke("deliveries", "list", "--limit", "1", "--json", settings=seeded))[0]

    shown = answer(invoke("deliveries", "show", str(newest["id"]), "--json", settings=seeded))
    words = invoke("deliveries", "show", str(newest["id"]), settings=seeded).stdout

    assert newest.items() <= shown.items()
    assert set(shown) - set(newest) == {"partition", "repeats", "run_at", "finished_at", "body"}
    assert shown["body"] == {"action": "created", "account": {"id": 583231}}
    assert '"id": 583231' in words


def test_a_dropped_body_is_told_and_cannot_be_replayed(seeded_sqlite: Settings) -> None:
    async def drop(database: Database, clock: VirtualClock) -> None:
        assert await database.inbox.drop_old_bodies(clock.advance(days=1)) == 3

    within(seeded_sqlite, drop)
    shown = answer(invoke("deliveries", "show", "1", "--json", settings=seeded_sqlite))
    words = invoke("deliveries", "show", "1", settings=seeded_sqlite).stdout
    replayed = invoke("deliveries", "replay", "1", settings=seeded_sqlite)

    assert shown["body"] is None
    assert "The body is no longer kept." in words
    assert replayed.code == 1
    assert "its body is no longer kept" in replayed.stderr


def test_a_dead_delivery_is_replayed(seeded: Settings) -> None:
    within(seeded, bury_a_delivery)
    last = answer(invoke("deliveries", "list", "--limit", "2", "--json", settings=seeded))[1]["id"]
    in_words = invoke("deliveries", "replay", str(last), settings=seeded)
    dead = answer(invoke("deliveries", "list", "--state", "dead", "--json", settings=seeded))[0]["id"]

    partly = invoke("deliveries", "replay", str(dead), "999999", "--json", settings=seeded)

    assert (in_words.code, in_words.stdout) == (0, f"to be handled again: {last}\n")
    assert partly.code == 1
    assert json.loads(partly.stdout) == {"replayed": [dead], "missing": [999999]}
    assert "Delivery 999999 doesn't exist" in partly.stderr
    again = answer(invoke("deliveries", "show", str(dead), "--json", settings=seeded))
    assert (again["state"], again["attempts"], again["error"]) == ("received", 0, None)
    assert answer(invoke("alarms", "list", "--json", settings=seeded)) == []


@pytest.mark.parametrize(
    "arguments", [("deliveries", "show", "77"), ("effects", "show", "77"), ("effects", "retry", "77")], ids=" ".join
)
def test_what_does_not_exist_is_told_with_the_list(seeded_sqlite: Settings, arguments: tuple[str, ...]) -> None:
    ended = invoke(*arguments, settings=seeded_sqlite)

    assert ended.code == 1
    assert "77" in ended.stderr
    assert f"tallyhook {arguments[0]} list" in ended.stderr


@pytest.mark.parametrize("group", ["deliveries", "effects"])
def test_an_unknown_state_is_told_with_those_there_are(settings: Settings, group: str) -> None:
    ended = invoke(group, "list", "--state", "lost", settings=settings)

    assert ended.code == 2
    assert "dead" in ended.stderr


async def send_two(database: Database, clock: VirtualClock) -> None:
    for number, payload in ((1, b'{"kind": "x"}'), (2, b"\x00not json")):
        await database.outbox.enqueue(
            NewEffect(topic="forward", key=f"k{number}", dedupe_key=f"d{number}", payload=payload, run_at=clock.now())
        )
    first, _ = await database.outbox.claim("forward", limit=2, lease_seconds=30)
    await database.outbox.bury(first, error="gone for good (410)")


def test_effects_are_listed_shown_and_sent_again(settings: Settings) -> None:
    within(settings, send_two)

    effects = answer(invoke("effects", "list", "--json", settings=settings))
    (dead,) = answer(invoke("effects", "list", "--state", "dead", "--json", settings=settings))
    shown = answer(invoke("effects", "show", str(dead["id"]), "--json", settings=settings))
    binary = next(each for each in effects if each["key"] == "k2")
    opaque = answer(invoke("effects", "show", str(binary["id"]), "--json", settings=settings))
    words = invoke("effects", "list", settings=settings).stdout
    whole = invoke("effects", "show", str(dead["id"]), settings=settings).stdout
    retried = answer(invoke("effects", "retry", str(dead["id"]), "--json", settings=settings))
    revived = answer(invoke("effects", "show", str(dead["id"]), "--json", settings=settings))

    assert (dead["key"], dead["error"], dead["attempts"]) == ("k1", "gone for good (410)", 1)
    assert (shown["payload"], shown["payload_bytes"]) == ({"kind": "x"}, 13)
    assert (opaque["payload"], opaque["payload_bytes"]) == (None, 9)
    assert "gone for good (410)" in words
    assert "gone for good (410)" in whole
    assert retried == {"retried": [dead["id"]], "missing": []}
    assert (revived["state"], revived["attempts"], revived["error"]) == ("pending", 0, None)


async def raise_an_alarm(database: Database, _clock: VirtualClock) -> None:
    for _ in range(2):
        await database.alarms.raise_(Alarm(kind="unknown_plan", subject="plan:4242", detail="Map it in plans.toml."))


def test_an_alarm_is_listed_until_somebody_took_note(settings: Settings) -> None:
    within(settings, raise_an_alarm)

    (alarm,) = answer(invoke("alarms", "list", "--json", settings=settings))
    words = invoke("alarms", "list", settings=settings).stdout
    noted_in_words = invoke("alarms", "ack", "unknown_plan", "plan:4242", "--actor", "Eve", settings=settings).stdout
    acked = answer(invoke("alarms", "ack", "unknown_plan", "plan:4242", "--actor", "Ada", "--json", settings=settings))
    (noted,) = answer(invoke("alarms", "list", "--all", "--json", settings=settings))

    assert (alarm["kind"], alarm["subject"], alarm["detail"], alarm["count"]) == (
        "unknown_plan",
        "plan:4242",
        "Map it in plans.toml.",
        2,
    )
    assert (alarm["acked_at"], alarm["acked_by"], alarm["recovered_at"]) == (None, None, None)
    assert "Map it in plans.toml." in words
    assert noted_in_words == "unknown_plan plan:4242: noted by Eve\n"
    assert "noted by Ada" in invoke("alarms", "list", "--all", settings=settings).stdout
    assert acked == {"kind": "unknown_plan", "subject": "plan:4242", "acked_by": "Ada"}
    assert (noted["acked_by"], noted["acked_at"] is not None) == ("Ada", True)
    assert answer(invoke("alarms", "list", "--json", settings=settings)) == []
    assert "Nothing wants a person." in invoke("alarms", "list", settings=settings).stderr


def test_an_alarm_that_there_is_not_cannot_be_noted(settings: Settings) -> None:
    ended = invoke("alarms", "ack", "unknown_plan", "plan:1", settings=settings)

    assert ended.code == 1
    assert "tallyhook alarms list" in ended.stderr
