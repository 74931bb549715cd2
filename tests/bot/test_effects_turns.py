"""Effects whose turn hasn't come: they come back at their time, without an attempt, and keep no place meanwhile."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.effects import LEASE_SECONDS, SENT_WITHIN_SECONDS, EffectSender, Send
from bot.retries import NotYetError, RetryPolicy
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import ClaimedEffect, EffectRow, NewEffect
from tests.bot.working import FEW, running, until, until_true

TOPIC = "test"


class Line:
    """Sends each effect on its second coming only, and notes who came when."""

    def __init__(self, clock: VirtualClock, until: Callable[[ClaimedEffect], datetime]) -> None:
        self._clock = clock
        self._until = until
        self.came: list[tuple[str, datetime, int]] = []

    async def send(self, effect: ClaimedEffect) -> str:
        self.came.append((effect.payload.decode(), self._clock.now(), effect.attempts))
        if effect.lease_number == 1:
            raise NotYetError(self._until(effect))
        return ""

    def names(self) -> list[str]:
        return [name for name, _, _ in self.came]


def sender(
    database: Database,
    clock: VirtualClock,
    send: Send,
    *,
    at_once: int = 16,
    within_seconds: float = SENT_WITHIN_SECONDS,
    policy: RetryPolicy = FEW,
) -> EffectSender:
    return EffectSender(
        outbox=database.outbox,
        topic=TOPIC,
        send=send,
        clock=clock,
        chance=random.Random(0),
        policy=policy,
        at_once=at_once,
        within_seconds=within_seconds,
    )


async def enqueue(database: Database, clock: VirtualClock, name: str, *, key: str = "") -> None:
    effect = NewEffect(topic=TOPIC, key=key or name, dedupe_key=name, payload=name.encode(), run_at=clock.now())
    assert await database.outbox.enqueue(effect)


async def ends(database: Database) -> list[tuple[str, int]]:
    return [(row.state.value, row.attempts) for row in reversed(await database.outbox.list())]


async def test_it_comes_back_at_its_time_and_was_no_attempt(database: Database, clock: VirtualClock) -> None:
    started = clock.now()
    line = Line(clock, lambda _: started + timedelta(seconds=7))
    await enqueue(database, clock, "a")
    async with running(sender(database, clock, line.send)):
        await until_true(lambda: clock.sleeping and len(line.came) == 1)
        clock.advance(seconds=6)
        await until_true(lambda: clock.sleeping)
        clock.advance(seconds=1)

        async def is_done() -> bool:
            return await ends(database) == [("done", 1)]

        await until(is_done)
    assert line.came == [("a", started, 1), ("a", started + timedelta(seconds=7), 1)]


async def test_who_waits_keeps_no_place_from_others(database: Database, clock: VirtualClock) -> None:
    started = clock.now()
    line = Line(clock, lambda _: started + timedelta(hours=1))
    for name in ("a", "b", "c", "d"):
        await enqueue(database, clock, name)
    async with running(sender(database, clock, line.send, at_once=1)):
        await until_true(lambda: len(line.came) == 4)
    assert sorted(line.names()) == ["a", "b", "c", "d"]
    assert clock.now() == started


async def test_those_behind_it_wait_with_it(database: Database, clock: VirtualClock) -> None:
    started = clock.now()
    line = Line(clock, lambda _: clock.now() + timedelta(seconds=5))
    for name in ("a", "b"):
        await enqueue(database, clock, name, key="same")
    async with running(sender(database, clock, line.send)):
        await until_true(lambda: clock.sleeping and len(line.came) == 1)
        clock.advance(seconds=5)
        await until_true(lambda: clock.sleeping and len(line.came) == 3)
        clock.advance(seconds=5)
        await until_true(lambda: len(line.came) == 4)
    seconds = [(name, (at - started).total_seconds()) for name, at, _ in line.came]
    assert seconds == [("a", 0), ("a", 5), ("b", 5), ("b", 10)]


async def test_it_may_come_back_more_often_than_it_may_fail(database: Database, clock: VirtualClock) -> None:
    came = 0

    async def send(_effect: ClaimedEffect) -> str:
        nonlocal came
        came += 1
        if came <= 50:
            raise NotYetError(clock.now())
        return ""

    await enqueue(database, clock, "a")
    async with running(sender(database, clock, send)):

        async def is_done() -> bool:
            return await ends(database) == [("done", 1)]

        await until(is_done)
    assert came == 51


async def test_what_comes_back_without_end_is_given_up_with_an_alarm_and_can_be_sent_again(
    database: Database, clock: VirtualClock
) -> None:
    came, is_turn = 0, False

    async def send(_effect: ClaimedEffect) -> str:
        nonlocal came
        came += 1
        if not is_turn:
            raise NotYetError(clock.now())
        return ""

    await enqueue(database, clock, "a")
    one = sender(database, clock, send, policy=replace(FEW, claims=10))
    async with running(one):

        async def the_row() -> EffectRow:
            # The alarm about it is an effect, too.
            [row] = [row for row in await database.outbox.list() if row.topic == TOPIC]
            return row

        async def has_state(state: str) -> bool:
            return (await the_row()).state == state

        await until(lambda: has_state("dead"))
        assert came == 9
        row = await the_row()
        assert "10 times" in row.error
        [alarm] = await database.alarms.list()
        assert (alarm.kind, alarm.subject) == ("effect_dead", TOPIC)
        is_turn = True
        assert await database.outbox.retry_dead([row.id]) == [row.id]
        one.wake()
        await until(lambda: has_state("done"))
    assert came == 10


async def test_what_hangs_is_broken_off_before_its_lease_ends_and_tried_again(
    database: Database, clock: VirtualClock
) -> None:
    came, broken_off = 0, 0

    async def send(_effect: ClaimedEffect) -> str:
        nonlocal came, broken_off
        came += 1
        if came == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                broken_off += 1
                raise
        return ""

    started = clock.now()
    await enqueue(database, clock, "a")
    async with running(sender(database, clock, send, within_seconds=0.05)):

        async def is_put_off() -> bool:
            return "within 0.05 seconds" in (await database.outbox.list())[0].error

        await until(is_put_off)
        [row] = await database.outbox.list()
        # What it had begun may go on, so that nobody begins again sooner than a dead process would be followed.
        assert (row.run_at - started).total_seconds() >= LEASE_SECONDS - SENT_WITHIN_SECONDS > 0
        clock.set(row.run_at)

        async def is_done() -> bool:
            return await ends(database) == [("done", 2)]

        await until(is_done)
    assert (came, broken_off) == (2, 1)


async def test_a_time_out_of_the_senders_own_is_an_ordinary_failure(database: Database, clock: VirtualClock) -> None:
    async def send(_effect: ClaimedEffect) -> str:
        raise TimeoutError("the mail server is slow")

    started = clock.now()
    await enqueue(database, clock, "a")
    async with running(sender(database, clock, send)):

        async def is_put_off() -> bool:
            return (await database.outbox.list())[0].error == "the mail server is slow"

        await until(is_put_off)
        [row] = await database.outbox.list()
        assert (row.run_at - started).total_seconds() == FEW.first_seconds
