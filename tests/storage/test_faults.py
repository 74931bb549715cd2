"""A failure before any statement, or at the commit, leaves all or nothing; and what is then repeated happens once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.paces import Limit
from billing.ports import Alarm, Changes, DeliveryEnd, Loss, Recovery, Remembered, SignupSlot, Unit
from billing.values import GitHubAccountId, Provider, Reaction
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import Recorded
from tests.database import START
from tests.storage.builders import (
    WANTED,
    Booking,
    cause_of,
    delivery,
    done,
    effect,
    installation,
    new_customer,
    provision,
    reply,
    subscription,
)
from tests.storage.faults import InjectedError, Traffic, watched
from tests.storage.raw import everything, is_the_same

PACE = (Limit(count=1, seconds=1),)

Operation = Callable[[], Awaitable[object]]
Scenario = Callable[[Database, VirtualClock], Awaitable[Operation]]
"""Sets the stage, and returns the operation whose every statement is to fail in turn."""


async def record_one(database: Database, clock: VirtualClock) -> Operation:
    return lambda: database.inbox.record(delivery("new", clock.now()), effect("new", clock.now()))


async def requeue_one(database: Database, clock: VirtualClock) -> Operation:
    dead = await claimed_one(database, clock, "dead")
    await database.inbox.bury(dead, error="a bug")
    await database.inbox.release([dead.lease])
    return lambda: database.inbox.record(delivery("dead", clock.now()))


async def claimed_one(database: Database, clock: VirtualClock, name: str, *, account: int = 7) -> Any:
    await database.inbox.record(delivery(name, clock.now(), account=account))
    return (await database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60))[0]


async def claim_some(database: Database, clock: VirtualClock) -> Operation:
    idle = await claimed_one(database, clock, "idle", account=1)
    await database.store.transact(lambda unit: unit.save(Changes(deliveries=[done(idle)]), clock.now()))
    clock.advance(seconds=60)
    for name in "abc":
        await database.inbox.record(delivery(name, clock.now(), account=ord(name)))
    return lambda: database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)


async def save_a_batch(database: Database, clock: VirtualClock) -> Operation:
    """Everything that a batch of commands can write."""
    expiry = clock.now() + timedelta(days=1)
    ending = await provision(database, clock, 7, credits_=5)
    opening = Booking(before=ending, state=ending, now=clock.now())
    opening.grant(4, "short-lived", expires_at=expiry)
    await database.store.transact(lambda unit: unit.save(opening.changes(), clock.now()))
    slot = SignupSlot(installer_id=GitHubAccountId(5), slot=1, customer_id=ending.customer.id, taken_at=clock.now())
    await database.store.transact(lambda unit: unit.save(Changes(signup_slots=[slot]), clock.now()))
    await database.alarms.raise_(Alarm(kind="old", subject="one", detail="over soon"))
    clock.set(expiry)
    for number in range(2):
        await database.inbox.record(delivery(f"d{number}", clock.now(), account=number))
    claimed = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)
    ends = [
        done(claimed[0]),
        DeliveryEnd(cause=cause_of(claimed[1]), state="received", run_at=clock.now() + timedelta(hours=1)),
    ]

    def work(unit: Unit) -> int:
        now = clock.now()
        assert not unit.lost_leases([end.cause.lease for end in ends])
        state = unit.lock([ending.customer.id], [GitHubAccountId(99)], WANTED).by_id[ending.customer.id]
        customer_id, account_id = unit.new_ids(2)
        assert not unit.remembered([(state.account.id, "used"), (state.account.id, "refused")])
        unit.signup_slots([slot.installer_id])
        changed = Booking(before=state, state=state, now=now)
        changed.book.book_due()
        changed.grant(10, "given", why="sorry")
        changed.spend(12, "used")
        fresh = Booking(before=None, state=new_customer(customer_id, account_id, 99, now), now=now)
        fresh.grant(5, "signup")
        changes = changed.changes(ends=ends)
        after = replace(
            changed.after(),
            customer=replace(state.customer, github_login="renamed"),
            subscriptions=(subscription(now),),
            installations=(installation(70, now),),
        )
        changes.states = [(state, after), (None, fresh.after())]
        changes.entries += fresh.book.entries
        changes.refusals = [
            Remembered(
                account_id=state.account.id,
                key="refused",
                request_hash=bytes(32),
                seq=0,
                refusal="{}",
                recorded_at=now,
            )
        ]
        changes.losses = [Loss(customer_id=state.customer.id, provider=Provider.GITHUB_MARKETPLACE, at=now)]
        changes.signup_slots = [
            replace(slot, taken_at=now),
            replace(slot, slot=2, taken_at=now),
        ]
        changes.alarms = [Alarm(kind="new", subject="one", detail="look")]
        changes.recoveries = [Recovery(kind="old", subject="one")]
        unit.save(changes, now)
        return changed.after().account.posted

    return lambda: database.store.transact(work)


async def answer_comments(database: Database, clock: VirtualClock) -> Operation:
    """What a batch of answers writes: two replies in one thread, one in another, and the deliveries' ends."""
    for number in range(3):
        await database.inbox.record(delivery(f"d{number}", clock.now(), account=number))
    claimed = await database.inbox.claim(partitions=8, deliveries=8, lease_seconds=60)
    changes = Changes(
        deliveries=[done(one) for one in claimed],
        replies=[reply(1, number=7), reply(2, number=7), reply(3, number=8, reaction=Reaction.CONFUSED)],
    )
    return lambda: database.store.transact(lambda unit: unit.save(changes, clock.now()))


