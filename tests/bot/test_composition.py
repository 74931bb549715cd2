"""The parts, put together as the server runs them."""

import zlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from billing.paces import WRITES_OF_INSTALLATION
from billing.plans import PlanCatalog
from billing.ports import Alarm
from bot.forwarding import FORWARD_TOPIC, ForwardedDelivery
from bot.housekeeping import Housekeeping
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import NewEffect
from tests.bot.receiving import http_receiver, mail_receiver
from tests.bot.serving import serving
from tests.bot.working import Plant, ignore, running, until, until_true
from tests.database import START
from tests.storage.builders import delivery
from tests.storage.raw import execute, scalar


async def test_alarms_reach_people_by_every_way_that_is_set(sqlite_url: str) -> None:
    async with (
        http_receiver() as chat,
        mail_receiver() as mail,
        serving(
            sqlite_url,
            has_worker=True,
            SMTP_URL=mail.url(),
            MAIL_FROM="Tallyhook <tallyhook@example.com>",
            ALERT_EMAIL="ops@example.com",
            ALERT_WEBHOOK_URL=chat.url,
        ) as served,
    ):
        await served.database.alarms.raise_(Alarm(kind="test", subject="1", detail="look at it"))
        await until_true(lambda: chat.requests and mail.mails)

    assert b"look at it" in chat.requests[0][1]
    assert mail.mails[0].rcpt_tos == ["ops@example.com"]


async def test_without_any_way_an_alarm_still_ends(sqlite_url: str) -> None:
    async with serving(sqlite_url, has_worker=True) as served:
        await served.database.alarms.raise_(Alarm(kind="test", subject="1", detail="look at it"))

        async def has_ended() -> bool:
            return [effect.state.value for effect in await served.database.outbox.list()] == ["ignored"]

        await until(has_ended)
        assert [alarm.kind for alarm in await served.database.alarms.list()] == ["test"]


async def test_alarms_are_told_while_the_vendors_app_answers_nothing(sqlite_url: str) -> None:
    async with (
        http_receiver() as chat,
        http_receiver() as vendor,
        serving(sqlite_url, has_worker=True, ALERT_WEBHOOK_URL=chat.url, GITHUB_FORWARD_URL=vendor.url) as served,
    ):
        vendor.hold_back()
        try:
            for number in range(40):
                await served.database.outbox.enqueue(
                    NewEffect(
                        topic=FORWARD_TOPIC,
                        key=f"forward:{number}",
                        dedupe_key=f"forward:{number}",
                        payload=ForwardedDelivery.of([], zlib.compress(b"{}")).packed(),
                        run_at=START,
                    )
                )
            await until_true(lambda: len(vendor.requests) >= 16)
            await served.database.alarms.raise_(Alarm(kind="test", subject="1", detail="look at it"))
            await until_true(lambda: chat.requests)
        finally:
            vendor.let_go()


def housekeeping_of(
    database: Database, clock: VirtualClock, *, marketplace_plan_ids: Sequence[int] = ()
) -> Housekeeping:
    return Housekeeping(
        inbox=database.inbox,
        paces=database.paces,
        clock=clock,
        retention_days=30,
        marketplace_plan_ids=marketplace_plan_ids,
        checkpoints=None,
    )


async def test_bodies_are_dropped_when_their_time_is_over(
    database: Database, clock: VirtualClock, plans: PlanCatalog
) -> None:
    plant = Plant(database=database, clock=clock, plans=plans)
    plant.handlers.by_action["done"] = ignore
    delivery = await plant.deliver("done")
    async with running(plant.worker()):
        await plant.ended(delivery)

    async def is_dropped() -> bool:
        return not (await plant.row(delivery)).body

    def housekeeping() -> Housekeeping:
        return housekeeping_of(database, clock, marketplace_plan_ids=[1313])

    clock.advance(days=29)
    async with running(housekeeping()):
        await until_true(lambda: clock.sleeping)
    assert not await is_dropped()

    async def is_dropped_within_an_hour() -> bool:
        clock.advance(hours=1)
        return await is_dropped()

    async with running(housekeeping()):
        await until(is_dropped_within_an_hour)
    assert clock.now() >= START + timedelta(days=30)


async def test_places_are_forgotten_once_no_limit_looks_back_at_them(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    for holder in (1, 2, 3):
        await database.paces.take("installation:1", WRITES_OF_INSTALLATION, holder=holder)

    async def kept() -> tuple[int, int]:
        counts = [await scalar(database_url, f"SELECT count(*) FROM {table}") for table in ("paces", "pace_bookings")]
        return int(str(counts[0])), int(str(counts[1]))

    async def is_empty_within_an_hour() -> bool:
        clock.advance(hours=1)
        return await kept() == (0, 0)

    clock.advance(hours=1)
    async with running(housekeeping_of(database, clock)):
        await until_true(lambda: clock.sleeping)
        assert await kept() == (2, 1)
        await until(is_empty_within_an_hour)


async def test_housekeeping_stops_in_the_middle_of_a_long_round(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await database.inbox.record(delivery("1", clock.now()))
    await execute(
        database_url,
        "WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000) "
        "INSERT INTO billing_events (source, route, delivery_id, event, partition, received_at, run_at, body) "
        "SELECT source, route, CAST(n AS text), event, partition, received_at, run_at, body "
        "FROM billing_events CROSS JOIN numbers",
    )
    await execute(database_url, "UPDATE billing_events SET state = 'done', finished_at = 1")

    async def left() -> int:
        return int(str(await scalar(database_url, "SELECT count(*) FROM billing_events WHERE body IS NOT NULL")))

    async def has_begun() -> bool:
        return await left() < 20_000

    async with running(housekeeping_of(database, clock)):
        await until(has_begun)
    # What stops in its turn has twenty seconds with all the others; the next round does the rest.
    assert await left() > 0


async def test_housekeeping_outlives_a_database_that_is_away(tmp_path: Path, clock: VirtualClock) -> None:
    database = Database.connect(f"sqlite:///{tmp_path / 'gone.db'}", clock=clock)
    await database.open()
    await database.close()

    async with running(housekeeping_of(database, clock)):
        await until_true(lambda: clock.sleeping)
