"""The store's contract: what is saved is what is loaded, all of it or nothing, and nobody's update is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from billing.errors import InsufficientCreditsError
from billing.ports import Changes, Loss, Remembered, SignupSlot, Unit
from billing.state import CustomerState
from billing.values import AccountId, CustomerId, GitHubAccountId, Provider, SubscriptionState
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.errors import LostUpdateError
from tests.storage.builders import WANTED, Booking, installation, load, new_customer, provision, spend, subscription
from tests.storage.raw import engine_of, execute, scalar

HASH = bytes(range(32))


async def save(database: Database, before: CustomerState | None, after: CustomerState, now: datetime) -> None:
    await database.store.transact(lambda unit: unit.save(Changes(states=[(before, after)]), now))


async def test_a_new_customer_is_loaded_as_it_was_saved(database: Database, clock: VirtualClock) -> None:
    fresh = new_customer(1, 2, 7, clock.now(), login="octocat")
    full = replace(
        fresh,
        customer=replace(fresh.customer, signup_at=clock.now(), signup_withheld=True, shows_figures=True),
        subscriptions=(subscription(clock.now()),),
        installations=(installation(70, clock.now()), installation(71, clock.now())),
    )
    await save(database, None, full, clock.now())

    assert await load(database, CustomerId(1)) == full


async def test_only_what_differs_is_changed(database: Database, clock: VirtualClock) -> None:
    before = await provision(database, clock)
    with_plan = replace(
        before,
        customer=replace(before.customer, github_login="new-name", signup_at=clock.now(), shows_figures=True),
        subscriptions=(subscription(clock.now()),),
        installations=(installation(70, clock.now()),),
    )
    await save(database, before, with_plan, clock.now())
    assert await load(database, before.customer.id) == with_plan

    plan = with_plan.subscriptions[0]
    ended = replace(
        with_plan,
        subscriptions=(
            replace(plan, state=SubscriptionState.ENDED, ended_at=clock.now(), period=None, unit_count=3, plan="other"),
        ),
        installations=(replace(with_plan.installations[0], observation=9, repository_selection="selected"),),
    )
    await save(database, with_plan, ended, clock.now())
    assert await load(database, before.customer.id) == ended


async def test_customers_are_found_by_either_id_and_strangers_are_not(database: Database, clock: VirtualClock) -> None:
    first = await provision(database, clock, 7, credits_=5)
    second = await provision(database, clock, 8)

    locked = await database.store.transact(
        lambda unit: unit.lock(
            [second.customer.id, CustomerId(999)], [GitHubAccountId(7), GitHubAccountId(8), GitHubAccountId(9)], WANTED
        )
    )

    assert locked.by_id == {second.customer.id: second}
    assert locked.by_github == {GitHubAccountId(7): first, GitHubAccountId(8): second}
    assert not locked.busy


async def test_what_is_booked_is_loaded_with_its_open_grants_only(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, credits_=5)
    expiry = clock.now() + timedelta(days=30)
    booking = Booking(before=state, state=state, now=clock.now())
    booking.grant(10, "second", expires_at=expiry)
    booking.spend(12, "third")
    await database.store.transact(lambda unit: unit.save(booking.changes(), clock.now()))

    loaded = await load(database, state.customer.id)
    assert loaded.account == booking.book.account
    assert loaded.account.posted == 3
    assert [(grant.number, grant.remaining) for grant in loaded.grants] == [(1, 3)]
    grants = await database.reads.grants(state.account.id, include_closed=True)
    assert [(grant.number, grant.remaining, grant.expires_at) for grant in grants] == [
        (1, 3, state.grants[0].expires_at),
        (2, 0, expiry),
    ]


async def test_a_grant_made_and_used_up_at_once_is_kept(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock)
    booking = Booking(before=state, state=state, now=clock.now())
    booking.grant(4, "given")
    booking.spend(4, "taken")
    await database.store.transact(lambda unit: unit.save(booking.changes(), clock.now()))

    assert [(grant.amount, grant.remaining) for grant in await database.reads.grants(state.account.id)] == []
    grants = await database.reads.grants(state.account.id, include_closed=True)
    assert [(grant.amount, grant.remaining) for grant in grants] == [(4, 0)]


async def test_answers_are_remembered_for_entries_and_refusals(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, credits_=5)
    account_id = state.account.id
    refusal = Remembered(
        account_id=account_id,
        key="too-much",
        request_hash=HASH,
        seq=0,
        refusal='{"requested": 9}',
        recorded_at=clock.now(),
    )
    await database.store.transact(lambda unit: unit.save(Changes(refusals=[refusal]), clock.now()))

    keys = [(account_id, "first:7"), (account_id, "too-much"), (account_id, "other"), (AccountId(99), "first:7")]
    remembered = await database.store.transact(lambda unit: unit.remembered(keys))

    assert set(remembered) == set(keys[:2])
    assert remembered[account_id, "too-much"] == refusal
    answer = remembered[account_id, "first:7"]
    assert (answer.seq, answer.refusal, answer.recorded_at) == (1, "", clock.now())


async def test_more_is_looked_up_than_fits_a_list(database: Database, clock: VirtualClock) -> None:
    states = [new_customer(100 + n, 1000 + n, n, clock.now()) for n in range(1, 131)]
    changes = Changes(states=[(None, state) for state in states])
    await database.store.transact(lambda unit: unit.save(changes, clock.now()))

    locked = await database.store.transact(lambda unit: unit.lock([], [GitHubAccountId(n) for n in range(131)], WANTED))

    assert list(locked.by_github.values()) == states


async def test_ids_are_fresh_and_ascend(database: Database) -> None:
    drawn = await asyncio.gather(*(database.store.transact(lambda unit: unit.new_ids(3)) for _ in range(20)))

    numbers = [number for batch in drawn for number in batch]
    assert len(set(numbers)) == 60
    assert all(list(batch) == sorted(batch) for batch in drawn)
    assert await database.store.transact(lambda unit: unit.new_ids(0)) == []


async def test_losses_and_living_subscriptions_are_counted(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock)
    await save(database, state, replace(state, subscriptions=(subscription(clock.now()),)), clock.now())
    losses = [
        Loss(
            customer_id=state.customer.id,
            provider=Provider.GITHUB_MARKETPLACE,
            at=clock.now() - timedelta(minutes=minutes),
        )
        for minutes in (0, 59, 60, 61)
    ]
    await database.store.transact(lambda unit: unit.save(Changes(losses=losses), clock.now()))

    since = clock.now() - timedelta(hours=1)
    assert await database.store.transact(lambda unit: unit.losses_since(since)) == 3
    assert await database.store.transact(lambda unit: unit.living_subscriptions()) == 1


async def test_a_signup_place_is_taken_and_reused_and_never_shared(database: Database, clock: VirtualClock) -> None:
    first = await provision(database, clock, 7)
    second = await provision(database, clock, 8)
    installer = GitHubAccountId(5)

    def take(customer: CustomerState) -> Callable[[Unit], None]:
        def work(unit: Unit) -> None:
            taken = {slot.slot for slot in unit.signup_slots([installer])}
            slot = SignupSlot(
                installer_id=installer,
                slot=min({1, 2, 3} - taken, default=1),
                customer_id=customer.customer.id,
                taken_at=clock.now(),
            )
            unit.save(Changes(signup_slots=[slot]), clock.now())

        return work

    for customer in (first, second, first, second):
        await database.store.transact(take(customer))

    slots = await database.store.transact(lambda unit: unit.signup_slots([installer]))
    assert [(slot.slot, slot.customer_id) for slot in slots] == [
        (1, second.customer.id),
        (2, second.customer.id),
        (3, first.customer.id),
    ]
    unseen = SignupSlot(installer_id=installer, slot=1, customer_id=first.customer.id, taken_at=clock.now())
    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.store.transact(lambda unit: unit.save(Changes(signup_slots=[unseen]), clock.now()))


async def test_a_stale_state_is_not_saved_over_a_newer_one(database: Database, clock: VirtualClock) -> None:
    stale = await provision(database, clock, credits_=5)
    await spend(database, clock, stale.customer.id, 1, "meanwhile")
    overtaken = replace(stale, account=replace(stale.account, version=stale.account.version + 2))

    with pytest.raises(LostUpdateError):
        await save(database, stale, overtaken, clock.now())

    assert (await load(database, stale.customer.id)).account.posted == 4


async def test_work_that_raises_leaves_nothing_and_harms_nobody(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, credits_=5)

    def refuse(unit: Unit) -> None:
        unit.save(Changes(states=[(None, new_customer(50, 51, 50, clock.now()))]), clock.now())
        raise InsufficientCreditsError(requested=9, available=5)

    results = await asyncio.gather(
        spend(database, clock, state.customer.id, 1, "before"),
        database.store.transact(refuse),
        spend(database, clock, state.customer.id, 1, "after"),
        return_exceptions=True,
    )

    assert isinstance(results[1], InsufficientCreditsError)
    assert (await load(database, state.customer.id)).account.posted == 3
    assert await database.reads.customer(CustomerId(50)) is None


async def test_many_transactions_that_wait_share_commits(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    state = await provision(database, clock, credits_=200)
    await asyncio.gather(*(spend(database, clock, state.customer.id, 1, f"spend:{n}") for n in range(200)))

    assert (await load(database, state.customer.id)).account.posted == 0
    seen = await execute(database_url, "SELECT seq, balance_after FROM credit_transactions ORDER BY id")
    assert seen == [(n + 1, 200 - n) for n in range(201)]


async def test_a_customer_locked_elsewhere_is_busy_and_holds_up_nobody(
    postgresql_url: str, clock: VirtualClock
) -> None:
    here = Database.connect(postgresql_url, clock=clock)
    there = Database.connect(postgresql_url, clock=clock)
    await here.open()
    await there.open()
    locked_one = await provision(here, clock, 7)
    free_one = await provision(here, clock, 8)
    loop = asyncio.get_running_loop()
    is_locked, may_go = asyncio.Event(), asyncio.Event()

    def hold(unit: Unit) -> None:
        unit.lock([locked_one.customer.id], [], WANTED)
        loop.call_soon_threadsafe(is_locked.set)
        asyncio.run_coroutine_threadsafe(may_go.wait(), loop).result(timeout=60)

    async with asyncio.TaskGroup() as group:
        group.create_task(there.store.transact(hold))
        await is_locked.wait()
        by_id = await here.store.transact(
            lambda unit: unit.lock([locked_one.customer.id, free_one.customer.id], [], WANTED)
        )
        by_github = await here.store.transact(
            lambda unit: unit.lock([], [GitHubAccountId(7), GitHubAccountId(8)], WANTED)
        )
        may_go.set()

    assert dict(by_id.by_id) == {free_one.customer.id: free_one}
    assert set(by_id.busy) == {locked_one.customer.id}
    assert dict(by_github.by_github) == {GitHubAccountId(8): free_one}
    assert set(by_github.busy) == {GitHubAccountId(7)}
    assert not (await here.store.transact(lambda unit: unit.lock([locked_one.customer.id], [], WANTED))).busy
    await here.close()
    await there.close()


async def test_the_same_new_customer_from_two_processes_is_stored_once(
    postgresql_url: str, clock: VirtualClock
) -> None:
    here = Database.connect(postgresql_url, clock=clock)
    there = Database.connect(postgresql_url, clock=clock)
    await here.open()
    await there.open()

    def provision_or_find(unit: Unit, github_id: GitHubAccountId) -> CustomerId:
        found = unit.lock([], [github_id], WANTED).by_github
        if found:
            return found[github_id].customer.id
        customer_id, account_id = unit.new_ids(2)
        fresh = new_customer(customer_id, account_id, github_id, clock.now())
        unit.save(Changes(states=[(None, fresh)]), clock.now())
        return CustomerId(customer_id)

    for github_id in map(GitHubAccountId, range(1, 11)):
        same = partial(provision_or_find, github_id=github_id)
        ids = await asyncio.gather(here.store.transact(same), there.store.transact(same))
        assert ids[0] == ids[1]

    assert await scalar(postgresql_url, "SELECT count(*) FROM customers") == 10
    await here.close()
    await there.close()


async def test_times_and_hashes_come_back_exactly(database: Database, database_url: str, clock: VirtualClock) -> None:
    clock.advance(milliseconds=1)
    state = await provision(database, clock, credits_=3)

    page = await database.reads.entries(state.account.id)

    assert page.entries[0].recorded_at == clock.now()
    assert page.entries[0].hash == state.account.head
    length = {"sqlite": "length", "postgresql": "octet_length"}[engine_of(database_url)]
    assert await scalar(database_url, f"SELECT {length}(key_hash) FROM credit_transactions") == 16
