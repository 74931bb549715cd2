"""A seed played: every step by the program and by the model, and what both come to compared."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NoReturn

from billing.commands import Applied, Command, Outcome
from billing.ledger.balance import standing
from billing.ledger.verify import Audit
from billing.values import AccountId, CustomerId, HoldId, from_milliseconds
from tests.ledger.comparison import model_line, stored_grant, stored_hold, stored_line
from tests.ledger.model import DAY, Answer, Model
from tests.ledger.ordering import Search
from tests.ledger.script import Do, Restart, Script, ShowPlan, Step, Switch, Wait, told
from tests.ledger.translation import to_answer, to_command
from tests.ledger.witness import Stored, Witness
from tests.ledger.world import PLANS, Clock, World

START: Final = 1_793_612_345_678
"""When every seed begins: in November 2026, at an odd millisecond."""

CUSTOMERS: Final = 3
"""The most customers of a seed."""

LOOKED_BACK: Final = 4
"""At how many earlier moments each customer's balance is asked for in the end."""


class DifferenceError(AssertionError):
    """Program and model differ."""


@dataclass(kw_only=True)
class Customer:
    """A customer in both: the model, and the program's ids."""

    model: Model
    github_id: int
    customer_id: CustomerId
    account_id: AccountId
    holds: dict[int, HoldId] = field(default_factory=dict)
    """The program's hold by the model's number."""
    checked: int = 0
    """The last entry that was compared."""
    past: dict[int, tuple[int, tuple[int, int, int]]] = field(default_factory=dict)
    """What the model had at each moment: how many entries, and what is available, held and owed."""

    def remember(self, clock: int) -> tuple[int, int, int]:
        """Keep what the model has now; what that is."""
        moment = max(clock, self.model.booked)
        shown = self.model.shown(moment)
        self.past[moment] = (len(self.model.journal), shown)
        return shown


