"""What happens in a simulation: drawn from a seed step by step, with an eye on the model, to keep it interesting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.ledger.model import DAY, FOREVER, HOUR, LONGEST_HOLD, OLDEST_USAGE, Command, Model

MINUTE: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class Do:
    """A customer's command. Several at once are a burst."""

    customer: int
    command: Command


@dataclass(frozen=True, kw_only=True)
class ShowPlan:
    """GitHub shows the customer's plan, as it stands then."""

    customer: int


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The clock moves, back if negative."""

    milliseconds: int


@dataclass(frozen=True, kw_only=True)
class Restart:
    """The program ends and begins anew."""


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Billing is switched on or off."""

    on: bool


Step = tuple[Do, ...] | ShowPlan | Wait | Restart | Switch

WEIGHTS: Final = {
    "grant": 12,
    "spend": 20,
    "hold": 13,
    "capture": 12,
    "release": 5,
    "extend": 4,
    "usage": 8,
    "revoke": 4,
    "adjust": 5,
    "refund": 10,
    "reverse": 8,
    "repeat": 9,
    "alter": 4,
    "malformed": 2,
}
"""How often each command is drawn."""

OF_HOLDS: Final = frozenset({"capture", "release", "extend"})

NOTES: Final = ("sorry for the outage", "counted twice", "moved here by hand")


