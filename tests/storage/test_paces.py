"""Paces: no limit is ever broken, whoever waits gets a turn, and whoever never comes is in nobody's way."""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from billing.errors import TemporaryFailureError
from billing.paces import WRITES_OF_INSTALLATION, Limit
from billing.values import from_milliseconds, to_milliseconds
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.paces import TRIES
from tests.sending import watched_sending
from tests.storage.faults import Traffic, watched
from tests.storage.raw import execute
from tests.storage.second_process import PACE, WRITERS, WRITES, write_all
from tests.storage.test_processes import answer, second

PAIRS = (Limit(count=2, seconds=2),)
SINGLE = (Limit(count=1, seconds=1),)
LONG = (Limit(count=2, seconds=2), Limit(count=5, seconds=60))

HOLDERS = 120


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def broken(times: Sequence[datetime], limits: Sequence[Limit]) -> list[tuple[Limit, datetime]]:
    """Where more than a limit's count lie within its time."""
    ascending = sorted(times)
    return [
        (limit, late)
        for limit in limits
        for early, late in zip(ascending, ascending[limit.count :], strict=False)
        if late - early < seconds(limit.seconds)
    ]


async def test_what_fits_goes_at_once_and_the_next_is_told_when(database: Database, clock: VirtualClock) -> None:
    answers = [await database.paces.take("one", PAIRS, holder=holder) for holder in (1, 1, 1, 2, 3)]

    start = clock.now()
    assert answers == [None, None, start + seconds(2), start + seconds(2), start + seconds(4)]


async def test_each_subject_has_a_pace_of_its_own(database: Database) -> None:
    for subject in ("one", "two", "three"):
        assert await database.paces.take(subject, SINGLE, holder=1) is None
        assert await database.paces.take(subject, SINGLE, holder=1) is not None


async def test_whoever_comes_early_is_told_the_same_again(database: Database, clock: VirtualClock) -> None:
    await database.paces.take("one", SINGLE, holder=1)
    told = [await database.paces.take("one", SINGLE, holder=2) for _ in range(3)]

    assert told == [clock.now() + seconds(1)] * 3
    assert await database.paces.take("one", SINGLE, holder=3) == clock.now() + seconds(2)
    clock.advance(seconds=1)
    assert await database.paces.take("one", SINGLE, holder=2) is None


async def test_a_booked_place_is_its_holders_alone(database: Database, clock: VirtualClock) -> None:
    start = clock.now()
    await database.paces.take("one", SINGLE, holder=1)
    assert await database.paces.take("one", SINGLE, holder=2) == start + seconds(1)

    clock.advance(seconds=1)
    # It is the second one's turn: whoever comes by just then is sent behind, and so is who only tries.
    assert await database.paces.take("one", SINGLE, holder=3) == start + seconds(2)
    assert not await database.paces.try_take("one", SINGLE)
    clock.advance(milliseconds=700)
    assert await database.paces.take("one", SINGLE, holder=4) == start + seconds(3)
    assert await database.paces.take("one", SINGLE, holder=2) is None
    # A place is good for one write.
    assert await database.paces.take("one", SINGLE, holder=2) == start + seconds(4)


async def test_a_holder_who_comes_late_moves_the_others_and_breaks_no_limit(
    database: Database, clock: VirtualClock
) -> None:
    start = clock.now()
    for holder in (1, 2, 3, 4):
        await database.paces.take("one", SINGLE, holder=holder)
    clock.set(start + seconds(1.5))
    assert await database.paces.take("one", SINGLE, holder=2) is None

    clock.set(start + seconds(2))
    assert await database.paces.take("one", SINGLE, holder=3) == start + seconds(2.5)
    clock.set(start + seconds(2.5))
    assert await database.paces.take("one", SINGLE, holder=3) is None
    clock.set(start + seconds(3))
    assert await database.paces.take("one", SINGLE, holder=4) == start + seconds(3.5)


