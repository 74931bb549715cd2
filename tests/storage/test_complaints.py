"""What users of other ledgers complained about where databases and processes meet: each once, so that it stays away.

A test is named after its thread. What needs no database is in `tests/billing/test_complaints.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from billing.commands import Applied, CaptureHold, Command, Outcome, Refused
from billing.errors import HoldEndedError, InsufficientCreditsError
from billing.service import BillingService
from billing.values import Credits, HoldState, Origin
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.billing.materials import PLANS, ROLLING, truth
from tests.storage.every_command import ACTOR, Desk
from tests.storage.raw import dump, execute, scalar

LEDGER = ("credit_accounts", "credit_grants", "credit_holds", "credit_transactions", "credit_moves")

COPIED = (
    "kind, amount, balance_after, idempotency_key, key_hash, request_hash, occurred_at, recorded_at, actor, note_hash, "
    "previous_hash, hash, hash_version"
)
"""All that an entry needs beside its place."""


@pytest.fixture
async def desk(database: Database, clock: VirtualClock) -> Desk:
    """A customer with ten bought credits."""
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(10, "first top-up", origin=Origin.PURCHASE))
    return desk


@pytest.fixture
async def services(desk: Desk, database_url: str, clock: VirtualClock) -> AsyncIterator[Sequence[BillingService]]:
    """The desk's own program, and another one on the same database."""
    other = Database.connect(database_url, clock=clock)
    await other.open()
    yield (desk.service, BillingService(other.store, clock, PLANS))
    await other.close()


async def at_once(services: Sequence[BillingService], commands: Sequence[Command]) -> list[Outcome]:
    """Every command handed to every program at the same time."""
    return await asyncio.gather(*(service.handle(command) for command in commands for service in services))


async def available(desk: Desk) -> int:
    """What the desk's customer can spend, as it is stored."""
    state = await desk.database.reads.customer(desk.customer_id)
    assert state is not None
    return state.account.posted - state.account.held


async def assert_whole(desk: Desk) -> None:
    """The customer's sequence numbers have no gap, and the last entry's balance is the account's."""
    account = await desk.database.reads.book(desk.account_id)
    assert account is not None
    page = await desk.database.reads.entries(desk.account_id, limit=1000)
    assert [entry.seq for entry in page.entries] == list(range(1, account.account.version + 1))
    assert page.entries[-1].balance_after == account.account.posted


async def test_lago_5870_the_same_top_up_asked_for_again_years_later_is_the_same_top_up(
    desk: Desk, database_url: str, clock: VirtualClock
) -> None:
    """There, wallet transactions had no idempotency: the same request twice charged and credited twice."""
    clock.advance(weeks=110)
    restarted = Database.connect(database_url, clock=clock)
    await restarted.open()
    service = BillingService(restarted.store, clock, PLANS)
    outcome = await service.handle(desk.grant(10, "first top-up", origin=Origin.PURCHASE))
    await restarted.close()

    assert isinstance(outcome, Applied)
    assert outcome.replayed
    assert await available(desk) == 10


