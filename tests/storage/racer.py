"""A process that races others for a customer's last credits: `python -m tests.storage.racer URL CUSTOMER NAME`.

It says each answer as soon as it has it, one JSON object a line. It can be killed at any moment, and begun again: it
then asks everything once more, with the same keys.
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from billing.commands import Applied, CaptureHold, Command, HoldCredits, Outcome, Refused, SpendCredits
from billing.errors import TemporaryFailureError
from billing.service import BillingService
from billing.values import Credits, CustomerId, HoldId
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.every_command import Desk

OWN_SPENDS = 30
SHARED_SPENDS = 30
HOLDS = 6
"""Spends with keys of one's own, with keys that all racers share, and holds that are captured by whoever made them."""

STAGED = 2
"""Credits on each hold that was there before the race."""

AT_ONCE = 8
TRIES = 200

Request = Callable[[], Awaitable[object]]


class Racer:
    """Asks for credits, and tells the answers."""

    def __init__(self, desk: Desk, name: str, held: list[HoldId]) -> None:
        self._desk = desk
        self._name = name
        self._held = held

    async def race(self) -> None:
        """Ask for everything, several at once, in an order of one's own."""
        requests = list(self._requests())
        random.Random(self._name).shuffle(requests)
        waiting = iter(requests)

        async def work() -> None:
            for request in waiting:
                await request()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    def _requests(self) -> Iterator[Request]:
        desk = self._desk
        keys = [f"{self._name}:{number}" for number in range(OWN_SPENDS)]
        keys += [f"shared:{number}" for number in range(SHARED_SPENDS)]
        yield from (partial(self._ask, desk.spend(1, key)) for key in keys)
        for hold_id in self._held:
            for name in ("shared", self._name):
                yield partial(self._ask, capture(desk, hold_id, f"{name}:capture:{hold_id}"))
        for number in range(HOLDS):
            yield partial(self._hold_and_capture, number)

    async def _hold_and_capture(self, number: int) -> None:
        outcome = await self._ask(self._desk.hold(1, f"{self._name}:hold:{number}"))
        if isinstance(outcome, Applied):
            entry = await self._desk.database.reads.entry(self._desk.account_id, outcome.entries[0])
            assert entry is not None
            await self._ask(capture(self._desk, entry.hold_id, f"{self._name}:hold:{number}:capture"))

    async def _ask(self, command: SpendCredits | HoldCredits | CaptureHold) -> Outcome:
        outcome = await patiently(self._desk.service, command)
        print(json.dumps({"key": command.key, "answer": answer(outcome)}), flush=True)  # noqa: T201 - told to the test
        return outcome


async def patiently(service: BillingService, command: Command) -> Outcome:
    """Ask until there is an answer: others may have the customer, or the database, for long."""
    for _ in range(TRIES):
        try:
            return await service.handle(command)
        except TemporaryFailureError:
            await asyncio.sleep(0.01)
    raise TimeoutError(repr(command))


def capture(desk: Desk, hold_id: HoldId, key: str) -> CaptureHold:
    """All of a staged hold, or the one credit of one's own."""
    amount = Credits(1 if ":hold:" in key else STAGED)
    return CaptureHold(customer_id=desk.customer_id, hold_id=hold_id, amount=amount, key=key, actor="key:1")


def answer(outcome: Outcome) -> str:
    """The outcome in words, the same for the first answer and for each repeated one."""
    match outcome:
        case Applied():
            return f"entry {outcome.entries[0]}"
        case Refused():
            return f"{type(outcome.error).__name__}: {outcome.error}"
        case _:
            raise AssertionError(outcome)


async def main(url: str, customer_id: str, name: str) -> None:
    """Race."""
    database = Database.connect(url, clock=VirtualClock())
    await database.open()
    desk = Desk(database, VirtualClock())
    state = await database.reads.customer(CustomerId(int(customer_id)))
    assert state is not None
    desk.customer_id, desk.account_id = state.customer.id, state.account.id
    book = await database.reads.book(desk.account_id)
    assert book is not None
    await Racer(desk, name, [hold.id for hold in book.holds if hold.credits == STAGED]).race()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