@pytest.mark.parametrize("dead", [1, 2, 5])
async def test_a_dead_holder_blocks_nobody(database: Database, clock: VirtualClock, dead: int) -> None:
    await database.paces.take("one", SINGLE, holder=99)
    for holder in range(1, dead + 1):
        await database.paces.take("one", SINGLE, holder=holder)
    told = await database.paces.take("one", SINGLE, holder=50)
    assert told is not None

    clock.set(told)
    assert await database.paces.take("one", SINGLE, holder=50) is None
    clock.advance(seconds=3)
    # Those before never came, and are waited for no longer.
    assert await database.paces.take("one", SINGLE, holder=51) is None


async def test_a_place_is_kept_free_for_a_moment_only(database: Database, clock: VirtualClock) -> None:
    await database.paces.take("one", SINGLE, holder=1)
    await database.paces.take("one", SINGLE, holder=2)

    clock.advance(seconds=2.9)
    assert await database.paces.take("one", SINGLE, holder=3) == clock.now() + seconds(1)
    clock.advance(milliseconds=100)
    assert await database.paces.take("one", SINGLE, holder=4) is not None
    clock.advance(seconds=10)
    assert await database.paces.take("one", SINGLE, holder=5) is None


async def test_a_longer_limit_spreads_those_who_wait(database: Database, clock: VirtualClock) -> None:
    start = clock.now()
    told = [await database.paces.take("one", LONG, holder=holder) for holder in range(1, 13)]

    after = [None if moment is None else (moment - start).total_seconds() for moment in told]
    assert after == [None, None, 2, 2, 4, 60, 60, 62, 62, 64, 120, 120]


async def test_trying_books_nothing(database: Database, clock: VirtualClock) -> None:
    limits = (Limit(count=3, seconds=3600),)
    assert [await database.paces.try_take("repository", limits) for _ in range(5)] == [True] * 3 + [False] * 2

    clock.advance(minutes=59)
    assert not await database.paces.try_take("repository", limits)
    clock.advance(minutes=1)
    assert [await database.paces.try_take("repository", limits) for _ in range(5)] == [True] * 3 + [False] * 2


async def test_looking_for_room_takes_none(database: Database, clock: VirtualClock) -> None:
    limits = (Limit(count=1, seconds=3600),)
    assert [await database.paces.has_room("repository", limits) for _ in range(2)] == [True, True]
    assert await database.paces.try_take("repository", limits)
    assert not await database.paces.has_room("repository", limits)
    clock.advance(hours=1)
    assert await database.paces.has_room("repository", limits)


async def test_after_an_outage_those_who_were_due_come_in_turn_and_no_crowd_comes_again_and_again(
    database: Database, clock: VirtualClock
) -> None:
    for holder in range(1, HOLDERS + 1):
        await database.paces.take("one", WRITES_OF_INSTALLATION, holder=holder)
    clock.advance(hours=1)
    resumed_at = clock.now()
    run = Run(database, clock, chance=random.Random(1), longest_delay_ms=20)
    for holder in range(3, HOLDERS + 1):
        run.come(holder, at=resumed_at, writes=1)

    await run.until_all_are_done()

    assert broken(run.written, WRITES_OF_INSTALLATION) == []
    assert max(run.written) - resumed_at < seconds(HOLDERS * 1.25)
    assert max(run.asked.values()) <= 6
    assert run.asked.total() < 4 * HOLDERS


