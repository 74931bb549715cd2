"""What billing relies on in a store, held by the one in memory and by the databases alike: tests may use either."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from billing.commands import Lease, ShowFigures
from billing.ledger.chain import FIRST_HEAD
from billing.ports import Changes, Store, Unit, Wanted
from billing.records import Alarm, Loss, Recovery, Remembered, Reply, SignupSlot
from billing.service import BillingService
from billing.state import CustomerState
from billing.values import AccountId, GitHubAccountId, HoldId, Provider, Reaction
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.billing.builders import (
    ACCOUNT,
    ACCOUNT_ID,
    CUSTOMER_ID,
    PLANS,
    PRO,
    History,
    asked,
    grant,
    spend,
    truth,
)
from tests.billing.random_requests import random_request
from tests.database import START
from tests.fakes import MemoryStore

NOTHING_MORE = Wanted(now=START)

STORES = ("memory", "sqlite", "postgresql")


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest) -> str:
    """Where the store is."""
    return "memory" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def store(address: str, clock: VirtualClock) -> AsyncIterator[Store]:
    """A store without anything in it."""
    if address == "memory":
        yield MemoryStore()
        return
    database = Database.connect(address, clock=clock)
    await database.open()
    yield database.store
    await database.close()


def history() -> History:
    """A customer with an installation, a plan and credits by hand."""
    history = History(now=START)
    history.install()
    history.follow(truth(PRO, billed_at=START + timedelta(days=20)), effective_at=START)
    history.do(grant(3, key="a", expires_at=START + timedelta(days=5)))
    return history


async def keep(store: Store, before: CustomerState | None, after: History, *, booked: int = 0) -> None:
    """Save the customer as the history has it by now, with the entries since so many."""
    changes = Changes(
        states=[(before, replace(after.customer, grants=tuple(after.all_grants.values())))],
        entries=after.journal[booked:],
    )
    await store.transact(lambda unit: unit.save(changes, START))


async def load(store: Store, wanted: Wanted = NOTHING_MORE) -> CustomerState | None:
    """The customer as the store has it."""
    locked = await store.transact(lambda unit: unit.lock([CUSTOMER_ID], [ACCOUNT.id], wanted))
    assert locked.by_id.get(CUSTOMER_ID) == locked.by_github.get(ACCOUNT.id)
    assert not locked.busy
    return locked.by_id.get(CUSTOMER_ID)


async def test_what_was_saved_is_loaded_with_the_open_grants(store: Store) -> None:
    assert await load(store) is None
    saved = history()
    await keep(store, None, saved)
    loaded = await load(store)
    assert loaded is not None
    assert sorted(loaded.grants, key=lambda each: each.number) == sorted(
        saved.customer.grants, key=lambda each: each.number
    )
    assert replace(loaded, grants=()) == replace(saved.customer, grants=())

    before, booked = loaded, len(saved.journal)
    saved.do(spend(10, key="b"))
    await keep(store, before, saved, booked=booked)
    loaded = await load(store)
    assert loaded is not None
    assert {each.number for each in loaded.grants} == {each.number for each in saved.customer.grants} == {1, 2}


async def test_whether_figures_are_shown_is_kept(store: Store) -> None:
    saved = history()
    await keep(store, None, saved)
    before, booked = await load(store), len(saved.journal)
    for shown in (True, False):
        saved.do(ShowFigures(customer_id=CUSTOMER_ID, shown=shown))
        await keep(store, before, saved, booked=booked)
        before = await load(store)
        assert before is not None
        assert before.customer.shows_figures is shown


async def test_a_reply_is_saved_once_however_often_it_comes(store: Store) -> None:
    reply = Reply(question=asked().question, reaction=Reaction.EYES)
    for _ in range(2):
        await store.transact(lambda unit: unit.save(Changes(replies=[reply]), START))


async def test_what_raises_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        await store.transact(lambda unit: (unit.new_ids(2), 1 // 0))
    saved = history()
    await keep(store, None, saved)
    again = replace(saved.journal[0], seq=9, previous_hash=FIRST_HEAD)
    loss = Loss(customer_id=CUSTOMER_ID, provider=Provider.GITHUB_MARKETPLACE, at=START)
    with pytest.raises(Exception, match=r"."):
        await store.transact(lambda unit: unit.save(Changes(entries=[again], losses=[loss]), START))
    assert await store.transact(lambda unit: unit.losses_since(START)) == 0


async def test_nobodys_update_is_lost(store: Store) -> None:
    saved = history()
    await keep(store, None, saved)
    stale = replace(saved.customer, account=replace(saved.customer.account, version=1))
    saved.do(spend(1, key="b"))
    with pytest.raises(Exception, match=r"."):
        await keep(store, stale, saved, booked=3)
    with pytest.raises(Exception, match=r"."):
        await keep(store, None, saved, booked=3)


async def test_answers_are_remembered_of_entries_and_refusals(store: Store) -> None:
    saved = history()
    await keep(store, None, saved)
    refusal = Remembered(
        account_id=ACCOUNT_ID, key="r", request_hash=bytes(32), seq=0, refusal='{"error": "x"}', recorded_at=START
    )
    await store.transact(lambda unit: unit.save(Changes(refusals=[refusal]), START))
    keys = [(ACCOUNT_ID, "a"), (ACCOUNT_ID, "r"), (ACCOUNT_ID, "none"), (AccountId(99), "a")]
    remembered = await store.transact(lambda unit: unit.remembered(keys))
    entry = saved.journal[2]
    assert dict(remembered) == {
        (ACCOUNT_ID, "r"): refusal,
        (ACCOUNT_ID, "a"): Remembered(
            account_id=ACCOUNT_ID,
            key="a",
            request_hash=entry.request_hash,
            seq=3,
            refusal="",
            recorded_at=START,
        ),
    }


async def test_ids_ascend_and_never_come_twice(store: Store) -> None:
    first = await store.transact(lambda unit: list(unit.new_ids(3)))
    second = await store.transact(lambda unit: list(unit.new_ids(2)))
    assert first + second == sorted({*first, *second})


async def test_losses_and_living_subscriptions_are_counted(store: Store) -> None:
    await keep(store, None, history())
    losses = [
        Loss(customer_id=CUSTOMER_ID, provider=Provider.GITHUB_MARKETPLACE, at=START + timedelta(hours=hours))
        for hours in range(3)
    ]
    await store.transact(lambda unit: unit.save(Changes(losses=losses), START))
    assert await store.transact(lambda unit: unit.losses_since(START + timedelta(hours=1))) == 2
    assert await store.transact(lambda unit: unit.living_subscriptions()) == 1


async def test_a_place_can_be_taken_and_taken_over(store: Store) -> None:
    await keep(store, None, history())
    installer = GitHubAccountId(77)
    taken = SignupSlot(installer_id=installer, slot=1, customer_id=CUSTOMER_ID, taken_at=START)
    await store.transact(lambda unit: unit.save(Changes(signup_slots=[taken]), START))
    assert list(await store.transact(lambda unit: unit.signup_slots([installer, GitHubAccountId(78)]))) == [taken]
    later = replace(taken, taken_at=START + timedelta(days=31))

    def take_over(unit: Unit) -> None:
        assert list(unit.signup_slots([installer])) == [taken]
        unit.save(Changes(signup_slots=[later]), START)

    await store.transact(take_over)
    assert list(await store.transact(lambda unit: unit.signup_slots([installer]))) == [later]


async def test_a_lease_that_nobody_has_is_lost(store: Store) -> None:
    lease = Lease(partition="github:7", number=1)
    assert set(await store.transact(lambda unit: unit.lost_leases([lease]))) == {lease}


async def test_alarms_and_recoveries_can_be_saved_in_one_batch(store: Store) -> None:
    alarm = Alarm(kind="unknown_plan", subject="plan:9999", detail="map it")
    changes = Changes(alarms=[alarm], recoveries=[Recovery(kind="unknown_plan", subject="plan:1")])
    await store.transact(lambda unit: unit.save(changes, START))


@pytest.mark.parametrize("seed", range(6))
async def test_the_same_commands_make_the_same_ledger_everywhere(store: Store, seed: int) -> None:
    saved = History(now=START)
    saved.install()
    await keep(store, None, saved)
    clock = VirtualClock(START, frozen=True)
    service = BillingService(store, clock, PLANS)
    random = Random(seed)
    holds: list[HoldId] = []
    for number in range(80):
        command = random_request(random, number, clock.now(), holds)
        outcome = await service.handle(command)
        everything = await load(store, Wanted(now=clock.now(), holds=[HoldId(each) for each in range(1, 200)]))
        assert everything is not None
        holds = sorted(each.id for each in everything.holds)
        saved.now, saved.hold_id = clock.now(), holds[-1] if holds else HoldId(0)
        expected = saved.do(command).outcome
        assert repr(outcome) == repr(expected)
        clock.advance(hours=random.randint(0, 3))
    await service.close()
    loaded = await load(store, Wanted(now=clock.now(), holds=holds))
    assert loaded is not None
    assert loaded.account == saved.customer.account, "to the last byte of the chain's head"
    assert {each for each in loaded.grants if each.remaining} == set(saved.customer.grants)
    assert sorted(loaded.holds, key=lambda each: each.id) == list(saved.all_holds.values())
