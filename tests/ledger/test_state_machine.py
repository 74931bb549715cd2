"""The ledger does as the naive model in any sequence of steps that Hypothesis can think of, and shrinks what fails.

Over the decisions alone, with every rule of the audit after each step, and over the real program on both engines.
"""

import asyncio
import itertools
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from billing.values import HoldId, to_milliseconds
from tests.billing.builders import CUSTOMER_ID, PLANS, History
from tests.ledger.model import DAY, FOREVER, HOUR, LONGEST_HOLD, Command, Model
from tests.ledger.play import Play, Tally
from tests.ledger.script import Do, Restart, Switch, Wait
from tests.ledger.translation import to_answer, to_command
from tests.unsynced import unsynced

AMOUNTS: Final = st.integers(1, 12)
SPANS: Final = st.sampled_from((1, HOUR, DAY, 3 * DAY, LONGEST_HOLD, LONGEST_HOLD + 1))
PAID: Final = st.none() | st.tuples(st.integers(0, 5), st.sampled_from((0, 1500)))
NOTE: Final = ("set right", b"salt")


class Steps(RuleBasedStateMachine):
    """What can happen. The two kinds below say to whom."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self._asked: list[Command] = []

    @property
    def model(self) -> Model:
        """The customer, as the model has it now."""
        raise NotImplementedError

    @property
    def clock(self) -> int:
        """The time in milliseconds."""
        raise NotImplementedError

    def carry_out(self, command: Command) -> None:
        """Have both carry it out, and compare their answers and where they stand."""
        raise NotImplementedError

    def move_clock(self, milliseconds: int) -> None:
        """Have time go by."""
        raise NotImplementedError

    def switch(self, *, on: bool) -> None:
        """Switch billing on or off."""
        raise NotImplementedError

    @property
    def now(self) -> int:
        """The time of the next command: never before the last booking."""
        return max(self.clock, self.model.booked)

    def ask(self, do: str, **body: Any) -> None:
        """Ask for something new."""
        command = {"do": do, "actor": "key:1", **body}
        if do != "reverse":
            command["key"] = f"{do}-{next(self._numbers)}"
        self._asked.append(command)
        self.carry_out(command)

    @rule(amount=AMOUNTS, origin=st.sampled_from(("goodwill", "purchase", "migration")), span=st.none() | SPANS)
    def grant(self, amount: int, origin: str, span: int | None) -> None:
        expires = FOREVER if span is None else self.now + span
        self.ask("grant", amount=amount, origin=origin, expires=expires, reference="", note=NOTE)

    @rule(amount=AMOUNTS, paid=PAID)
    def spend(self, amount: int, paid: tuple[int, int] | None) -> None:
        self.ask("spend", amount=amount, paid=paid, reference="repository:7#1", occurred=self.now)

    @rule(amount=AMOUNTS, paid=PAID, lasts=SPANS)
    def hold(self, amount: int, paid: tuple[int, int] | None, lasts: int) -> None:
        self.ask("hold", amount=amount, paid=paid, lasts=lasts, reference="repository:7#2")

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=AMOUNTS)
    def capture(self, data: st.DataObject, amount: int) -> None:
        self.ask("capture", hold=data.draw(st.sampled_from(sorted(self.model.holds))), amount=amount)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.ask("release", hold=data.draw(st.sampled_from(sorted(self.model.holds))))

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), lasts=SPANS)
    def extend(self, data: st.DataObject, lasts: int) -> None:
        self.ask("extend", hold=data.draw(st.sampled_from(sorted(self.model.holds))), lasts=lasts)

    @rule(amount=AMOUNTS, ago=st.sampled_from((-1, 0, 1, HOUR, DAY, 30 * DAY, 30 * DAY + 1)))
    def usage(self, amount: int, ago: int) -> None:
        self.ask("usage", amount=amount, occurred=self.now - ago, reference="repository:7#3")

    @rule(amount=AMOUNTS)
    def revoke(self, amount: int) -> None:
        self.ask("revoke", amount=amount, note=NOTE)

    @rule(change=AMOUNTS | AMOUNTS.map(int.__neg__))
    def adjust(self, change: int) -> None:
        self.ask("adjust", change=change, note=NOTE)

    @rule(data=st.data(), refunded=st.sampled_from((0, 1, 333, 500, 1000)))
    def refund(self, data: st.DataObject, refunded: int) -> None:
        grant = data.draw(st.sampled_from(sorted(self.model.piles)))
        self.ask("refund", grant=grant, paid_cents=1000, refunded_cents=refunded, reference="charge:1")

    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        self.ask("reverse", seq=data.draw(st.integers(1, len(self.model.journal))), note=NOTE)

    @precondition(lambda self: self._asked)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """Once an answer, always that answer."""
        self.carry_out(dict(data.draw(st.sampled_from(self._asked))))

    @precondition(lambda self: self._asked)
    @rule(data=st.data())
    def ask_otherwise(self, data: st.DataObject) -> None:
        """The same key, and somebody else."""
        self.carry_out(data.draw(st.sampled_from(self._asked)) | {"actor": "key:2"})

    @rule(span=st.sampled_from((1, HOUR, DAY, 30 * DAY)))
    def wait(self, span: int) -> None:
        self.move_clock(span)

    @rule(data=st.data(), beside=st.sampled_from((-1, 0, 1)))
    def wait_until_something_is_due(self, data: st.DataObject, beside: int) -> None:
        ends = {pile.expires for pile in self.model.piles.values() if pile.expires < FOREVER}
        ends |= {hold.expires for hold in self.model.holds.values()}
        coming = sorted(end + beside for end in ends if end + beside > self.clock)
        if coming:
            self.move_clock(data.draw(st.sampled_from(coming)) - self.clock)

    @rule(on=st.booleans())
    def switch_billing(self, on: bool) -> None:  # noqa: FBT001 -- Hypothesis passes it by name
        self.switch(on=on)

    @invariant()
    def nothing_is_below_zero(self) -> None:
        model = self.model
        assert model.available == model.posted - model.held >= 0
        assert min(model.held, model.debt) >= 0
        for pile in model.piles.values():
            places = [model.of(place, pile.number) for place in ("grant", "held", "used", "expired", "revoked")]
            assert min(places) >= 0
            assert sum(places) == pile.amount
        assert [line.seq for line in model.journal] == list(range(1, len(model.journal) + 1))
        assert +model.recounted() == +model.standing


class Decisions(Steps):
    """The decisions alone. The history verifies the whole account after each."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.history.install()
        self._model = Model(thresholds=PLANS.default.low_balance)
        self._model.sign_up(PLANS.default.signup_credits, self.clock)

    @property
    @override
    def model(self) -> Model:
        return self._model

    @property
    @override
    def clock(self) -> int:
        return to_milliseconds(self.history.now)

    @override
    def carry_out(self, command: Command) -> None:
        outcome = self.history.do(to_command(command, CUSTOMER_ID, self._holds())).outcome
        expected = self.model.do(command, self.clock, is_billing_on=self.history.is_billing_on)
        assert to_answer(outcome, self._holds()) == expected
        account = self.history.customer.account
        balance = {"posted": account.posted, "held": account.held, "debt": account.debt, "version": account.version}
        assert balance == self.model.balance()
        assert [self._grant(number) for number in sorted(self.history.all_grants)] == self.model.grants()
        told = [(each.threshold, each.balance, each.seq) for each in self.history.told]
        assert told == self.model.alerts

    @override
    def move_clock(self, milliseconds: int) -> None:
        self.history.wait(milliseconds=milliseconds)

    @override
    def switch(self, *, on: bool) -> None:
        self.history.is_billing_on = on

    def _holds(self) -> dict[int, HoldId]:
        return dict(enumerate(self.history.all_holds, start=1))

    def _grant(self, number: int) -> dict[str, Any]:
        grant = self.history.all_grants[number]
        times = {name: to_milliseconds(getattr(grant, name)) for name in ("effective_at", "expires_at")}
        return {name: getattr(grant, name) for name in self.model.grants()[0]} | times


