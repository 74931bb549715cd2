"""The ledger's way from its first tables to today's and back: what was booked verifies for ever, nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy.exc import DBAPIError

from billing.ledger.verify import Offence
from billing.values import AccountId, CustomerId
from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from tests.database import START
from tests.storage import first_ledger
from tests.storage.builders import offence
from tests.storage.every_command import CASES, Desk
from tests.storage.raw import dump, engine_of, everything, execute

T = TypeVar("T")

BEFORE = "0002"
"""The last revision without holds and debt."""

OLD_TABLES = ("customers", "credit_accounts", "credit_grants", "credit_transactions", "credit_moves")
TODAY = START + timedelta(days=30)


def at_work(url: str, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something with the program at work on the database, for the first customer."""

    async def run() -> T:
        clock = VirtualClock(TODAY, frozen=True)
        database = Database.connect(url, clock=clock)
        await database.open()
        desk = Desk(database, clock)
        desk.customer_id, desk.account_id = CustomerId(1), AccountId(first_ledger.ACCOUNT_ID)
        try:
            return await work(desk)
        finally:
            await database.close()

    return asyncio.run(run())


def complaint(url: str) -> Offence | None:
    """What is broken in the first customer's account."""
    return at_work(url, lambda desk: offence(desk.database, desk.account_id))


def test_what_the_first_version_booked_verifies_and_goes_on(empty_url: str) -> None:
    migrating.upgrade(empty_url, "0001")
    first_ledger.write(empty_url)

    migrating.upgrade(empty_url)

    assert complaint(empty_url) is None
    columns = "number, remaining, held, spent, expired, revoked, taken, owed, reversed"
    placed = asyncio.run(execute(empty_url, f"SELECT {columns} FROM credit_grants ORDER BY number"))
    assert placed == [(1, 0, 0, 2, 3, 0, 0, 0, 0), (2, 4, 0, 4, 0, 1, 0, 0, 0)]

    async def go_on(desk: Desk) -> None:
        await desk.do(desk.spend(1, "spent"))
        await desk.do(desk.hold(3, "held"))
        await desk.do(desk.reverse(3))

    at_work(empty_url, go_on)
    assert complaint(empty_url) is None
    booked = "SELECT hash_version, count(*) FROM credit_transactions GROUP BY hash_version ORDER BY hash_version"
    assert asyncio.run(execute(empty_url, booked))[0] == (1, len(first_ledger.JOURNAL))


def test_a_ledger_of_old_goes_down_and_up_again_unchanged(empty_url: str) -> None:
    migrating.upgrade(empty_url, BEFORE)
    first_ledger.write(empty_url)
    before = asyncio.run(dump(empty_url, OLD_TABLES))
    migrating.upgrade(empty_url)
    after = asyncio.run(everything(empty_url))

    migrating.downgrade(empty_url, BEFORE)
    assert asyncio.run(dump(empty_url, OLD_TABLES)) == before
    migrating.upgrade(empty_url)

    assert asyncio.run(everything(empty_url)) == after
    assert complaint(empty_url) is None


@pytest.mark.parametrize(
    "name", ["hold_over_two_grants", "spend_after_an_expiry_below_a_threshold", "follow_a_purchase"]
)
def test_no_way_leads_back_once_something_was_booked_that_the_older_version_cannot_read(
    database_url: str, name: str
) -> None:
    """Neither a kind that it doesn't know nor what is hashed in another way."""
    case = CASES[name]

    async def book() -> None:
        clock = VirtualClock(START, frozen=True)
        database = Database.connect(database_url, clock=clock)
        await database.open()
        desk, command = await case.stage(database, clock)
        await desk.service.handle(command)
        await database.close()

    asyncio.run(book())
    before = asyncio.run(everything(database_url))

    with pytest.raises(RuntimeError, match="revision 0002 doesn't know"):
        migrating.downgrade(database_url, BEFORE)

    assert migrating.status(database_url).is_current
    assert asyncio.run(everything(database_url)) == before
    with pytest.raises(Exception, match="only ever added to"):
        asyncio.run(execute(database_url, "DELETE FROM credit_transactions"))


def test_no_way_leads_back_while_there_are_checkpoints(empty_url: str) -> None:
    """They are evidence that nothing else keeps: who wants them gone takes a backup, and the guard away."""
    migrating.upgrade(empty_url)
    columns = "number, made_at, accounts, previous_digest, digest, key_id, signature"
    insert = f"INSERT INTO ledger_checkpoints ({columns}) VALUES (1, 2, 0, :bytes, :bytes, 'key', :bytes)"
    asyncio.run(execute(empty_url, insert, bytes=bytes(32)))
    before = asyncio.run(everything(empty_url))

    with pytest.raises(RuntimeError, match=r"1 checkpoints of the ledger would be lost.* ledger_checkpoints_no_delete"):
        migrating.downgrade(empty_url, BEFORE)

    assert migrating.status(empty_url).is_current
    assert asyncio.run(everything(empty_url)) == before
    with pytest.raises(DBAPIError, match="only ever added to"):
        asyncio.run(execute(empty_url, "DELETE FROM ledger_checkpoints"))
    on_table = "" if engine_of(empty_url) == "sqlite" else " ON ledger_checkpoints"
    drop = f"DROP TRIGGER ledger_checkpoints_no_delete{on_table}"
    asyncio.run(execute(empty_url, drop, "DELETE FROM ledger_checkpoints"))
    migrating.downgrade(empty_url, BEFORE)
    assert not migrating.status(empty_url).is_current
