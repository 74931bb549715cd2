"""What the database refuses by itself, whatever the code above it does."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from billing.ports import Changes, Unit
from billing.state import CustomerState
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import Booking, load, new_customer, provision, subscription
from tests.storage.raw import execute


async def refuse(database: Database, changes: Changes, clock: VirtualClock) -> None:
    """Hold that the database refuses the changes as a whole."""

    def work(unit: Unit) -> None:
        unit.save(changes, clock.now())

    with pytest.raises(IntegrityError):
        await database.store.transact(work)


@pytest.fixture
async def state(database: Database, clock: VirtualClock) -> CustomerState:
    """A customer with five credits."""
    return await provision(database, clock, credits_=5)


async def test_a_balance_below_zero(database: Database, clock: VirtualClock, state: CustomerState) -> None:
    below = replace(state, account=replace(state.account, posted=-1))

    await refuse(database, Changes(states=[(state, below)]), clock)

    assert await load(database, state.customer.id) == state


async def test_a_grant_that_is_overdrawn_or_overfull(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    for remaining in (-1, 6):
        drawn = replace(state, grants=(replace(state.grants[0], remaining=remaining),))
        await refuse(database, Changes(states=[(state, drawn)]), clock)


async def test_a_second_entry_for_the_same_key(database: Database, clock: VirtualClock, state: CustomerState) -> None:
    booking = Booking(before=state, state=state, now=clock.now())
    booking.spend(1, "first:7")

    await refuse(database, booking.changes(), clock)


async def test_a_second_entry_with_the_same_number(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    booking = Booking(before=state, state=state, now=clock.now())
    booking.spend(1, "other")
    entry = replace(booking.book.entries[0], seq=1)

    await refuse(database, Changes(entries=[entry]), clock)


async def test_an_entry_that_makes_less_than_nothing(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    booking = Booking(before=state, state=state, now=clock.now())
    booking.spend(1, "other")
    entry = replace(booking.book.entries[0], balance_after=-1)

    await refuse(database, Changes(entries=[entry]), clock)


async def test_a_move_of_nothing_or_to_where_it_came_from(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    booking = Booking(before=state, state=state, now=clock.now())
    entry = booking.spend(1, "other")
    for move in (replace(entry.moves[0], amount=0), replace(entry.moves[0], credit=entry.moves[0].debit)):
        await refuse(database, Changes(entries=[replace(entry, moves=(move,))]), clock)


async def test_a_note_or_a_move_without_its_entry(
    database: Database, database_url: str, clock: VirtualClock, state: CustomerState
) -> None:
    booking = Booking(before=state, state=state, now=clock.now())
    booking.spend(1, "other", why="why")

    await refuse(database, Changes(notes=booking.notes), clock)
    assert await execute(database_url, "SELECT * FROM credit_notes") == []


async def test_a_second_customer_of_the_same_github_account(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    again = new_customer(900, 901, state.customer.github_account_id, clock.now())

    await refuse(database, Changes(states=[(None, again)]), clock)


async def test_a_period_that_granted_more_than_its_target(
    database: Database, clock: VirtualClock, state: CustomerState
) -> None:
    plan = subscription(clock.now())
    assert plan.period is not None
    greedy = replace(state, subscriptions=(replace(plan, period=replace(plan.period, granted=61)),))

    await refuse(database, Changes(states=[(state, greedy)]), clock)
