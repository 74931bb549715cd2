"""Looking back: any entry, any moment, any hold; exactly, and without going through the journal."""

from datetime import datetime, timedelta

import pytest

from billing.values import CustomerId, HoldId, HoldState, Origin
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.billing.retelling import as_of, balance_at, booked_by
from tests.storage.builders import MANY, provision
from tests.storage.every_command import PAID, Desk
from tests.storage.raw import execute


async def busy(database: Database, clock: VirtualClock) -> Desk:
    """A customer to whom much happened, hour by hour, with pauses in which holds and grants came to their end."""
    desk = await Desk.opened(database, clock, credits_=5)
    start = clock.now()
    await desk.do(desk.grant(20, "bought", origin=Origin.PURCHASE, expires_at=start + timedelta(hours=30)))
    await desk.do(desk.hold(8, "held", lasts=timedelta(hours=20)))
    await desk.do(desk.refund(50, "refunded", grant_number=2))
    clock.advance(hours=1)
    await desk.do(desk.spend(2, "spent"))
    await desk.do(desk.hold(4, "held again", lasts=timedelta(hours=2)))
    clock.advance(hours=9)
    await desk.do(desk.usage(3, "used", start + timedelta(hours=1)))
    await desk.do(desk.hold(4, "held and paid", paid=PAID, lasts=timedelta(hours=3)))
    clock.advance(hours=50)
    await desk.do(desk.grant(3, "later", expires_at=clock.now() + timedelta(hours=4)))
    await desk.do(desk.hold(1, "held for long", lasts=timedelta(hours=9)))
    return desk


def moments(start: datetime, end: datetime) -> list[datetime]:
    """Every half an hour, and the milliseconds around it."""
    count = (end - start) // timedelta(minutes=30) + 1
    return [
        start + timedelta(minutes=30 * number, milliseconds=milliseconds)
        for number in range(count)
        for milliseconds in (-1, 0, 1)
    ]


async def test_the_balance_of_any_moment_is_what_the_whole_journal_says(
    database: Database, clock: VirtualClock
) -> None:
    start = clock.now()
    desk = await busy(database, clock)
    book = await database.reads.book(desk.account_id)
    journal = (await database.reads.entries(desk.account_id, limit=MANY)).entries
    assert book is not None
    seen = set()

    for moment in moments(start - timedelta(hours=1), clock.now() + timedelta(hours=12)):
        found = await database.reads.balance_at(desk.customer_id, moment)
        then = as_of(book.account, book.grants, book.holds, booked_by(journal, moment))
        assert found == balance_at(then, moment), moment
        seen.add(found)

    assert len(seen) > 8
    assert await database.reads.balance_at(CustomerId(999), start) is None


async def test_what_a_refund_takes_comes_with_the_release_whatever_expired_in_between(
    database: Database, clock: VirtualClock
) -> None:
    """The release, a later expiry and what the refund takes are booked at once, long after; told apart they stay."""
    desk = await Desk.opened(database, clock, credits_=1)
    start = clock.now()
    await desk.do(desk.grant(4, "soon", origin=Origin.PURCHASE, expires_at=start + timedelta(hours=30)))
    await desk.do(desk.grant(6, "late", origin=Origin.PURCHASE))
    await desk.do(desk.hold(11, "held", lasts=timedelta(hours=20)))
    await desk.do(desk.refund(100, "refunded", grant_number=3))
    clock.advance(hours=60)
    await desk.do(desk.spend(1, "spent"))

    available = {}
    for hours in (19, 20, 29, 30, 59, 60):
        balance = await database.reads.balance_at(desk.customer_id, start + timedelta(hours=hours))
        assert balance is not None
        available[hours] = (balance.available, balance.held, balance.debt)

    assert available == {19: (0, 11, 0), 20: (5, 0, 0), 29: (5, 0, 0), 30: (1, 0, 0), 59: (1, 0, 0), 60: (0, 0, 0)}


