"""What is loaded beside the open grants: holds and grants that commands name, what is due, entries to take back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.commands import ReleaseHold
from billing.ports import Changes, Locked, Wanted
from billing.state import CustomerState
from billing.values import CustomerId, HoldId, HoldState, Origin
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.flags import Flag
from storage.low_balances import LOW_BALANCE_TOPIC, unpack_low_balance
from tests.storage.builders import provision
from tests.storage.every_command import PAID, Desk
from tests.storage.faults import Traffic, watched


@pytest.fixture
async def desk(database: Database, clock: VirtualClock) -> Desk:
    """A customer with five credits."""
    return await Desk.opened(database, clock, credits_=5)


async def locked(desk: Desk, wanted: Wanted) -> Locked:
    """The desk's customer, locked with what is wanted."""
    return await desk.database.store.transact(lambda unit: unit.lock([desk.customer_id], [], wanted))


async def state(desk: Desk, wanted: Wanted) -> CustomerState:
    """The same, as its state."""
    return (await locked(desk, wanted)).by_id[desk.customer_id]


async def test_a_hold_comes_back_as_it_was_made(desk: Desk) -> None:
    await desk.do(desk.grant(2, "second"))
    await desk.do(desk.hold(9, "held", paid=PAID))

    loaded = await state(desk, Wanted(now=desk.clock.now(), holds=[await desk.hold_id()]))

    hold = loaded.holds[0]
    assert [(share.grant_number, share.amount) for share in hold.shares] == [(1, 5), (2, 2)]
    assert (hold.paid_units, hold.price_cents, hold.waived_units, hold.captured) == (2, 2900, 0, 0)
    assert (hold.account_id, hold.reference, hold.state) == (desk.account_id, "repository:7#12", HoldState.OPEN)
    assert (hold.made_at, hold.expires_at) == (desk.clock.now(), desk.clock.now() + timedelta(hours=24))
    assert (loaded.account.posted, loaded.account.held) == (7, 7)
    # Nothing remains of them, but what they hold is to be captured or released.
    assert [(grant.number, grant.remaining, grant.held) for grant in loaded.grants] == [(1, 0, 5), (2, 0, 2)]


async def test_a_hold_that_nobody_names_and_that_is_not_due_stays_away(desk: Desk) -> None:
    await desk.do(desk.hold(5, "held"))

    with watched(Traffic()) as traffic:
        loaded = await state(desk, Wanted(now=desk.clock.now()))

    assert (loaded.holds, loaded.grants) == ((), ())
    assert [sql for sql in traffic.statements if "hold" in sql.partition("FROM")[2]] == []


async def test_due_holds_come_with_the_next_one(desk: Desk) -> None:
    for hours in (3, 1, 2, 4):
        await desk.do(desk.hold(1, f"held:{hours}", lasts=timedelta(hours=hours)))
    start = desk.clock.now()

    loaded = await state(desk, Wanted(now=start + timedelta(hours=2)))

    assert sorted(hold.expires_at - start for hold in loaded.holds) == [timedelta(hours=hours) for hours in (1, 2, 3)]
    everything = await state(desk, Wanted(now=start + timedelta(hours=9)))
    assert len(everything.holds) == 4


async def test_a_clock_behind_the_last_booking_does_not_hide_what_was_due_by_then(desk: Desk) -> None:
    start = desk.clock.now()
    await desk.do(desk.hold(1, "short", lasts=timedelta(hours=1)))
    desk.clock.advance(minutes=59)
    await desk.do(desk.grant(1, "given"))

    behind = await state(desk, Wanted(now=start - timedelta(days=1)))
    assert behind.holds == ()
    ahead = replace(behind, account=replace(behind.account, booked_at=start + timedelta(hours=1)))
    await desk.database.store.transact(lambda unit: unit.save(Changes(states=[(behind, ahead)]), start))

    assert len((await state(desk, Wanted(now=start - timedelta(days=1)))).holds) == 1


async def test_an_ended_hold_is_loaded_when_it_is_named(desk: Desk) -> None:
    await desk.do(desk.hold(2, "held"))
    hold_id = await desk.hold_id()
    await desk.do(ReleaseHold(customer_id=desk.customer_id, hold_id=hold_id, key="released", actor="key:1"))

    loaded = await state(desk, Wanted(now=desk.clock.now(), holds=[hold_id, HoldId(999)]))

    assert [(hold.id, hold.state) for hold in loaded.holds] == [(hold_id, HoldState.RELEASED)]


async def test_a_hold_of_another_customer_is_unknown(desk: Desk) -> None:
    await desk.do(desk.hold(2, "held"))
    hold_id = await desk.hold_id()
    other = await provision(desk.database, desk.clock, 8, credits_=5)
    wanted = Wanted(now=desk.clock.now(), holds=[hold_id])

    alone = await desk.database.store.transact(lambda unit: unit.lock([other.customer.id], [], wanted))
    together = await desk.database.store.transact(
        lambda unit: unit.lock([other.customer.id, desk.customer_id], [], wanted)
    )

    assert alone.by_id[other.customer.id].holds == ()
    assert together.by_id[other.customer.id].holds == ()
    assert [hold.id for hold in together.by_id[desk.customer_id].holds] == [hold_id]