@dataclass(kw_only=True)
class Tally:
    """What was played."""

    seeds: int = 0
    races: int = 0
    """Those of the seeds in which two programs raced."""
    commands: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    replays: int = 0
    bursts: int = 0
    restarts: int = 0
    alerts: int = 0
    charges: int = 0
    late_returns: int = 0

    def in_short(self) -> str:
        """How far it is."""
        return f"{self.seeds} seeds, {self.commands.total()} commands"

    def in_full(self) -> str:
        """All of it, a line a subject."""
        return "\n  ".join(
            (
                self.in_short(),
                f"commands: {_listed(self.commands)}",
                f"refusals: {_listed(self.refusals)}",
                f"entries: {_listed(self.entries)}",
                f"old answers {self.replays}, bursts {self.bursts}, restarts {self.restarts}",
                f"seeds in which two programs raced {self.races}",
                f"charges {self.charges}, low balances {self.alerts}, late returns {self.late_returns}",
            )
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


class Play:
    """One seed on one database, which others may have used before."""

    def __init__(self, url: str, seed: int, *, tally: Tally, tell: Callable[[str], None] = lambda _: None) -> None:
        self._rng = Random(seed)
        self._seed = seed
        self._script = Script(rng=self._rng)
        self._clock = Clock(START + self._rng.randrange(DAY))
        self._is_race = seed % 4 == 0
        self._world = World(url=url, clock=self._clock, offices=2 if self._is_race else 1)
        self._witness = Witness(url)
        self._customers: list[Customer] = []
        self._is_billing_on = True
        self._tally = tally
        self._tell = tell

    @property
    def models(self) -> list[Model]:
        """The customers, as the model has them."""
        return [customer.model for customer in self._customers]

    @property
    def now(self) -> int:
        """The time by the clock, in milliseconds since 1970."""
        return self._clock.milliseconds

    async def run(self, commands: int) -> None:
        """Play until so many commands were given, then look at everything.

        Raises:
            DifferenceError: Program and model differ.
        """
        try:
            await self.begin(self._rng.randint(1, CUSTOMERS))
            given = 0
            while given < commands:
                step = self._script.next(self.models, self.now, is_billing_on=self._is_billing_on)
                await self.take(step)
                given += len(step) if isinstance(step, tuple) else 0
            await self.look_back()
        finally:
            await self.end()
        self._tally.seeds += 1
        self._tally.races += self._is_race

    async def begin(self, customers: int) -> None:
        """Start the program, and have it meet so many customers."""
        await self._world.open()
        await self._world.switch_billing(on=True)
        for number in range(customers):
            await self._meet(number)

    async def end(self) -> None:
        """End the program."""
        await self._world.close()
        await self._witness.close()

    async def look_back(self) -> None:
        """Every account verifies, and balances of earlier moments are what the model had then.

        Raises:
            DifferenceError: They aren't.
        """
        for customer in self._customers:
            await self._look_back(customer)

    async def _meet(self, number: int) -> None:
        """A new customer, with the credits of the sign-up."""
        github_id = self._seed * 10 + number + 1_000_000
        customer_id = await self._world.install(github_id)
        account_id = await self._witness.account_of(customer_id)
        model = Model(thresholds=PLANS.default.low_balance)
        model.sign_up(PLANS.default.signup_credits, self._clock.milliseconds)
        customer = Customer(model=model, github_id=github_id, customer_id=customer_id, account_id=account_id)
        self._customers.append(customer)
        await self._compare(customer)

    async def take(self, step: Step) -> None:
        """Take a step by both, and compare what it comes to.

        Raises:
            DifferenceError: Program and model differ.
        """
        self._tell(f"{from_milliseconds(self.now).isoformat()} {told(step)}")
        match step:
            case Wait(milliseconds=milliseconds):
                self._clock.milliseconds += milliseconds
                for customer in self._customers:
                    await self._compare_what_is_shown(customer)
            case Restart():
                self._tally.restarts += 1
                await self._world.close()
                await self._world.open()
            case Switch(on=on):
                self._is_billing_on = on
                await self._world.switch_billing(on=on)
            case ShowPlan(customer=number):
                await self._show_plan(self._customers[number])
            case _:
                await self._carry_out(step)

    async def _show_plan(self, customer: Customer) -> None:
        billed_at = customer.model.follow_plan(
            self._clock.milliseconds,
            allowance=PLANS.plans["rolling"].included_credits,
            rollover=PLANS.plans["rolling"].rollover_max,
            thresholds=PLANS.plans["rolling"].low_balance,
        )
        outcome = await self._world.show_plan(customer.github_id, billed_at)
        self._expect(isinstance(outcome, Applied), f"the plan was shown: {outcome}")
        await self._compare(customer)

    async def _carry_out(self, step: Sequence[Do]) -> None:
        commands: list[Command] = []
        for do in step:
            customer = self._customers[do.customer]
            commands.append(to_command(do.command, customer.customer_id, customer.holds))
            self._tally.commands[do.command["do"]] += 1
        outcomes = await self._world.together(commands)
        self._tally.bursts += len(step) > 1
        for number, customer in enumerate(self._customers):
            pairs = [(do, outcome) for do, outcome in zip(step, outcomes, strict=True) if do.customer == number]
            if pairs:
                await self._follow(customer, pairs)

    async def _follow(self, customer: Customer, pairs: list[tuple[Do, Outcome | BaseException]]) -> None:
        """Have the model do the same, in the order in which it was booked; it must answer the same."""
        known = set(customer.holds.values())
        stored = await self._witness.look(customer.account_id, customer.checked)
        new_holds = [HoldId(hold["id"]) for hold in stored.holds if hold["id"] not in known]
        by_seq = {entry["hold_id"]: entry["seq"] for entry in reversed(stored.entries) if entry["hold_id"]}
        for hold_id in sorted(new_holds, key=lambda each: by_seq.get(each, 0)):
            customer.holds[len(customer.holds) + 1] = hold_id
        waiting = [(do, to_answer(outcome, customer.holds)) for do, outcome in pairs]
        for do, answer in waiting:
            self._count(answer)
            self._tell(f"    -> {do.command['do']}: {answer}")
        if len(waiting) == 1:
            ((do, answer),) = waiting
            expected = customer.model.do(do.command, self._clock.milliseconds, is_billing_on=self._is_billing_on)
            self._expect(answer == expected, f"{told((do,))}\n  program: {answer}\n  model:   {expected}")
        else:
            self._follow_burst(customer, waiting, stored)
        self._compare_stored(customer, stored)

    def _follow_burst(self, customer: Customer, waiting: list[tuple[Do, Answer]], stored: Stored) -> None:
        """Have the model do in some order what was done at once, such that it answers the same.

        What was booked has its place by its sequence number; what was refused or repeated may stand anywhere.
        """
        search = Search(self._clock.milliseconds, stored.alerts, is_billing_on=self._is_billing_on)
        explained = search.explain(customer.model, waiting)
        if explained is None:
            self._fail(f"no order explains what was done at once; it breaks at {search.broken}")
        customer.model = explained

    async def _compare(self, customer: Customer) -> None:
        self._compare_stored(customer, await self._witness.look(customer.account_id, customer.checked))

    def _compare_stored(self, customer: Customer, stored: Stored) -> None:
        """What is stored against what the model has: journal, balances, grants, holds, charges, alerts."""
        model = customer.model
        numbers = {hold_id: number for number, hold_id in customer.holds.items()}
        lines = [stored_line(entry, numbers, stored) for entry in stored.entries]
        expected = [model_line(model, line) for line in model.journal[customer.checked :]]
        for line, wanted in zip(lines, expected, strict=False):
            self._expect(line == wanted, f"entry\n  program: {line}\n  model:   {wanted}")
        self._expect(len(lines) == len(expected), f"entries\n  program: {lines}\n  model:   {expected}")
        balance = {name: stored.account[name] for name in ("posted", "held", "debt", "version")}
        self._same("balance", balance, model.balance())
        self._same("grants", [stored_grant(row) for row in stored.grants], model.grants())
        holds = [stored_hold(row, numbers, stored) for row in stored.holds]
        self._same("holds", sorted(holds, key=lambda hold: hold["number"]), model.all_holds())
        charges = [
            (numbers[row["hold_id"]], row["number"], row["seq"], row["grant_number"], row["amount_cents"])
            for row in stored.charges
        ]
        self._same("charges", charges, model.charges)
        self._same("alerts", stored.alerts, model.alerts)
        timeouts = [hold.expires for hold in model.holds.values() if hold.state == "open"]
        bound = stored.account["next_timeout"]
        self._expect(bound <= min(timeouts, default=bound), f"next_timeout {bound} lies after {timeouts}")
        for entry in stored.entries:
            self._tally.entries[entry["kind"]] += 1
        customer.checked = len(model.journal)
        customer.remember(self._clock.milliseconds)
        self._same("what happened, added up", +model.recounted(), +model.standing)

    async def _compare_what_is_shown(self, customer: Customer) -> None:
        """A balance is shown without what is due, though nothing of that is booked."""
        state = await self._world.databases[0].reads.customer(customer.customer_id)
        assert state is not None
        balance = standing(state, self._clock.now())
        shown = (balance.available, balance.held, balance.debt)
        self._same("what is shown", shown, customer.remember(self._clock.milliseconds))

    async def _look_back(self, customer: Customer) -> None:
        """The whole account verifies, and balances of earlier moments are what the model had then."""
        model, reads = customer.model, self._world.databases[0].reads
        book = await reads.book(customer.account_id)
        assert book is not None
        audit = Audit(customer.account_id)
        page = await reads.entries(customer.account_id, limit=10_000)
        offence = audit.read(page.entries, page.notes)
        offence = offence or audit.close(book.account, book.grants, book.holds, book.charges)
        self._expect(offence is None, f"verify: {offence}")
        moments = [
            (moment, stood)
            for moment, (length, stood) in customer.past.items()
            # After the clock was set back, something else may have been booked at an earlier moment.
            if length == sum(line.booked <= moment for line in model.journal)
        ]
        for moment, stood in self._rng.sample(moments, min(LOOKED_BACK, len(moments))):
            balance = await reads.balance_at(customer.customer_id, from_milliseconds(moment))
            assert balance is not None
            program = (balance.available, balance.held, balance.debt)
            self._same(f"balance at {from_milliseconds(moment).isoformat()} ({moment})", program, stood)
        self._tally.alerts += len(model.alerts)
        self._tally.charges += len(model.charges)
        self._tally.late_returns += model.late_returns()

    def _count(self, answer: Answer) -> None:
        if answer[0] == "refused":
            self._tally.refusals[answer[1]] += 1
        self._tally.replays += answer[-1] is True

    def _same(self, what: str, program: object, expected: object) -> None:
        self._expect(program == expected, f"{what}\n  program: {program}\n  model:   {expected}")

    def _expect(self, holds: bool, problem: str) -> None:  # noqa: FBT001 -- reads as a sentence
        if not holds:
            self._fail(problem)

    def _fail(self, problem: str) -> NoReturn:
        for number, customer in enumerate(self._customers):
            self._tell(f"customer {number} by the model:")
            for line in customer.model.journal:
                self._tell(f"    {line.spelled()}")
        self._tell(f"DIFFERENT: {problem}")
        raise DifferenceError(problem)