@dataclass(kw_only=True)
class Script:
    """Draws the steps. `asked` are each customer's commands so far."""

    rng: Random
    asked: dict[int, list[Command]] = field(default_factory=dict)
    keys: int = 0
    now: int = 0

    def next(self, models: Sequence[Model], clock: int, *, is_billing_on: bool) -> Step:
        """The next step, by how the customers stand."""
        step = self._around_a_renewal(models, clock)
        if step is not None:
            return step
        kind = self._pick(
            {"one": 66, "burst": 8, "wait": 18, "plan": 8, "restart": 1, "switch": 3 if is_billing_on else 9}
        )
        match kind:
            case "one":
                return (self._one(models, clock),)
            case "wait":
                return Wait(milliseconds=self._span(models, clock))
            case "plan":
                return ShowPlan(customer=self.rng.randrange(len(models)))
            case "restart":
                return Restart()
            case "switch":
                return Switch(on=not is_billing_on)
            case "burst":
                return tuple(self._one(models, clock) for _ in range(self.rng.choice((2, 3, 4, 6, 8, 8, 12))))
            case _:
                raise AssertionError(kind)

    def _around_a_renewal(self, models: Sequence[Model], clock: int) -> Step | None:
        """Now and then a plan is renewed while its credits are held, and they are given back soon after that."""
        for number, model in enumerate(models):
            self.now = max(clock, model.booked)
            ended = {pile.number for pile in model.piles.values() if pile.ended <= self.now < pile.expires}
            holds = {hold: {pile for pile, _ in model.holds[hold].shares} for hold in _open_holds(model)}
            if any(ended & piles for piles in holds.values()) and self.rng.random() < 0.4:
                return (Do(customer=number, command=self._asked(number, self._release(model))),)
            outliving = [hold for hold in holds if 0 < model.month_ends < model.holds[hold].expires]
            if outliving and self.rng.random() < 0.25:
                left = model.month_ends - self.now
                return Wait(milliseconds=left) if left > 0 else ShowPlan(customer=number)
        return None

    def _asked(self, customer: int, command: Command) -> Command:
        self.asked.setdefault(customer, []).append(command)
        return command

    def _one(self, models: Sequence[Model], clock: int) -> Do:
        customer = self.rng.randrange(len(models))
        model = models[customer]
        self.now = max(clock, model.booked)
        kind = self._pick(WEIGHTS)
        asked = self.asked.setdefault(customer, [])
        keyed = [command for command in asked if "key" in command]
        if kind == "repeat" and asked:
            command = dict(self.rng.choice(asked))
            if "note" in command:
                command["note"] = (command["note"][0], self.rng.randbytes(16))
        elif kind == "alter" and keyed:
            command = self._altered(self.rng.choice(keyed))
        elif kind == "malformed":
            command = self._malformed(model)
        else:
            drawn = kind if kind not in ("repeat", "alter") else "spend"
            if drawn in OF_HOLDS and not _open_holds(model) and self.rng.random() < 0.9:
                drawn = "hold"
            command = self._drawn(drawn, model)
            asked.append(command)
        return Do(customer=customer, command=command)

    def _drawn(self, do: str, model: Model) -> Command:
        draw = {
            "grant": self._grant,
            "spend": self._spend,
            "hold": self._hold,
            "capture": self._capture,
            "release": self._release,
            "extend": self._extend,
            "usage": self._usage,
            "revoke": self._revoke,
            "adjust": self._adjust,
            "refund": self._refund,
            "reverse": self._reverse,
        }
        return draw[do](model)

    # Commands.

    def _common(self, do: str) -> Command:
        self.keys += 1
        return {
            "do": do,
            "key": f"{do}-{self.keys}-{self.rng.getrandbits(32):08x}",
            "actor": f"key:{self.rng.randint(1, 3)}",
        }

    def _grant(self, model: Model) -> Command:
        known = [pile.expires for pile in model.piles.values() if pile.expires > self.now]
        soon = self.now + self.rng.choice((1, 1000, MINUTE, HOUR, DAY, 3 * DAY, 40 * DAY)) * self.rng.randint(1, 3)
        expires = self.rng.choice((FOREVER, soon, soon, self.rng.choice(known or [soon])))
        origin = self.rng.choice(("goodwill", "goodwill", "purchase", "purchase", "migration"))
        return self._common("grant") | {
            "amount": self.rng.randint(1, 25),
            "expires": expires,
            "origin": origin,
            "reference": "payment:pi_1" if origin == "purchase" else "",
            "note": self._note(),
        }

    def _spend(self, model: Model) -> Command:
        return self._common("spend") | {
            "amount": self._amount(model),
            "reference": f"repository:{self.rng.randint(1, 9)}#1",
            "occurred": self.now - self.rng.choice((0, 0, 1, HOUR)),
            "paid": self._paid(),
        }

    def _hold(self, model: Model) -> Command:
        lasts = self.rng.choice((1, MINUTE, HOUR, DAY, DAY, 3 * DAY, 9 * DAY, LONGEST_HOLD, LONGEST_HOLD + 1))
        return self._common("hold") | {
            "amount": self._amount(model),
            "lasts": lasts,
            "reference": f"repository:{self.rng.randint(1, 9)}#2",
            "paid": self._paid(),
        }

    def _capture(self, model: Model) -> Command:
        number = self._some_hold(model)
        units = model.holds[number].units if number in model.holds else 3
        amount = self.rng.choice((units, units, self.rng.randint(1, max(units, 1)), units + 1))
        return self._common("capture") | {"hold": number, "amount": max(amount, 1)}

    def _release(self, model: Model) -> Command:
        return self._common("release") | {"hold": self._some_hold(model)}

    def _extend(self, model: Model) -> Command:
        lasts = self.rng.choice((1, HOUR, DAY, 5 * DAY, 29 * DAY, LONGEST_HOLD))
        return self._common("extend") | {"hold": self._some_hold(model), "lasts": lasts}

    def _usage(self, model: Model) -> Command:
        past = [line.booked + self.rng.choice((-1, 0, 1)) for line in model.journal]
        ends = [pile.expires + self.rng.choice((-1, 0, 1)) for pile in model.piles.values() if pile.expires < self.now]
        drawn = self.rng.choice(
            (
                self.now,
                self.now - HOUR,
                self.now - DAY,
                self.now - OLDEST_USAGE,
                self.now - OLDEST_USAGE - 1,
                self.now + 1,
            )
        )
        occurred = self.rng.choice((drawn, *self.rng.sample(past, min(2, len(past))), *ends))
        return self._common("usage") | {
            "amount": self.rng.randint(1, 14),
            "reference": f"repository:{self.rng.randint(1, 9)}#3",
            "occurred": occurred,
        }

    def _revoke(self, model: Model) -> Command:
        return self._common("revoke") | {"amount": self._amount(model), "note": self._note()}

    def _adjust(self, model: Model) -> Command:
        change = self.rng.choice((1, -1)) * self.rng.randint(1, 12)
        if model.debt and self.rng.random() < 0.5:
            change = model.debt + self.rng.choice((-1, 0, 1, 5))
        return self._common("adjust") | {"change": change or 1, "note": self._note()}

    def _refund(self, model: Model) -> Command:
        bought = [number for number, pile in model.piles.items() if pile.origin == "purchase"]
        grants = bought * 3 or list(model.piles) or [99]
        grant = (
            self.rng.choice((*grants, *list(model.piles)[:1], 99))
            if self.rng.random() < 0.2
            else self.rng.choice(grants)
        )
        paid = 36000
        refunded = self.rng.choice((0, 0, 1, 9000, 12000, 18000, 35999, paid, paid, paid + 1))
        return self._common("refund") | {
            "grant": grant,
            "paid_cents": paid,
            "refunded_cents": refunded,
            "reference": "payment:pi_1",
        }

    def _reverse(self, model: Model) -> Command:
        last = len(model.journal)
        wanted = [
            line.seq
            for line in model.journal
            if line.kind in ("spend", "capture", "revoke", "adjust", "grant", "waive")
        ]
        seq = self.rng.choice(wanted or [1]) if self.rng.random() < 0.8 else self.rng.randint(0, last + 1)
        return {"do": "reverse", "seq": seq, "actor": "operator", "note": self._note()}

    def _altered(self, command: Command) -> Command:
        """The same key for another request, which may even be malformed."""
        altered = dict(command)
        for name, value in (("amount", 1), ("change", 1), ("lasts", 1), ("refunded_cents", 1)):
            if name in altered:
                altered[name] += value
                if altered[name]:
                    return altered
        altered["actor"] = "key:9"
        return altered

    def _malformed(self, model: Model) -> Command:
        """A request that is wrong in itself, whatever the balance is."""
        early = self.now - self.rng.choice((0, 1, HOUR))
        key = self.rng.choice(("", "expire:1:1", "signup", "timeout:1", "repay:1"))
        return self.rng.choice(
            (
                self._spend(model) | {"amount": 0},
                self._spend(model) | {"key": key},
                self._grant(model) | {"expires": early},
                self._revoke(model) | {"amount": 0},
            )
        )

    # What commands are made of.

    def _amount(self, model: Model) -> int:
        """Around what there is: all of it, one too many, or any."""
        there = model.available
        return max(1, self.rng.choice((there, there + 1, there - 1, self.rng.randint(1, 6), self.rng.randint(1, 6), 9)))

    def _paid(self) -> tuple[int, int] | None:
        return self.rng.choice((None, None, None, (self.rng.randint(0, 6), self.rng.choice((0, 1500, 2900)))))

    def _some_hold(self, model: Model) -> int:
        """An open one mostly; else any, or one that there isn't."""
        living = _open_holds(model)
        if living and self.rng.random() < 0.85:
            return self.rng.choice(living)
        return self.rng.choice((*model.holds, 999))

    def _note(self) -> tuple[str, bytes]:
        return (self.rng.choice(NOTES), self.rng.randbytes(16))

    def _span(self, models: Sequence[Model], clock: int) -> int:
        """To the very millisecond at which something expires or times out, or beside it; else any time."""
        ends = [pile.expires for model in models for pile in model.piles.values()]
        ends += [hold.expires for model in models for hold in model.holds.values() if hold.state == "open"]
        ends += [model.month_ends for model in models]
        coming = [end - clock for end in ends if clock < end < clock + 40 * DAY]
        if coming and self.rng.random() < 0.5:
            return self.rng.choice((min(coming), min(coming), self.rng.choice(coming))) + self.rng.choice((-1, 0, 0, 1))
        if self.rng.random() < 0.1:
            return -self.rng.choice((1, 1000, HOUR))
        return self.rng.choice((0, 1, 1000, MINUTE, MINUTE, HOUR, HOUR, 5 * HOUR, DAY, 9 * DAY)) * self.rng.randint(
            1, 3
        )

    def _pick(self, weights: dict[str, int]) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]


def _open_holds(model: Model) -> list[int]:
    return [number for number, hold in model.holds.items() if hold.state == "open"]


def told(step: Step) -> str:
    """The step in a line."""
    match step:
        case tuple():
            each = [f"customer {one.customer}: {_spelled(one.command)}" for one in step]
            return each[0] if len(each) == 1 else "at once:\n    " + "\n    ".join(each)
        case ShowPlan(customer=customer):
            return f"customer {customer}: GitHub shows the plan"
        case Wait(milliseconds=milliseconds):
            return f"the clock moves by {milliseconds} ms"
        case Restart():
            return "the program ends and begins anew"
        case Switch(on=on):
            return f"billing is switched {'on' if on else 'off'}"


def _spelled(command: dict[str, Any]) -> str:
    rest = {name: value for name, value in command.items() if name not in ("do", "note")}
    return f"{command['do']} " + " ".join(f"{name}={value}" for name, value in rest.items())
