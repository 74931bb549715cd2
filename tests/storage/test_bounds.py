"""What a database can't hold never gets to it, and what is just within bounds is kept as it was, on both engines."""

import asyncio
from dataclasses import replace

from billing.commands import Applied, CaptureHold, FollowRefund, KeyedCommand, Refused, ReverseEntry, SpendCredits
from billing.decide.bounds import MOST_NUMBERED
from billing.errors import OutOfBoundsError
from billing.values import Credits, CustomerId, HoldId
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.billing.materials import note
from tests.storage.every_command import ACTOR, Desk
from tests.storage.faults import Traffic, watched

BEYOND = MOST_NUMBERED + 1
LIKED = "Größe ~ 鍵 🔑"
"""Whatever can be seen may stand in a key."""


def about(desk: Desk, number: int) -> list[KeyedCommand]:
    """Commands that name a hold, a grant and an entry by this number, of which there are none."""
    return [
        CaptureHold(
            customer_id=desk.customer_id, hold_id=HoldId(number), amount=Credits(1), key=f"c{number}", actor=ACTOR
        ),
        FollowRefund(
            customer_id=desk.customer_id,
            grant_number=number,
            paid_cents=600,
            refunded_cents=600,
            key=f"r{number}",
            actor=ACTOR,
            reference="",
        ),
        ReverseEntry(customer_id=desk.customer_id, seq=number, actor=ACTOR, note=note()),
    ]


async def test_what_no_database_holds_is_refused_alone_and_the_batch_is_one_commit(
    database: Database, clock: VirtualClock
) -> None:
    desk = await Desk.opened(database, clock, 50)
    wrong: list[KeyedCommand] = [
        *about(desk, BEYOND),
        *(desk.spend(1, f"k{character}") for character in ("\0", "\ud800", "k" * 200)),
        replace(desk.spend(1, "a"), actor="a\0"),
        replace(desk.spend(1, "b"), reference="b\udfff"),
        replace(desk.grant(1, "c"), note=note("c\0")),
        replace(desk.spend(1, "d"), customer_id=CustomerId(BEYOND)),
    ]
    sound = [desk.spend(1, f"sound {number}") for number in range(20)]
    with watched(Traffic()) as traffic:
        outcomes = await asyncio.gather(*(desk.service.handle(command) for command in (*wrong, *sound)))
    assert traffic.commits == 1
    for outcome in outcomes[: len(wrong)]:
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, OutOfBoundsError)
    assert all(isinstance(outcome, Applied) for outcome in outcomes[len(wrong) :])


async def test_the_largest_numbers_and_the_longest_texts_are_fine(database: Database, clock: VirtualClock) -> None:
    desk = await Desk.opened(database, clock, 50)
    for command in (
        *about(desk, MOST_NUMBERED),
        replace(desk.spend(1, "nobody"), customer_id=CustomerId(MOST_NUMBERED)),
    ):
        outcome = await desk.service.handle(command)
        assert isinstance(outcome, Refused)
        assert not isinstance(outcome.error, OutOfBoundsError)
    key, actor, reference = (f"{LIKED}{'🔑' * (most - len(LIKED))}" for most in (200, 100, 500))
    longest: SpendCredits = replace(desk.spend(1, key), actor=actor, reference=reference)
    await desk.do(longest)
    said = f"two\nlines\t{'👩‍🚀' * 600}"
    await desk.do(replace(desk.grant(1, "noted"), note=note(said)))
    page = await database.reads.entries(desk.account_id, after_seq=0, limit=10)
    spent, granted = page.entries[-2:]
    assert (spent.key, spent.actor, spent.reference) == (key, actor, reference)
    assert page.notes[granted.seq].text == said
    assert await desk.service.handle(longest) == Applied(
        customer_id=desk.customer_id, entries=(spent.seq,), replayed=True
    )