async def take_a_place(database: Database, clock: VirtualClock) -> Operation:
    """The holder of a booking comes when it is due, and others wait behind."""
    for holder in (1, 2, 3):
        await database.paces.take("one", PACE, holder=holder)
    clock.advance(seconds=1)
    return lambda: database.paces.take("one", PACE, holder=2)


async def book_a_place(database: Database, clock: VirtualClock) -> Operation:
    for holder in (1, 2):
        await database.paces.take("one", PACE, holder=holder)
    clock.advance(milliseconds=10)
    return lambda: database.paces.take("one", PACE, holder=3)


async def forget_places(database: Database, clock: VirtualClock) -> Operation:
    for holder in (1, 2):
        await database.paces.take("one", PACE, holder=holder)
    return lambda: database.paces.forget_old(clock.now() + timedelta(hours=1))


async def retry_one(database: Database, clock: VirtualClock) -> Operation:
    claimed = await claimed_one(database, clock, "a")
    return lambda: database.inbox.retry(claimed, run_at=clock.now() + timedelta(hours=1), error="503")


async def bury_one(database: Database, clock: VirtualClock) -> Operation:
    claimed = await claimed_one(database, clock, "a")
    return lambda: database.inbox.bury(claimed, error="a bug")


async def release_one(database: Database, clock: VirtualClock) -> Operation:
    claimed = await claimed_one(database, clock, "a")
    return lambda: database.inbox.release([claimed.lease])


async def replay_one(database: Database, clock: VirtualClock) -> Operation:
    claimed = await claimed_one(database, clock, "a")
    await database.inbox.bury(claimed, error="a bug")
    return lambda: database.inbox.replay([claimed.id])


async def claim_effects(database: Database, clock: VirtualClock) -> Operation:
    for name in "ab":
        await database.outbox.enqueue(effect(name, clock.now(), key=name))
    return lambda: database.outbox.claim("forward", limit=8, lease_seconds=60)


async def finish_effect(database: Database, clock: VirtualClock) -> Operation:
    await database.outbox.enqueue(effect("a", clock.now()))
    claimed = (await database.outbox.claim("forward", limit=8, lease_seconds=60))[0]
    return lambda: database.outbox.done(claimed)