class Program(Steps):
    """The program on a real database, with group commit and restarts."""

    url = ""
    seeds = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.play = Play(self.url, next(self.seeds), tally=Tally())
        self.runner.run(self.play.begin(1))

    @property
    @override
    def model(self) -> Model:
        return self.play.models[0]

    @property
    @override
    def clock(self) -> int:
        return self.play.now

    @override
    def carry_out(self, command: Command) -> None:
        self.runner.run(self.play.take((Do(customer=0, command=command),)))

    @override
    def move_clock(self, milliseconds: int) -> None:
        self.runner.run(self.play.take(Wait(milliseconds=milliseconds)))

    @override
    def switch(self, *, on: bool) -> None:
        self.runner.run(self.play.take(Switch(on=on)))

    @rule()
    def restart(self) -> None:
        self.runner.run(self.play.take(Restart()))

    @rule(amounts=st.lists(AMOUNTS, min_size=2, max_size=6), key=st.none() | st.just("shared"))
    def spend_at_once(self, amounts: list[int], key: str | None) -> None:
        """Spends that share a commit; under one key, one of them counts."""
        drawn = [
            {
                "do": "spend",
                "actor": "key:1",
                "amount": amount,
                "paid": None,
                "reference": "repository:7#4",
                "occurred": self.now,
                "key": key or f"spend-{next(self._numbers)}",
            }
            for amount in amounts
        ]
        self.runner.run(self.play.take(tuple(Do(customer=0, command=command) for command in drawn)))

    @override
    def teardown(self) -> None:  # Hypothesis calls it when a sequence has ended.
        try:
            self.runner.run(self.play.look_back())
        finally:
            self.runner.run(self.play.end())
            self.runner.close()


def examples(count: int, steps: int) -> settings:
    """So many sequences of so many steps; a profile may ask for more."""
    return settings(
        max_examples=max(count, settings().max_examples * count // 100),
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.mark.no_cover
def test_the_decisions_do_as_the_model() -> None:
    run_state_machine_as_test(Decisions, settings=examples(100, 40))


@pytest.mark.timeout(600)
@pytest.mark.no_cover
def test_the_program_does_as_the_model_on_sqlite(sqlite_url: str) -> None:
    class OnThisDatabase(Program):
        url = sqlite_url

    with unsynced():
        run_state_machine_as_test(OnThisDatabase, settings=examples(15, 25))


@pytest.mark.timeout(600)
@pytest.mark.no_cover
def test_the_program_does_as_the_model_on_postgresql(postgresql_url: str) -> None:
    class OnThisDatabase(Program):
        url = postgresql_url

    run_state_machine_as_test(OnThisDatabase, settings=examples(8, 20))
