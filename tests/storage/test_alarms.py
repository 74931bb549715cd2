"""Alarms: people are told once a day for each kind and subject, and anew after a recovery."""

import asyncio
import json
from datetime import timedelta

import structlog

from billing.ports import Alarm, Changes, Recovery
from sandbox.clock import VirtualClock
from storage.database import Database

UNKNOWN_PLAN = Alarm(kind="unknown_plan", subject="plan:77", detail="map plan 77 in plans.toml, then restart")
OVER = Recovery(kind="unknown_plan", subject="plan:77")


async def alerts(database: Database) -> int:
    """How often people were told."""
    return len([row for row in await database.outbox.list() if row.topic == "alert"])


async def test_a_raised_alarm_is_listed_told_and_logged(database: Database, clock: VirtualClock) -> None:
    with structlog.testing.capture_logs() as logs:
        await database.alarms.raise_(UNKNOWN_PLAN)

    row = (await database.alarms.list())[0]
    assert (row.kind, row.subject, row.detail) == ("unknown_plan", "plan:77", UNKNOWN_PLAN.detail)
    assert (row.first_at, row.last_at, row.count, row.notified_at) == (clock.now(), clock.now(), 1, clock.now())
    assert (row.acked_at, row.acked_by, row.recovered_at) == (None, "", None)
    effects = await database.outbox.claim("alert", limit=10, lease_seconds=60)
    assert [(one.topic, one.key) for one in effects] == [("alert", "alert:unknown_plan:plan:77")]
    assert json.loads(effects[0].payload) == {
        "kind": "unknown_plan",
        "subject": "plan:77",
        "detail": UNKNOWN_PLAN.detail,
        "first_at": 1793611800000,
        "count": 1,
    }
    assert [(log["event"], log["log_level"], log["subject"]) for log in logs] == [("alarm_raised", "error", "plan:77")]


async def test_people_are_told_once_a_day(database: Database, clock: VirtualClock) -> None:
    for _ in range(24):
        await database.alarms.raise_(UNKNOWN_PLAN)
        clock.advance(hours=1)
    assert await alerts(database) == 1
    await database.alarms.raise_(UNKNOWN_PLAN)
    assert await alerts(database) == 2

    assert (await database.alarms.list())[0].count == 25


async def test_after_a_recovery_it_is_a_new_alarm(database: Database, clock: VirtualClock) -> None:
    await database.alarms.raise_(UNKNOWN_PLAN)
    clock.advance(minutes=1)
    await database.alarms.recover(OVER)
    assert await database.alarms.list() == []
    over = (await database.alarms.list(include_acked=True))[0]
    assert over.recovered_at == clock.now()
    clock.advance(minutes=1)
    await database.alarms.recover(OVER)
    assert (await database.alarms.list(include_acked=True))[0].recovered_at == clock.now() - timedelta(minutes=1)

    await database.alarms.raise_(UNKNOWN_PLAN)

    row = (await database.alarms.list())[0]
    assert (row.first_at, row.count, row.recovered_at) == (clock.now(), 1, None)
    assert await alerts(database) == 2


async def test_a_recovery_of_nothing_leaves_nothing(database: Database) -> None:
    await database.alarms.recover(OVER)

    assert await database.alarms.list(include_acked=True) == []


async def test_an_acknowledged_alarm_is_listed_again_when_it_is_told_again(
    database: Database, clock: VirtualClock
) -> None:
    await database.alarms.raise_(UNKNOWN_PLAN)
    assert await database.alarms.ack("unknown_plan", "plan:77", "ada")
    assert not await database.alarms.ack("unknown_plan", "plan:78", "ada")

    assert await database.alarms.list() == []
    noted = (await database.alarms.list(include_acked=True))[0]
    assert (noted.acked_at, noted.acked_by) == (clock.now(), "ada")
    await database.alarms.raise_(UNKNOWN_PLAN)
    assert await database.alarms.list() == []
    clock.advance(hours=24)
    await database.alarms.raise_(UNKNOWN_PLAN)
    row = (await database.alarms.list())[0]
    assert (row.acked_at, row.acked_by, row.count) == (None, "", 3)


async def test_a_batch_raises_and_ends_alarms_in_its_commit(database: Database, clock: VirtualClock) -> None:
    other = Alarm(kind="marketplace_losses", subject="github_marketplace", detail="look at the listing")
    await database.alarms.raise_(Alarm(kind="old", subject="one", detail="over soon"))
    changes = Changes(
        alarms=[UNKNOWN_PLAN, other, UNKNOWN_PLAN],
        recoveries=[Recovery(kind="old", subject="one"), Recovery(kind="old", subject="one")],
    )

    await database.store.transact(lambda unit: unit.save(changes, clock.now()))

    assert {(row.kind, row.count) for row in await database.alarms.list()} == {
        ("unknown_plan", 2),
        ("marketplace_losses", 1),
    }
    assert await alerts(database) == 3


async def test_raised_by_many_at_once_it_is_told_once(database: Database) -> None:
    await asyncio.gather(*(database.alarms.raise_(UNKNOWN_PLAN) for _ in range(20)))

    assert (await database.alarms.list())[0].count == 20
    assert await alerts(database) == 1