async def put_off_effect(database: Database, clock: VirtualClock) -> Operation:
    for name in "ab":
        await database.outbox.enqueue(effect(name, clock.now()))
    claimed = (await database.outbox.claim("forward", limit=8, lease_seconds=60))[0]
    return lambda: database.outbox.retry(claimed, clock.now() + timedelta(hours=1), "503")


async def defer_effect(database: Database, clock: VirtualClock) -> Operation:
    for name in "ab":
        await database.outbox.enqueue(effect(name, clock.now()))
    claimed = (await database.outbox.claim("forward", limit=8, lease_seconds=60))[0]
    return lambda: database.outbox.defer(claimed, clock.now() + timedelta(hours=1))


async def bury_effect(database: Database, clock: VirtualClock) -> Operation:
    await database.outbox.enqueue(effect("a", clock.now()))
    claimed = (await database.outbox.claim("forward", limit=8, lease_seconds=60))[0]
    return lambda: database.outbox.bury(claimed, "gone")


async def revive_effect(database: Database, clock: VirtualClock) -> Operation:
    await (await bury_effect(database, clock))()
    return lambda: database.outbox.retry_dead([1])


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "record": (record_one, 3),
    "requeue": (requeue_one, 6),
    "claim": (claim_some, 6),
    "save": (save_a_batch, 27),
    "answer": (answer_comments, 3),
    "pace take": (take_a_place, 5),
    "pace book": (book_a_place, 5),
    "pace forget": (forget_places, 4),
    "retry": (retry_one, 2),
    "bury": (bury_one, 4),
    "release": (release_one, 2),
    "replay": (replay_one, 4),
    "effects claim": (claim_effects, 1),
    "effect done": (finish_effect, 1),
    "effect retry": (put_off_effect, 2),
    "effect defer": (defer_effect, 2),
    "effect bury": (bury_effect, 3),
    "effect revive": (revive_effect, 3),
}
"""With the least number of statements that each is known to take, so that none is missed unseen."""

MOST_STATEMENTS = 50


async def run_undisturbed(scenario: Scenario, url: str) -> None:
    """Run a scenario where nothing fails, with a clock of its own."""
    clock = VirtualClock(START, frozen=True)
    database = Database.connect(url, clock=clock)
    await database.open()
    await (await scenario(database, clock))()
    await database.close()


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_failure_anywhere_leaves_all_or_nothing_and_a_repeat_happens_once(
    database: Database, database_url: str, clock: VirtualClock, twin_url: str, name: str
) -> None:
    scenario, least = SCENARIOS[name]
    await run_undisturbed(scenario, twin_url)
    operation = await scenario(database, clock)
    before = await everything(database_url)

    with watched(Traffic(fail_at_commit=1)), pytest.raises(InjectedError):
        await operation()
    assert await everything(database_url) == before
    is_done = False
    fail_at = 0
    while not is_done:
        fail_at += 1
        assert fail_at < MOST_STATEMENTS
        with watched(Traffic(fail_at=fail_at)) as traffic:
            try:
                await operation()
                is_done = True
            except InjectedError:
                assert await everything(database_url) == before, traffic.statements[-1]

    # The last round had nothing left to fail at.
    assert fail_at > least
    assert await is_the_same(database_url, twin_url)


async def test_what_shares_a_transaction_with_a_failure_is_done_all_the_same(
    database: Database, clock: VirtualClock
) -> None:
    """The third statement of the first shared transaction fails: each is run again alone, and every one succeeds."""
    with watched(Traffic(fail_at=3)) as traffic:
        outcomes = await asyncio.gather(*(database.inbox.record(delivery(f"d{n}", clock.now())) for n in range(50)))

    assert outcomes == [Recorded.NEW] * 50
    assert len(await database.inbox.list(limit=100)) == 50
    assert len(await database.inbox.claim(partitions=1, deliveries=64, lease_seconds=60)) == 50
    assert traffic.fail_at == 3
