"""Whatever is refunded, reversed and repaid: what one has is what was granted for good, less what was used.

That sum knows nothing of places, burn orders, debts or who repaid what, so it can't be wrong the way the ledger could.
"""

from collections.abc import Callable
from random import Random

import pytest

from billing.commands import Applied, KeyedCommand
from billing.values import HoldId
from tests.billing.builders import History, grant, spend
from tests.billing.requests import buy, capture, hold, refund, release, reverse, usage

CENTS = 600
HALF = 0.5


class Sums:
    """One customer's history, and beside it what was granted for good and what was used, in credits."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.history = History()
        self.history.install()
        self.amounts = {1: 5}
        self.entitled = {1: 5}
        self.grant_of: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.held: dict[HoldId, int] = {}
        self.asked = 0

    def ask(self, command: KeyedCommand) -> int | None:
        """Carry it out; the sequence number of its entry, None if it was refused."""
        outcome = self.history.do(command).outcome
        return outcome.entries[0] if isinstance(outcome, Applied) else None

    def step(self) -> None:
        """Do anything."""
        self.asked += 1
        steps: list[Callable[[str, int], None]] = [
            self.give,
            self.use,
            self.use,
            self.set_aside,
            self.end,
            self.end,
            self.refund,
            self.refund,
            self.take_back_usage,
            self.take_back_grant,
        ]
        self.random.choice(steps)(f"key:{self.asked}", self.random.randint(1, 9))

    def give(self, key: str, count: int) -> None:
        command: KeyedCommand = buy(count, key=key) if self.random.random() < HALF else grant(count, key=key)
        seq = self.ask(command)
        assert seq is not None
        number = self.history.journal[seq - 1].moves[0].grant_number
        self.amounts[number] = self.entitled[number] = count
        self.grant_of[seq] = number

    def use(self, key: str, count: int) -> None:
        late = usage(count, key=key, at=self.history.now)
        seq = self.ask(late if self.random.random() < HALF else spend(count, key=key))
        if seq is not None:
            self.used[seq] = count

    def set_aside(self, key: str, count: int) -> None:
        seq = self.ask(hold(count, key=key))
        if seq is not None:
            self.held[self.history.journal[seq - 1].hold_id] = count

    def end(self, key: str, _: int) -> None:
        if not self.held:
            return
        hold_id = self.random.choice(list(self.held))
        count = self.random.randint(0, self.held.pop(hold_id))
        command: KeyedCommand = capture(hold_id, count, key=key) if count else release(hold_id, key=key)
        seq = self.ask(command)
        assert seq is not None
        if count:
            self.used[seq] = count

    def refund(self, key: str, _: int) -> None:
        number = self.random.choice(list(self.amounts))
        cents = self.random.choice([0, 150, 300, 450, CENTS])
        assert self.ask(refund(number, cents, key=key, paid_cents=CENTS)) is not None
        self.entitled[number] = self.amounts[number] - self.amounts[number] * cents // CENTS

    def take_back_usage(self, _key: str, _: int) -> None:
        if self.used:
            seq = self.random.choice(list(self.used))
            assert self.ask(reverse(seq)) is not None
            del self.used[seq]

    def take_back_grant(self, _key: str, _: int) -> None:
        if self.grant_of:
            seq = self.random.choice(list(self.grant_of))
            assert self.ask(reverse(seq)) is not None
            number = self.grant_of.pop(seq)
            # From here on no payment's word is told of it any more.
            self.entitled[number] = 0
            del self.amounts[number]


@pytest.mark.parametrize("seed", range(40))
def test_what_one_has_is_what_was_granted_for_good_less_what_was_used(seed: int) -> None:
    sums = Sums(seed)
    for _ in range(50):
        sums.step()
        # What a refund demands of held credits is collected when they return.
        if not sums.held:
            balance = sums.history.balance
            assert balance.available - balance.debt == sum(sums.entitled.values()) - sum(sums.used.values())
