"""Rounds of the ledger's benchmark: who is measured in turns with whom, and what comes of it."""

import gc
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.callers import Heartbeat, Load, ask
from benchmarks.ledger_ceiling import PostgresCeiling, SqliteCeiling
from benchmarks.ledger_contenders import Contender, Product, Unbatched
from benchmarks.ledger_places import ACCOUNTS, FIRST_CUSTOMER, Place
from benchmarks.pairs import Spread
from benchmarks.progress import tell

CUSTOMERS = {"one": 1, "10,000": ACCOUNTS}
"""How many accounts are spent from, by the name of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long is measured: so many pairs of rounds, so many seconds each, with so many waiting callers in turn."""

    pairs: int
    seconds: float
    callers: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table: what so many callers saw of the product, its ceiling and the unbatched path, in turns."""

    engine: str
    accounts: str
    callers: int
    product: list[Load] = field(default_factory=list)
    ceiling: list[Load] = field(default_factory=list)
    unbatched: list[Load] = field(default_factory=list)

    @property
    def of_ceiling(self) -> Spread:
        """The product's speed over its ceiling's."""
        return ratio(self.product, self.ceiling)

    @property
    def over_unbatched(self) -> Spread:
        """The product's speed over that of one spend a transaction."""
        return ratio(self.product, self.unbatched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The product's speed in one situation over that in another, in pairs."""

    engine: str
    what: str
    ratio: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How long the event loop was held while the product was busy, in milliseconds.

    `own` is the time for which the loop's thread computed between two beats, the product's share of it.
    """

    engine: str
    accounts: str
    callers: int
    longest: float
    p99: float
    longest_own: float


def ratio(loads: Sequence[Load], others: Sequence[Load]) -> Spread:
    """How many times as fast one was as the other, round by round."""
    return Spread.of_ratios([load.rate for load in loads], [load.rate for load in others])


def middle_rate(loads: Sequence[Load]) -> float:
    """The median of the rounds' answers a second."""
    return Spread.of([load.rate for load in loads]).median


def latencies(loads: Sequence[Load]) -> str:
    """The medians of the rounds' p50, p95 and p99 in milliseconds, for people."""
    parts = (Spread.of([load.latency_milliseconds(part) for load in loads]).median for part in (0.5, 0.95, 0.99))
    return " / ".join(f"{figure:.2f}" for figure in parts)


class Rounds:
    """All rounds on one engine, each contender with a database of its own."""

    def __init__(self, place: Place, effort: Effort) -> None:
        self._engine = place.engine
        self._effort = effort
        self._random = random.Random(4)
        ceiling = SqliteCeiling if place.engine == "SQLite" else PostgresCeiling
        self._product = Product(place.copy())
        self._ceiling = ceiling(place.copy())
        self._unbatched = Unbatched(place.copy())

    async def open(self) -> None:
        """Connect everybody, and let each get warm."""
        tell(f"{self._engine}: warming up")
        for contender in (self._product, self._ceiling, self._unbatched):
            await contender.open()
            for accounts in CUSTOMERS:
                await self._load(contender, accounts, 64)
        # As the server does once it has started.
        gc.collect()
        gc.freeze()

    async def close(self) -> None:
        """Let everybody go."""
        for contender in (self._product, self._ceiling, self._unbatched):
            await contender.close()

    async def table(self) -> list[Measured]:
        """The product, its ceiling and the unbatched path, for one account and for many, with few callers and many."""
        return [
            await self._measure(Measured(engine=self._engine, accounts=accounts, callers=callers))
            for accounts in CUSTOMERS
            for callers in self._effort.callers
        ]

    async def comparisons(self) -> list[Compared]:
        """The product with a busy account against the same with many, and with many callers of one against few."""
        return [
            await self._compare("64 callers: one account over 10,000", ("one", 64), ("10,000", 64)),
            await self._compare("one account: 32 callers over 8", ("one", 32), ("one", 8)),
        ]

    async def held(self) -> list[Held]:
        """How long the event loop is held, apart from the other rounds: looking costs a little."""
        return [
            await self._hold(accounts, callers)
            for accounts in CUSTOMERS
            for callers in self._effort.callers
            if callers > 1
        ]

    async def _measure(self, row: Measured) -> Measured:
        tell(f"{self._engine}: {row.callers} callers, accounts: {row.accounts}; rounds: {self._effort.pairs}")
        turns = ((self._product, row.product), (self._ceiling, row.ceiling), (self._unbatched, row.unbatched))
        for _ in range(self._effort.pairs):
            for contender, loads in turns:
                loads.append(await self._load(contender, row.accounts, row.callers))
        return row

    async def _compare(self, what: str, one: tuple[str, int], other: tuple[str, int]) -> Compared:
        tell(f"{self._engine}: {what}")
        loads: list[Load] = []
        others: list[Load] = []
        for _ in range(self._effort.pairs):
            loads.append(await self._load(self._product, *one))
            others.append(await self._load(self._product, *other))
        return Compared(engine=self._engine, what=what, ratio=ratio(loads, others))

    async def _hold(self, accounts: str, callers: int) -> Held:
        tell(f"{self._engine}: how long the event loop is held: {callers} callers, accounts: {accounts}")
        with Heartbeat() as heartbeat:
            for _ in range(self._effort.pairs):
                await self._load(self._product, accounts, callers)
        return Held(
            engine=self._engine,
            accounts=accounts,
            callers=callers,
            longest=heartbeat.longest_milliseconds,
            p99=heartbeat.p99_milliseconds,
            longest_own=heartbeat.longest_own_milliseconds,
        )

    async def _load(self, contender: Contender, accounts: str, callers: int) -> Load:
        last = FIRST_CUSTOMER + CUSTOMERS[accounts] - 1
        draw = self._random

        async def question() -> None:
            await contender.spend(draw.randint(FIRST_CUSTOMER, last), f"{draw.getrandbits(128):032x}")

        return await ask(question, callers=callers, seconds=self._effort.seconds)