async def test_the_journal_at_a_moment_is_found_by_halving(database: Database, clock: VirtualClock) -> None:
    desk = await Desk.opened(database, clock)
    start = clock.now()
    assert await database.reads.length_at(desk.account_id, start) == 0
    for number in range(1, 8):
        clock.set(start + timedelta(hours=number))
        await desk.do(desk.grant(1, f"given:{number}"))

    for number in range(1, 8):
        booked_at = start + timedelta(hours=number)
        assert await database.reads.length_at(desk.account_id, booked_at) == number
        assert await database.reads.length_at(desk.account_id, booked_at - timedelta(milliseconds=1)) == number - 1


async def test_one_entry_is_found_by_its_number(database: Database, clock: VirtualClock) -> None:
    desk = await busy(database, clock)
    journal = (await database.reads.entries(desk.account_id, limit=MANY)).entries

    assert [await database.reads.entry(desk.account_id, entry.seq) for entry in journal] == list(journal)
    assert await database.reads.entry(desk.account_id, 0) is None
    assert await database.reads.entry(desk.account_id, len(journal) + 1) is None


async def test_open_holds_are_listed_and_ended_ones_are_found(database: Database, clock: VirtualClock) -> None:
    desk = await Desk.opened(database, clock, credits_=9)
    for hours in (3, 1, 2):
        await desk.do(desk.hold(2, f"held:{hours}", lasts=timedelta(hours=hours)))
    listed = await database.reads.holds(desk.account_id)
    await desk.do(await desk.capture(2))

    assert [hold.expires_at - clock.now() for hold in listed] == [timedelta(hours=hours) for hours in (1, 2, 3)]
    assert await database.reads.holds(desk.account_id) == listed[1:]
    assert await database.reads.holds(desk.account_id, limit=1) == listed[1:2]
    captured = await database.reads.hold(listed[0].id)
    assert captured is not None
    assert (captured.state, captured.captured, captured.shares) == (HoldState.CAPTURED, 2, listed[0].shares)
    assert await database.reads.hold(HoldId(999)) is None


async def test_a_book_has_all_that_ever_hung_on_the_account(database: Database, clock: VirtualClock) -> None:
    desk = await Desk.opened(database, clock, credits_=2)
    await provision(database, clock, 8, credits_=2)
    await desk.do(desk.hold(1, "held"))
    await desk.do(await desk.capture(1))
    await desk.do(desk.spend(3, "spent", paid=PAID))

    book = await database.reads.book(desk.account_id)

    assert book is not None
    assert [(grant.number, grant.spent) for grant in book.grants] == [(1, 2), (2, 1), (3, 1)]
    assert [(hold.credits, hold.paid_units, hold.captured) for hold in book.holds] == [(1, 0, 1), (0, 2, 2)]
    assert [(charge.hold_id, charge.number, charge.amount_cents) for charge in book.charges] == [
        (book.holds[1].id, 1, 2900),
        (book.holds[1].id, 2, 2900),
    ]


async def test_what_has_come_to_its_end_is_read_by_whoever_only_looks(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    desk = await Desk.opened(database, clock, credits_=5)
    await desk.do(desk.hold(3, "held", lasts=timedelta(hours=1)))
    before = await execute(database_url, "SELECT count(*) FROM credit_transactions")
    clock.advance(hours=1)

    state = await database.reads.customer(desk.customer_id)

    assert state is not None
    assert [hold.expires_at for hold in state.holds] == [clock.now()]
    assert await execute(database_url, "SELECT count(*) FROM credit_transactions") == before


@pytest.mark.parametrize("entries", [1, 64, 65, 200])
async def test_much_that_was_due_at_once_is_looked_back_over(
    database: Database, clock: VirtualClock, entries: int
) -> None:
    """More time-outs behind one another than are read at once."""
    desk = await Desk.opened(database, clock, credits_=entries)
    for number in range(entries):
        await desk.do(desk.hold(1, f"held:{number}", lasts=timedelta(hours=1)))
    clock.advance(hours=2)
    await desk.do(desk.spend(1, "spent"))

    balance = await database.reads.balance_at(desk.customer_id, clock.now() - timedelta(minutes=30))

    assert balance is not None
    assert (balance.available, balance.held) == (entries, 0)
