"""Flags: on until they are set, kept with who set them, and read by each transaction anew."""

import pytest
import structlog

from sandbox.clock import VirtualClock
from storage.database import Database
from storage.flags import Flag
from tests.storage.raw import execute


async def test_a_flag_that_nobody_has_set_is_on(database: Database) -> None:
    (row,) = await database.flags.list()

    assert (row.flag, row.is_on, row.set_at, row.set_by) == (Flag.BILLING_ENABLED, True, None, "")
    assert await database.flags.is_on(Flag.BILLING_ENABLED)


async def test_a_flag_is_kept_with_who_set_it_and_when(database: Database, clock: VirtualClock) -> None:
    before = await database.flags.set(Flag.BILLING_ENABLED, on=False, by="Ada")
    clock.advance(minutes=1)
    between = await database.flags.set(Flag.BILLING_ENABLED, on=True, by="Grace")

    (row,) = await database.flags.list()
    assert (before.is_on, before.set_by) == (True, "")
    assert (between.is_on, between.set_by) == (False, "Ada")
    assert (row.is_on, row.set_at, row.set_by) == (True, clock.now(), "Grace")


async def test_setting_it_is_logged_without_the_name(database: Database) -> None:
    with structlog.testing.capture_logs() as logs:
        await database.flags.set(Flag.BILLING_ENABLED, on=False, by="Ada")

    assert logs == [{"event": "flag_set", "log_level": "warning", "flag": "billing_enabled", "value": "off"}]


async def test_the_next_transaction_of_every_process_goes_by_it(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    other = Database.connect(database_url, clock=clock)
    await other.open()

    seen = [await other.store.transact(lambda unit: unit.is_billing_on())]
    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="Ada")
    seen.append(await other.store.transact(lambda unit: unit.is_billing_on()))
    await database.flags.set(Flag.BILLING_ENABLED, on=True, by="Ada")
    seen.append(await other.store.transact(lambda unit: unit.is_billing_on()))

    await other.close()
    assert seen == [True, False, True]


@pytest.mark.parametrize("value", ["off", "", "ON", "maybe"])
async def test_what_nobody_can_read_lets_us_not_bill(database: Database, database_url: str, value: str) -> None:
    await execute(
        database_url, "INSERT INTO flags (name, value, set_at) VALUES ('billing_enabled', :value, 1)", value=value
    )

    assert not await database.flags.is_on(Flag.BILLING_ENABLED)