class Run:
    """Holders who come back when they are told to, a little late, until each has written what it wants to."""

    def __init__(
        self, database: Database, clock: VirtualClock, *, chance: random.Random, longest_delay_ms: int
    ) -> None:
        self._paces = database.paces
        self._clock = clock
        self._chance = chance
        self._longest_delay_ms = longest_delay_ms
        self._calls: list[tuple[datetime, int, int]] = []
        self._waits_since: dict[int, datetime] = {}
        self.written: list[datetime] = []
        self.asked: Counter[int] = Counter()
        self.longest_wait = timedelta()

    def come(self, holder: int, *, at: datetime, writes: int) -> None:
        heapq.heappush(self._calls, (at, holder, writes))

    async def until_all_are_done(self, *, dying: float = 0.0) -> None:
        while self._calls:
            at, holder, writes = heapq.heappop(self._calls)
            if at > self._clock.now():
                self._clock.set(at)
            now = self._clock.now()
            self._waits_since.setdefault(holder, now)
            self.asked[holder] += 1
            told = await self._paces.take("one", WRITES_OF_INSTALLATION, holder=holder)
            if told is None:
                self.written.append(now)
                self.longest_wait = max(self.longest_wait, now - self._waits_since.pop(holder))
                if writes > 1:
                    self.come(holder, at=now, writes=writes - 1)
            elif self._chance.random() >= dying:
                late = timedelta(milliseconds=self._chance.randint(0, self._longest_delay_ms))
                self.come(holder, at=told + late, writes=writes)


@pytest.mark.parametrize(
    ("longest_delay_ms", "seconds_a_write", "longest_wait_seconds"),
    [(0, 1.1, 130), (50, 1.15, 130), (1_000, 1.2, 130), (10_000, 1.75, 350)],
)
async def test_a_crowd_that_comes_late_and_dies_at_times_is_served_at_full_pace(
    database: Database,
    database_url: str,
    clock: VirtualClock,
    longest_delay_ms: int,
    seconds_a_write: float,
    longest_wait_seconds: int,
) -> None:
    """The senders are busy, so that all come late, even much later than a place is kept free."""
    chance = random.Random(longest_delay_ms)
    run = Run(database, clock, chance=chance, longest_delay_ms=longest_delay_ms)
    start = clock.now()
    for holder in range(1, HOLDERS + 1):
        run.come(holder, at=start + timedelta(milliseconds=chance.randint(0, 30_000)), writes=2)

    await run.until_all_are_done(dying=0.05)

    assert broken(run.written, WRITES_OF_INSTALLATION) == []
    rows = await execute(database_url, "SELECT number, at FROM paces ORDER BY number")
    assert [number for number, _ in rows] == list(range(1, len(run.written) + 1))
    assert [from_milliseconds(at) for _, at in rows] == run.written
    assert len(run.written) > 1.5 * HOLDERS
    assert max(run.written) - start < seconds(seconds_a_write * len(run.written))
    # Without a line somebody would wait until all others are done.
    assert run.longest_wait < seconds(longest_wait_seconds)


async def test_takers_of_several_processes_and_threads_keep_the_pace_together(database_url: str) -> None:
    clock = VirtualClock()
    databases = [Database.connect(database_url, clock=clock) for _ in range(2)]
    for database in databases:
        await database.open()

    processes = [await second(database_url, "pace", name) for name in ("1000", "2000")]
    taken = sum(await asyncio.gather(*(write_all(database, clock, 100 * n) for n, database in enumerate(databases))))
    taken += sum([int(await answer(process)) for process in processes])

    assert taken == 4 * WRITERS * WRITES
    rows = await execute(database_url, "SELECT number, at FROM paces ORDER BY number")
    assert [number for number, _ in rows] == list(range(1, taken + 1))
    times = [from_milliseconds(at) for _, at in rows]
    assert times == sorted(times)
    assert broken(times, PACE) == []
    assert await execute(database_url, "SELECT * FROM pace_bookings") == []
    for database in databases:
        await database.close()


@contextmanager
def overtaken(times: int, now: datetime) -> Iterator[None]:
    """Let somebody else be quicker: just before a place is taken its number is taken by them, so many times."""
    left = times

    def overtake(_connection: Connection, sql: str, execute: Callable[[str], object]) -> None:
        nonlocal left
        if left and sql.startswith("INSERT INTO paces "):
            left -= 1
            execute(
                "INSERT INTO paces (subject, number, at) "
                f"SELECT 'one', coalesce(max(number), 0) + 1, {to_milliseconds(now)} FROM paces"
            )

    with watched_sending(overtake):
        yield
    assert left == 0


