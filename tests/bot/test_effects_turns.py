"""Effects whose turn hasn't come: they come back at their time, without an attempt, and keep no place meanwhile."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.effects import EffectSender, Send
from bot.retries import NotYetError
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import ClaimedEffect, NewEffect
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


def sender(database: Database, clock: VirtualClock, send: Send, *, at_once: int = 16) -> EffectSender:
    return EffectSender(
        outbox=database.outbox,
        topic=TOPIC,
        send=send,
        clock=clock,
        chance=random.Random(0),
        policy=FEW,
        at_once=at_once,
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