async def test_named_grants_come_closed_or_not_and_never_another_customers(desk: Desk) -> None:
    await desk.do(desk.spend(5, "spent"))
    await desk.do(desk.grant(2, "second"))
    other = await provision(desk.database, desk.clock, 8, credits_=3)
    wanted = Wanted(
        now=desk.clock.now(),
        grants=[(desk.customer_id, 1), (desk.customer_id, 9), (other.customer.id, 2), (CustomerId(999), 1)],
    )

    found = await desk.database.store.transact(
        lambda unit: unit.lock([desk.customer_id, other.customer.id], [], wanted)
    )

    mine, others = found.by_id[desk.customer_id], found.by_id[other.customer.id]
    assert sorted((grant.number, grant.remaining, grant.spent) for grant in mine.grants) == [(1, 0, 5), (2, 2, 0)]
    assert [grant.number for grant in others.grants] == [1]


async def test_a_grant_keeps_where_its_credits_are(desk: Desk) -> None:
    expiry = desk.clock.now() + timedelta(days=1)
    await desk.do(desk.grant(10, "bought", origin=Origin.PURCHASE, expires_at=expiry))
    await desk.do(desk.spend(4, "spent"))
    await desk.do(desk.hold(3, "held", lasts=timedelta(days=2)))
    await desk.do(desk.refund(80, "refunded", grant_number=2))
    desk.clock.advance(days=1)
    await desk.do(desk.spend(1, "later"))

    loaded = await state(desk, Wanted(now=desk.clock.now(), grants=[(desk.customer_id, 2)]))

    grant = next(grant for grant in loaded.grants if grant.number == 2)
    assert (grant.remaining, grant.held, grant.spent, grant.expired, grant.revoked) == (0, 3, 4, 0, 3)
    assert (grant.taken, grant.owed, grant.reversed) == (3, 2, 8)
    assert loaded.account.debt == 2


async def test_entries_to_take_back_come_with_their_grants(desk: Desk) -> None:
    await desk.do(desk.spend(5, "spent"))
    first = Wanted(now=desk.clock.now(), entries=[(desk.customer_id, 2), (desk.customer_id, 99)])

    before = await locked(desk, first)
    assert [(entry.seq, len(entry.moves)) for entry in before.entries] == [(2, 1)]
    assert [grant.number for grant in before.by_id[desk.customer_id].grants] == [1]


async def test_late_usage_sees_what_has_expired_since(desk: Desk) -> None:
    start = desk.clock.now()
    for days in (1, 2, 3):
        await desk.do(desk.grant(days, f"given:{days}", expires_at=start + timedelta(days=days)))
    desk.clock.advance(days=4)
    await desk.do(desk.spend(1, "spent"))
    at = {desk.customer_id: start + timedelta(days=1)}

    loaded = await state(desk, Wanted(now=desk.clock.now(), used_at=at))

    assert sorted((grant.number, grant.expired) for grant in loaded.grants) == [(1, 0), (3, 2), (4, 3)]


async def test_more_holds_than_fit_a_list_are_loaded(database: Database, clock: VirtualClock) -> None:
    desk = await Desk.opened(database, clock, credits_=200)
    for number in range(130):
        await desk.do(desk.hold(1, f"held:{number}"))

    loaded = await state(desk, Wanted(now=clock.now() + timedelta(days=2)))

    assert len(loaded.holds) == 130
    assert {hold.credits for hold in loaded.holds} == {1}


async def test_the_kill_switch_is_read_in_the_transaction(desk: Desk) -> None:
    is_on = [await desk.database.store.transact(lambda unit: unit.is_billing_on())]
    for on in (False, True):
        await desk.database.flags.set(Flag.BILLING_ENABLED, on=on, by="ada")
        is_on.append(await desk.database.store.transact(lambda unit: unit.is_billing_on()))

    assert is_on == [True, False, True]


async def test_a_low_balance_is_told_of_in_the_commit_that_makes_it(desk: Desk) -> None:
    await desk.do(desk.spend(4, "spent"))
    await desk.do(desk.spend(1, "again"))

    effects = await desk.database.outbox.claim(LOW_BALANCE_TOPIC, limit=8, lease_seconds=60)

    # Those of one account wait for each other.
    assert [(one.topic, one.key) for one in effects] == [("low_balance", f"account:{desk.account_id}")]
    low_balance = unpack_low_balance(effects[0].payload)
    assert (low_balance.customer_id, low_balance.account_id) == (desk.customer_id, desk.account_id)
    assert (low_balance.threshold, low_balance.balance, low_balance.seq) == (1, 1, 2)
    assert low_balance.at == desk.clock.now()
    rows = await desk.database.outbox.list()
    assert sorted(row.dedupe_key for row in rows) == [
        f"low_balance:{desk.account_id}:0:3",
        f"low_balance:{desk.account_id}:1:2",
    ]