async def test_whoever_is_overtaken_looks_again(database: Database, database_url: str, clock: VirtualClock) -> None:
    limits = (Limit(count=3, seconds=2),)
    with overtaken(2, clock.now()):
        assert await database.paces.take("one", limits, holder=1) is None
    clock.advance(seconds=2)
    with overtaken(3, clock.now()):
        assert await database.paces.take("one", limits, holder=1) == clock.now() + seconds(2)

    rows = await execute(database_url, "SELECT number FROM paces ORDER BY number")
    assert [number for (number,) in rows] == [1, 2, 3, 4, 5, 6]


async def test_looking_again_has_an_end(database: Database, database_url: str, clock: VirtualClock) -> None:
    limits = (Limit(count=1000, seconds=2),)
    with overtaken(TRIES, clock.now()), pytest.raises(TemporaryFailureError, match="too many"):
        await database.paces.take("one", limits, holder=1)

    assert await execute(database_url, "SELECT * FROM paces") == []
    assert await database.paces.take("one", limits, holder=1) is None


async def test_the_old_is_forgotten_and_the_rest_counts_on(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    limits = (Limit(count=3, seconds=3600),)
    start = clock.now()
    for holder in (1, 2, 3, 4, 5):
        await database.paces.take("busy", limits, holder=holder)
    await database.paces.take("idle", limits, holder=1)
    clock.advance(minutes=50)
    await database.paces.take("late", limits, holder=6)

    assert await database.paces.forget_old(start) == 0
    clock.advance(minutes=10)
    assert await database.paces.take("busy", limits, holder=4) is None
    clock.advance(minutes=30)
    # The fifth never came; the three and the idle one's are older than any limit looks back.
    assert await database.paces.take("busy", limits, holder=7) is None
    assert await database.paces.forget_old(clock.now() - timedelta(hours=1)) == 4
    assert await database.paces.forget_old(clock.now() - timedelta(hours=1)) == 0
    assert await execute(database_url, "SELECT subject, number FROM paces ORDER BY 1, 2") == [
        ("busy", 4),
        ("busy", 5),
        ("late", 1),
    ]
    assert await execute(database_url, "SELECT subject, holder FROM pace_bookings") == [("busy", 5)]
    clock.advance(minutes=29)
    assert await database.paces.take("busy", limits, holder=8) is None
    assert await database.paces.take("busy", limits, holder=9) == start + timedelta(minutes=120)
    assert await database.paces.forget_old(clock.now() - timedelta(hours=1)) == 1


async def test_what_is_booked_for_the_future_is_not_forgotten(database: Database, clock: VirtualClock) -> None:
    limits = (Limit(count=1, seconds=3600),)
    for holder in (1, 2, 3):
        await database.paces.take("one", limits, holder=holder)
    clock.advance(hours=1)

    assert await database.paces.forget_old(clock.now()) == 1
    assert await database.paces.take("one", limits, holder=3) == clock.now() + timedelta(hours=1)
    assert await database.paces.take("one", limits, holder=2) is None


async def test_whoever_asks_together_shares_a_commit(database: Database, clock: VirtualClock) -> None:
    await database.paces.take("warm", SINGLE, holder=1)
    with watched(Traffic()) as traffic:
        told = await asyncio.gather(
            *(database.paces.take(f"subject:{n % 20}", SINGLE, holder=n) for n in range(1, 41)),
        )

    assert told == [None] * 20 + [clock.now() + seconds(1)] * 20
    assert traffic.commits == 1
    # A place: is there a booking, the last one, when it was, who waits, and the place or the booking itself.
    assert len(traffic.statements) <= 40 * 5