async def test_lago_3618_a_payment_settled_twice_within_milliseconds_credits_once(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, two workers settled one transaction within milliseconds, and the wallet was credited twice."""
    outcomes = await at_once(services, [desk.grant(20, "settled", origin=Origin.PURCHASE)] * 3)

    assert sorted(outcome.replayed for outcome in outcomes if isinstance(outcome, Applied)) == [False] + [True] * 5
    assert await available(desk) == 30


async def test_lago_3049_and_4772_duplicates_in_a_batch_neither_count_twice_nor_take_others_along(desk: Desk) -> None:
    """There, a batch with a duplicate was refused as a whole, and a part of it was stored all the same."""
    commands = [desk.spend(1, key) for key in ("one", "two", "one", "three", "two")]
    outcomes = await at_once([desk.service], [*commands, replace(commands[0], amount=Credits(9))])

    assert [isinstance(outcome, Applied) for outcome in outcomes] == [True] * 5 + [False]
    assert await available(desk) == 7


async def test_lago_6209_the_database_itself_knows_each_key_once(desk: Desk, database_url: str) -> None:
    """There, the key that told duplicates apart was no identity, and nothing was unique."""
    with pytest.raises(IntegrityError):
        await execute(
            database_url,
            f"INSERT INTO credit_transactions (account_id, seq, {COPIED}) "
            f"SELECT account_id, 2, {COPIED} FROM credit_transactions WHERE account_id = :account_id AND seq = 1",
            account_id=desk.account_id,
        )

    assert await scalar(database_url, "SELECT count(*) FROM credit_transactions") == 1


async def test_lago_1962_one_crossing_is_told_of_once_however_long_it_lasts(desk: Desk, database_url: str) -> None:
    """There, a threshold's top-up was created anew every five minutes while the first was pending."""
    for key in ("one", "two", "three"):
        await desk.do(desk.spend(3, key))
        desk.clock.advance(minutes=5)

    assert await scalar(database_url, "SELECT count(*) FROM effects WHERE topic = 'low_balance'") == 1


async def test_openmeter_3200_and_94_the_crossing_spend_tells_in_its_own_commit_and_again_after_recovery(
    desk: Desk, database_url: str
) -> None:
    """There, thresholds of an absolute value never fired, and others had to be polled for after each event."""
    told = []
    for command in (desk.spend(9, "down"), desk.grant(9, "up", origin=Origin.PURCHASE), desk.spend(9, "down again")):
        await desk.do(command)
        told.append(await scalar(database_url, "SELECT count(*) FROM effects WHERE topic = 'low_balance'"))

    assert told == [1, 1, 2]


async def test_polar_11427_and_8451_a_plan_and_its_renewal_touch_nobody_elses_credits(desk: Desk) -> None:
    """There, editing a product's benefits wiped balances, bought ones too; and subscribing reset the meter."""
    other = await Desk.opened(desk.database, desk.clock, 4, github_id=8)
    bought = (await desk.database.reads.grants(desk.account_id))[0]
    others = await desk.database.reads.book(other.account_id)
    billed_at = desk.clock.now() + timedelta(days=20)
    await desk.service.handle(await desk.follow(truth(ROLLING, billed_at=billed_at), "purchased"))
    desk.clock.advance(days=21)
    later = billed_at + timedelta(days=31)
    await desk.service.handle(await desk.follow(truth(ROLLING, billed_at=later), "changed"))

    grants = await desk.database.reads.grants(desk.account_id, include_closed=True)
    assert len(grants) > 2
    assert grants[0] == bought
    assert await desk.database.reads.book(other.account_id) == others


async def test_openmeter_3293_a_top_up_stands_beside_a_plans_credits_and_outlives_them(desk: Desk) -> None:
    """There, one-off grants couldn't be added to what a subscription entitles to."""
    billed_at = desk.clock.now() + timedelta(days=20)
    await desk.service.handle(await desk.follow(truth(ROLLING, billed_at=billed_at), "purchased"))
    await desk.do(desk.grant(5, "second top-up", origin=Origin.PURCHASE))
    with_plan = await available(desk)
    desk.clock.advance(days=60)
    await desk.do(desk.spend(1, "after the plan"))

    assert with_plan > 15
    assert await available(desk) == 14


async def test_blnk_181_what_another_process_holds_counts_in_this_ones_check(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, what was in flight wasn't looked at, and a balance was promised twice over."""
    await services[1].handle(desk.hold(8, "work under way"))
    outcome = await services[0].handle(desk.spend(3, "too much"))

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InsufficientCreditsError)
    assert outcome.error.available == 2


async def test_blnk_171_of_many_who_commit_a_hold_at_once_one_does(
    desk: Desk, services: Sequence[BillingService], database_url: str
) -> None:
    """There, committing a transaction in flight twice at the same time committed it twice."""
    await desk.do(desk.hold(6, "work"))
    hold_id = await desk.hold_id()
    captures = [
        CaptureHold(customer_id=desk.customer_id, hold_id=hold_id, amount=Credits(6), key=f"commit {n}", actor=ACTOR)
        for n in range(4)
    ]
    outcomes = await asyncio.gather(*(services[n % 2].handle(capture) for n, capture in enumerate(captures)))

    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(errors) == 3
    assert all(isinstance(error, HoldEndedError) and error.state == HoldState.CAPTURED for error in errors)
    assert await available(desk) == 4
    assert await scalar(database_url, "SELECT captured FROM credit_holds") == 6


async def test_blnk_315_a_refund_told_of_by_two_at_once_takes_once(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, two refunds of one transaction at the same time both went through."""
    await desk.do(desk.spend(7, "used"))
    await at_once(services, [desk.refund(100, f"told {n}") for n in range(3)])

    state = await desk.database.reads.customer(desk.customer_id)
    assert state is not None
    assert (state.account.posted, state.account.debt) == (0, 7)


async def test_blnk_238_and_239_no_update_is_lost_between_two_who_write_at_once(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, one side of a transaction wasn't locked, and versions raced: a balance missed what others had written."""
    await desk.do(desk.grant(30, "more"))
    spends = [desk.spend(1, f"spend {n}") for n in range(24)]
    outcomes = await asyncio.gather(*(services[n % 2].handle(spend) for n, spend in enumerate(spends)))

    assert all(isinstance(outcome, Applied) and not outcome.replayed for outcome in outcomes)
    assert await available(desk) == 16
    await assert_whole(desk)


async def test_cockroach_14670_five_writers_on_one_account_all_get_through(
    desk: Desk, database_url: str, clock: VirtualClock
) -> None:
    """There, a contended ledger with five writers came to nothing but retries."""
    databases = [Database.connect(database_url, clock=clock) for _ in range(5)]
    for database in databases:
        await database.open()
    services = [BillingService(database.store, clock, PLANS) for database in databases]
    outcomes = await asyncio.gather(
        *(service.handle(desk.spend(1, f"{n} {m}")) for n, service in enumerate(services) for m in range(4))
    )
    for database in databases:
        await database.close()

    # Ten credits for twenty spends.
    assert sum(isinstance(outcome, Applied) for outcome in outcomes) == 10
    assert await available(desk) == 0
    await assert_whole(desk)


async def test_formance_764_767_and_770_customers_in_opposite_orders_lock_nobody_out(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, transactions over the same accounts in different orders waited for each other until one was killed."""
    others = [await Desk.opened(desk.database, desk.clock, 10, github_id=github_id) for github_id in (8, 9)]
    desks = [desk, *others]
    there = [one.spend(1, f"there {n}") for n in range(5) for one in desks]
    back = [one.spend(1, f"back {n}") for n in range(5) for one in reversed(desks)]
    outcomes = await asyncio.gather(
        *(services[0].handle(command) for command in there), *(services[1].handle(command) for command in back)
    )

    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    assert [await available(one) for one in desks] == [0, 0, 0]


async def test_autumn_3230_2153_and_630_what_was_answered_is_in_the_database_and_nowhere_else(
    desk: Desk, database_url: str, clock: VirtualClock
) -> None:
    """There, the live balance was in a cache, and what hadn't been written back when that was wiped came again."""
    await desk.do(desk.spend(3, "used"))
    await desk.do(desk.hold(2, "work"))
    before = await dump(database_url, LEDGER)
    # Nothing of the first program is closed, told, or asked.
    second = Database.connect(database_url, clock=clock)
    await second.open()
    outcome = await BillingService(second.store, clock, PLANS).handle(desk.spend(6, "one too many"))
    await second.close()

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InsufficientCreditsError)
    assert outcome.error.available == 5
    assert await dump(database_url, LEDGER) == before


async def test_flexprice_602_605_and_612_a_late_event_tells_when_it_happened_and_when_it_was_booked(
    desk: Desk, services: Sequence[BillingService]
) -> None:
    """There, events could be taken in twice, and what was backfilled left no trail."""
    happened_at = desk.clock.now()
    desk.clock.advance(days=9)
    outcomes = await at_once(services, [desk.usage(4, "late", happened_at)] * 2)

    assert [isinstance(outcome, Applied) for outcome in outcomes] == [True] * 4
    entries = (await desk.database.reads.entries(desk.account_id)).entries
    assert [(entry.occurred_at, entry.recorded_at) for entry in entries[1:]] == [(happened_at, desk.clock.now())]
    assert await available(desk) == 6


async def test_polar_5648_a_balance_is_the_same_from_wherever_it_is_looked_at(desk: Desk) -> None:
    """There, the balance depended on where the calculation started."""
    stood = {}
    for n in range(6):
        desk.clock.advance(hours=1)
        await desk.do(desk.spend(1, f"spend {n}") if n % 2 else desk.hold(1, f"hold {n}"))
        stood[desk.clock.now()] = await available(desk)

    for moment, count in stood.items():
        balance = await desk.database.reads.balance_at(desk.customer_id, moment)
        assert balance is not None
        assert balance.available == count
