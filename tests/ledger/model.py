"""A naive model of one customer's credits: the oracle of the simulation and of the state machine.

It is written from the rules and knows nothing of the program: commands and answers are plain dictionaries and tuples,
times are milliseconds, amounts are ints. Credits are moved one by one, and whatever is asked of the past is added up
anew from the list of what happened. It is slow, and too simple to be wrong in the same way.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Command = dict[str, Any]
"""What is asked for: "do" says what, the rest is its body."""

Answer = tuple[Any, ...]
"""("done", sequence numbers) or ("refused", name, fields); see `Model.do`."""

Move = tuple[str, str, int, int]
"""From which place, to which place, of which grant (0 if of none), how many."""

FOREVER: Final = 253_402_300_799_000
"""When what never expires does."""

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
LONGEST_HOLD: Final = 30 * DAY
OLDEST_USAGE: Final = 30 * DAY

OWN_KEYS: Final = frozenset(
    {
        "adjust",
        "charge",
        "clawback",
        "expire",
        "plan",
        "refund_reversal",
        "reinstate",
        "repay",
        "reverse",
        "rollover",
        "signup",
        "timeout",
        "waive",
    }
)
"""What keys of the ledger's own entries begin with."""

PAID: Final = frozenset({"plan", "purchase", "charged", "refund_reversal", "migration"})
"""Origins of grants that were paid for. The others are promotional."""

REPAYING: Final = frozenset({"plan", "purchase", "refund_reversal"})
"""Origins of grants that repay debt first."""

NOT_KEPT: Final = frozenset({"UnknownGrantError", "UnknownEntryError"})
"""Refusals that aren't remembered: what there is not may come to be."""

REVERSIBLE: Final = frozenset({"grant", "spend", "capture", "revoke", "adjust", "waive"})
"""The kinds of entries that can be taken back."""

FORGOTTEN: Final = {"spend": {"key", "occurred"}}
"""What isn't part of a request's body; of all requests but these the key alone, and what salts the note."""


@dataclass
class Line:
    """An entry of the journal."""

    seq: int
    kind: str
    moves: list[Move]
    occurred: int
    booked: int
    key: str
    actor: str
    hold: int = 0
    reverses: int = 0
    posted: int = 0
    held: int = 0
    debt: int = 0
    """The last three as they stand with it."""

    def spelled(self) -> str:
        """The entry in a line."""
        moves = ", ".join(f"{debit}>{credit} {pile}: {amount}" for debit, credit, pile, amount in self.moves)
        return f"{self.seq} {self.kind} [{moves}] posted={self.posted} held={self.held} debt={self.debt} {self.key}"


@dataclass
class Pile:
    """The terms of a grant. Where its credits are stands in the journal."""

    number: int
    origin: str
    is_paid: bool
    amount: int
    effective: int
    expires: int
    priority: int = 50
    target: int = 0
    """How many of it have to be given back altogether, because so much of its payment was."""
    ended: int = FOREVER
    """When the plan's next month ended it, whatever it expires at by itself."""


@dataclass
class Held:
    """A hold: which credits of which grants, and units that money or nobody will pay."""

    number: int
    shares: list[tuple[int, int]]
    made: int
    expires: int
    paid_units: int = 0
    price: int = 0
    waived_units: int = 0
    captured: int = 0
    state: str = "open"

    @property
    def credits(self) -> int:
        return sum(amount for _, amount in self.shares)

    @property
    def units(self) -> int:
        return self.credits + self.paid_units + self.waived_units


class RefusedError(Exception):
    """The command is refused; with a key, the refusal is remembered."""

    def __init__(self, name: str, **fields: Any) -> None:
        super().__init__(name)
        self.answer: Answer = ("refused", name, tuple(sorted(fields.items())))


@dataclass
class Model:
    """One customer. `now` is the time of the command at hand, `thresholds` are those of the effective plan."""

    thresholds: tuple[int, ...] = ()
    journal: list[Line] = field(default_factory=list)
    piles: dict[int, Pile] = field(default_factory=dict)
    holds: dict[int, Held] = field(default_factory=dict)
    charges: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """Of paid units: hold, number, entry, grant, cents."""
    alerts: list[tuple[int, int, int]] = field(default_factory=list)
    """Threshold, balance and entry of each crossing."""
    answers: dict[str, tuple[Command, Answer]] = field(default_factory=dict)
    standing: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How much came to a place less what left it, by place and grant; always the sum of the journal's moves."""
    taken: Counter[int] = field(default_factory=Counter)
    """How much of each grant was revoked because its payment, or the grant itself, was taken back; not by hand."""
    now: int = 0
    is_billing_on: bool = True
    known: int = 0
    """How many entries there were when the command came."""
    month_ends: int = 0
    """The end of the plan's running month."""

    # What can be asked of it.

    @property
    def booked(self) -> int:
        """When the last entry was booked."""
        return self.journal[-1].booked if self.journal else 0

    @property
    def posted(self) -> int:
        return sum(self.of(place, pile) for pile in self.piles for place in ("grant", "held"))

    @property
    def held(self) -> int:
        return sum(self.of("held", pile) for pile in self.piles)

    @property
    def debt(self) -> int:
        return -self.standing["debt", 0]

    @property
    def available(self) -> int:
        return self.posted - self.held

    def of(self, place: str, pile: int) -> int:
        """How much of a grant is in this place."""
        return self.standing[place, pile]

    def owed(self, pile: int) -> int:
        """How much debt was made because of a grant."""
        return self.standing["lent", pile]

    def shown(self, moment: int) -> tuple[int, int, int]:
        """What is available, held and owed at this moment, nothing being booked: by booking what is due in a copy."""
        copy = self.copy()
        copy.now = max(moment, self.booked)
        copy.book_what_is_due()
        return copy.available, copy.held, copy.debt

    def copy(self) -> "Model":
        """Another one that goes its own way from here."""
        return Model(
            thresholds=self.thresholds,
            journal=list(self.journal),
            piles={number: replace(pile) for number, pile in self.piles.items()},
            holds={number: replace(hold) for number, hold in self.holds.items()},
            charges=list(self.charges),
            alerts=list(self.alerts),
            answers=dict(self.answers),
            standing=Counter(self.standing),
            taken=Counter(self.taken),
            now=self.now,
            is_billing_on=self.is_billing_on,
            month_ends=self.month_ends,
        )

    def recounted(self) -> Counter[tuple[str, int]]:
        """`standing`, added up anew from all that happened."""
        counted: Counter[tuple[str, int]] = Counter()
        for line in self.journal:
            for move in line.moves:
                count(counted, move)
        return counted

    # Commands.

    def do(self, command: Command, clock: int, *, is_billing_on: bool = True) -> Answer:
        """Carry out a command and answer it.

        The answer is ("done", sequence numbers, whether it is an old answer) or ("refused", name, fields, old or not).
        """
        key = f"reverse:{command['seq']}" if command["do"] == "reverse" else command["key"]
        body = {name: value for name, value in command.items() if name not in FORGOTTEN.get(command["do"], {"key"})}
        if "note" in body:
            body["note"] = body["note"][0]
        if command["do"] != "reverse" and (not key or key.split(":")[0] in OWN_KEYS):
            return ("refused", "InvalidKeyError", (("key", key),), False)
        malformed = self.malformed(command)
        if malformed is not None:
            return (*malformed.answer, False)
        if key in self.answers:
            return self.repeated(key, command["do"], body)
        self.now = max(clock, self.booked)
        self.is_billing_on = is_billing_on
        untimely = self.untimely(command)
        if untimely is not None:
            return (*untimely.answer, False)
        start = self.known = len(self.journal)
        before = self.posted
        self.book_what_is_due()
        try:
            answer: Answer = ("done", (self.deeds()[command["do"]](key, command),))
        except RefusedError as refusal:
            answer = refusal.answer
        if answer[1] not in NOT_KEPT:
            self.answers[key] = (body, answer)
        self.look_for_low_balance(before, self.journal[start:])
        return (*answer, False)

    def deeds(self) -> dict[str, Callable[[str, Command], int]]:
        """What is done for each command; it comes to the sequence number of the command's own entry."""
        return {
            "grant": self.do_grant,
            "spend": self.do_spend,
            "hold": self.do_hold,
            "capture": self.do_capture,
            "release": self.do_release,
            "extend": self.do_extend,
            "usage": self.do_usage,
            "revoke": self.do_revoke,
            "adjust": self.do_adjust,
            "refund": self.do_refund,
            "reverse": self.do_reverse,
        }

    def repeated(self, key: str, do: str, body: Command) -> Answer:
        """The answer to a key that was used before."""
        first, answer = self.answers[key]
        if first == body or (do == "reverse" and answer[0] == "refused"):
            return (*answer, True)
        if do == "reverse":
            # Whoever asks, an entry is taken back once.
            return ("refused", "EntryNotReversibleError", (("seq", body["seq"]),), False)
        return ("refused", "IdempotencyConflictError", (("key", key),), False)

    def malformed(self, command: Command) -> RefusedError | None:
        """What is wrong with the request itself, today as ever. Its key stays free."""
        if command.get("amount", command.get("change", 1)) == 0:
            return RefusedError("InvalidAmountError", value=0)
        if command["do"] == "refund" and command["refunded_cents"] > command["paid_cents"]:
            return RefusedError("InvalidAmountError", value=command["refunded_cents"])
        return None

    def untimely(self, command: Command) -> RefusedError | None:
        """What is wrong with it at this time. Its key stays free."""
        if command["do"] == "grant" and command["expires"] <= self.now:
            return RefusedError("ExpiredGrantError", expires_at=command["expires"])
        if command["do"] == "usage" and not self.now - OLDEST_USAGE <= command["occurred"] <= self.now:
            return RefusedError("InvalidTimeError")
        return None

    def do_grant(self, key: str, command: Command) -> int:
        return self.give(
            key, origin=command["origin"], amount=command["amount"], expires=command["expires"], actor=command["actor"]
        )

    def do_spend(self, key: str, command: Command) -> int:
        missing = self.missing(command)
        moves = [("grant", "used", pile, amount) for pile, amount in self.take(command["amount"] - missing)]
        who = {"occurred": command["occurred"], "actor": command["actor"]}
        if missing and self.is_billing_on:
            # A hold that is captured as it is made names the charges.
            hold = self.new_hold(0, [], command["paid"], paid_units=missing)
            line = self.book("spend", moves, key=key, hold=hold.number, **who)
            self.charge_units(line, hold, missing)
            hold.captured, hold.state = missing, "captured"
            return line.seq
        if moves:
            line = self.book("spend", moves, key=key, **who)
            self.waive(missing, key=f"waive:{self.next_seq}", occurred=command["occurred"])
            return line.seq
        return self.waive(missing, key=key, **who)

    def do_hold(self, key: str, command: Command) -> int:
        if command["lasts"] > LONGEST_HOLD:
            raise RefusedError("HoldTooLongError", latest_at=self.now + LONGEST_HOLD)
        missing = self.missing(command)
        taken = self.take(command["amount"] - missing)
        paid = missing if self.is_billing_on else 0
        hold = self.new_hold(command["lasts"], taken, command["paid"], paid_units=paid, waived_units=missing - paid)
        moves = [("grant", "held", pile, amount) for pile, amount in taken]
        return self.book("hold", moves, key=key, hold=hold.number, actor=command["actor"]).seq

    def do_capture(self, key: str, command: Command) -> int:
        hold = self.open_hold(command["hold"])
        left = command["amount"]
        if left > hold.units:
            raise RefusedError("HoldExceededError", hold_id=hold.number, requested=left, held=hold.units)
        moves: list[Move] = []
        rest: list[Move] = []
        for pile, amount in hold.shares:
            taken = min(left, amount)
            left -= taken
            moves.append(("held", "used", pile, taken))
            rest.append(("held", "grant", pile, amount - taken))
        paid = min(left, hold.paid_units)
        waived = left - paid
        covered = self.take(min(paid, self.available))
        paid -= sum(amount for _, amount in covered)
        if not self.is_billing_on:
            paid, waived = 0, waived + paid
        moves += [*rest, *(("grant", "used", pile, amount) for pile, amount in covered)]
        hold.captured, hold.state = command["amount"], "captured"
        line = self.book("capture", moves, key=key, hold=hold.number, actor=command["actor"])
        self.charge_units(line, hold, paid)
        self.move(line, ("waived", "used", 0, waived))
        self.look_after([pile for pile, _ in hold.shares + covered], since=self.now)
        return line.seq

    def do_release(self, key: str, command: Command) -> int:
        hold = self.open_hold(command["hold"])
        return self.let_go(hold, "released", key=key, occurred=self.now, actor=command["actor"])

    def do_extend(self, key: str, command: Command) -> int:
        hold = self.open_hold(command["hold"])
        until = self.now + command["lasts"]
        if until > hold.made + LONGEST_HOLD:
            raise RefusedError("HoldTooLongError", latest_at=hold.made + LONGEST_HOLD)
        hold.expires = max(hold.expires, until)
        return self.book("extend", [], key=key, hold=hold.number, actor=command["actor"]).seq

    def do_usage(self, key: str, command: Command) -> int:
        occurred, left = command["occurred"], command["amount"]
        moves: list[Move] = []
        for pile in sorted(self.piles.values(), key=burn_rank):
            if pile.effective <= occurred < pile.expires:
                # What was held when the month ended expires as it returns, but could pay for nothing in between.
                expired = self.expired_after(pile.number, occurred) if occurred < pile.ended else 0
                for place, there in (
                    ("expired", expired),
                    ("grant", self.of("grant", pile.number)),
                ):
                    taken = min(left, there)
                    left -= taken
                    moves.append((place, "used", pile.number, taken))
        who = {"occurred": occurred, "actor": command["actor"]}
        piles = [pile for _, _, pile, amount in moves if amount]
        if not self.is_billing_on:
            if not piles:
                return self.waive(left, key=key, **who)
            line = self.book("spend", moves, key=key, **who)
            self.waive(left, key=f"waive:{self.next_seq}", occurred=occurred)
        else:
            line = self.book("spend", [*moves, ("debt", "used", 0, left)], key=key, **who)
        self.look_after(piles, since=self.now)
        return line.seq

    def do_revoke(self, key: str, command: Command) -> int:
        if command["amount"] > self.available:
            raise RefusedError("InsufficientCreditsError", requested=command["amount"], available=self.available)
        moves = [("grant", "revoked", pile, amount) for pile, amount in self.take(command["amount"])]
        return self.book("revoke", moves, key=key, actor=command["actor"]).seq

    def do_adjust(self, key: str, command: Command) -> int:
        change, actor = command["change"], command["actor"]
        if change < 0:
            taken = self.take(min(-change, self.available))
            moves = [("grant", "revoked", pile, amount) for pile, amount in taken]
            owed = -change - sum(amount for _, amount in taken)
            return self.book("adjust", [*moves, ("debt", "lent", 0, owed)], key=key, actor=actor).seq
        forgiven = min(change, self.debt)
        rest = change - forgiven
        if not forgiven:
            return self.give(key, origin="goodwill", amount=rest, expires=FOREVER, actor=actor)
        line = self.book("adjust", [("lent", "debt", 0, forgiven)], key=key, actor=actor)
        if rest:
            self.give(f"adjust:{self.next_seq}", origin="goodwill", amount=rest, expires=FOREVER, actor=actor)
        return line.seq

    def do_refund(self, key: str, command: Command) -> int:
        pile = self.piles.get(command["grant"])
        if pile is None:
            raise RefusedError("UnknownGrantError", grant_number=command["grant"])
        target = pile.amount * command["refunded_cents"] // command["paid_cents"]
        is_less, pile.target = target < pile.target, target
        return (self.give_back if is_less else self.collect)(pile, key=key, actor=command["actor"]).seq

    def do_reverse(self, key: str, command: Command) -> int:
        if not 0 < command["seq"] <= self.known:
            raise RefusedError("UnknownEntryError", seq=command["seq"])
        entry = self.journal[command["seq"] - 1]
        who = {"key": key, "actor": command["actor"], "reverses": entry.seq}
        if entry.kind == "grant":
            pile = self.piles[entry.moves[0][2]]
            pile.target = pile.amount
            return self.collect(pile, **who).seq
        if entry.kind not in REVERSIBLE or "issued" in [debit for debit, *_ in entry.moves]:
            raise RefusedError("EntryNotReversibleError", seq=entry.seq)
        line = self.book("reverse", [], **who)
        homeless = 0
        for debit, credit, pile, amount in reversed(entry.moves):
            if (debit, credit) == ("held", "grant"):
                continue
            # Debt that was repaid can't be taken off, and what a refund gave back isn't there any more.
            back = min(amount, self.debt) if debit == "debt" else amount
            if pile:
                back = min(back, self.of(credit, pile))
            homeless += amount - back
            self.move(line, (credit, "grant" if debit == "held" else debit, pile, back))
        line.posted, line.held, line.debt = self.posted, self.held, self.debt
        touched = [pile for _, _, pile, _ in line.moves if pile]
        if homeless:
            self.give(f"refund_reversal:{self.next_seq}", origin="refund_reversal", amount=homeless, expires=FOREVER)
        self.look_after(touched, since=self.now, forgives=True)
        return line.seq

    def waive(self, amount: int, **who: Any) -> int:
        """Usage that nobody pays for."""
        if not amount:
            return 0
        seq: int = self.book("waive", [("waived", "used", 0, amount)], **who).seq
        return seq

    # What happens by itself.

    def book_what_is_due(self) -> None:
        """What time has brought about, as it came: holds that timed out, grants that expired."""
        for hold in sorted(self.holds.values(), key=lambda each: (each.expires, each.number)):
            if hold.state == "open" and hold.expires <= self.now:
                self.expire_until(hold.expires)
                self.let_go(hold, "timed_out", key=f"timeout:{hold.number}", occurred=hold.expires)
        self.expire_until(self.now)

    def expire_until(self, moment: int) -> None:
        for pile in sorted(self.piles.values(), key=burn_rank):
            if pile.expires <= moment:
                self.expire_if_due(pile.number)

    def look_after(self, piles: list[int], *, since: int, forgives: bool = False) -> None:
        """Credits came back to these grants at a moment, or were used: what payment and expiry demand is due now."""
        for number in dict.fromkeys(piles):
            pile = self.piles[number]
            excess = min(self.debt, max(0, self.owed(number) - self.overspent(pile)))
            if forgives and excess:
                self.book("reinstate", [("lent", "debt", number, excess)], key=f"reinstate:{number}:{self.next_seq}")
            if any(self.still_to_collect(pile)):
                self.collect(pile, key=f"clawback:{number}:{self.next_seq}")
            self.expire_if_due(number, since)

    def expire_if_due(self, number: int, since: int = 0) -> None:
        there, pile = self.of("grant", number), self.piles[number]
        ends = min(pile.expires, pile.ended)
        if there and ends <= self.now:
            moves = [("grant", "expired", number, there)]
            key = f"expire:{number}:{self.next_seq}"
            self.book("expire", moves, key=key, occurred=max(ends, since))

    def let_go(self, hold: Held, state: str, *, key: str, occurred: int, actor: str = "clock") -> int:
        """End a hold and give everything back."""
        hold.state = state
        moves = [("held", "grant", pile, amount) for pile, amount in hold.shares]
        line = self.book("release", moves, key=key, hold=hold.number, occurred=occurred, actor=actor)
        self.look_after([pile for pile, _ in hold.shares], since=occurred)
        return line.seq

    def still_to_collect(self, pile: Pile) -> tuple[int, int]:
        """Rule 26: how many credits a refund demands of a grant now, and how many it makes owed.

        The customer is entitled to what isn't refunded. What was spent beyond it is owed, and what is unspent is taken
        as far as it goes. Held credits are looked at when they return, and what expired is neither.
        """
        lent = max(0, self.overspent(pile) - self.owed(pile.number))
        collected = self.of("revoked", pile.number) + self.owed(pile.number) + lent
        return min(self.of("grant", pile.number), max(0, pile.target - collected)), lent

    def collect(self, pile: Pile, *, key: str, actor: str = "clock", reverses: int = 0) -> Line:
        """Take what a refund demands; or, to the same effect, that the grant itself is taken back."""
        taken, lent = self.still_to_collect(pile)
        self.taken[pile.number] += taken
        moves = [("grant", "revoked", pile.number, taken), ("debt", "lent", pile.number, lent)]
        return self.book("reverse" if reverses else "clawback", moves, key=key, actor=actor, reverses=reverses)

    def give_back(self, pile: Pile, *, key: str, actor: str) -> Line:
        """A refund failed: debt that isn't due is taken off, then comes back what was taken too much.

        What of that debt was repaid meanwhile comes back as credits; what was revoked by hand doesn't.
        """
        number, owes = pile.number, self.overspent(pile)
        excess = max(0, self.owed(number) - owes)
        repaid = excess - min(self.debt, excess)
        # What the refund still demands stays, instead of being taken anew.
        kept = min(repaid, max(0, pile.target - self.of("revoked", number) - owes))
        excess, repaid = excess - kept, repaid - kept
        to_grant = min(repaid, self.of("used", number))
        returned = min(self.taken[number], max(0, self.of("revoked", number) + owes - pile.target))
        self.taken[number] -= returned
        moves = [
            ("debt", "grant", number, to_grant),
            ("debt", "used", 0, repaid - to_grant),
            ("lent", "debt", number, excess),
            ("revoked", "grant", number, returned),
        ]
        line = self.book("reinstate", moves, key=key, actor=actor)
        if repaid > to_grant:
            amount = repaid - to_grant
            self.give(f"refund_reversal:{self.next_seq}", origin="refund_reversal", amount=amount, expires=FOREVER)
        self.look_after([number], since=self.now)
        return line

    def overspent(self, pile: Pile) -> int:
        """How much of a grant was spent beyond what the customer is entitled to."""
        return max(0, self.of("used", pile.number) - (pile.amount - pile.target))

    # The book.

    @property
    def next_seq(self) -> int:
        return len(self.journal) + 1

    def book(
        self,
        kind: str,
        moves: list[Move],
        *,
        key: str,
        occurred: int | None = None,
        actor: str = "clock",
        hold: int = 0,
        reverses: int = 0,
    ) -> Line:
        """Append an entry. A move of nothing is none."""
        line = Line(
            seq=self.next_seq,
            kind=kind,
            moves=[],
            occurred=self.now if occurred is None else occurred,
            booked=self.now,
            key=key,
            actor=actor,
            hold=hold,
            reverses=reverses,
        )
        self.journal.append(line)
        for move in moves:
            self.move(line, move)
        line.posted, line.held, line.debt = self.posted, self.held, self.debt
        return line

    def move(self, line: Line, move: Move) -> None:
        if move[3]:
            line.moves.append(move)
            count(self.standing, move)

    def give(
        self, key: str, *, origin: str, amount: int, expires: int, occurred: int | None = None, actor: str = "clock"
    ) -> int:
        """Make a grant. If it is one that was paid for, or stands for what was, it repays debt first."""
        pile = Pile(
            number=len(self.piles) + 1,
            origin=origin,
            is_paid=origin in PAID,
            amount=amount,
            effective=self.now,
            expires=expires,
        )
        self.piles[pile.number] = pile
        line = self.book("grant", [("issued", "grant", pile.number, amount)], key=key, occurred=occurred, actor=actor)
        repays = min(self.debt, amount)
        if repays and origin in REPAYING:
            self.book("repay", [("grant", "debt", pile.number, repays)], key=f"repay:{self.next_seq}")
        return line.seq

    def take(self, amount: int) -> list[tuple[int, int]]:
        """Which grants so many credits are taken from: one by one, each from the grant that burns first."""
        left = {number: self.of("grant", number) for number in self.piles}
        taken: dict[int, int] = {}
        for _ in range(amount):
            first = min((pile for pile in self.piles.values() if left[pile.number]), key=burn_rank)
            left[first.number] -= 1
            taken[first.number] = taken.get(first.number, 0) + 1
        return list(taken.items())

    def missing(self, command: Command) -> int:
        """How much the credits lack; refused if money may not pay for it, and nobody else does."""
        missing: int = max(0, command["amount"] - self.available)
        units = command["paid"][0] if command["paid"] else 0
        if self.is_billing_on and missing > units:
            raise RefusedError("InsufficientCreditsError", requested=command["amount"], available=self.available)
        return missing

    def late_returns(self) -> int:
        """How often credits returned to a plan's month that its renewal had ended, but that was not over by itself."""
        ends = [(line.occurred, self.piles[line.moves[0][2]]) for line in self.journal if line.kind == "expire"]
        return sum(pile.ended < occurred < pile.expires for occurred, pile in ends)

    def new_hold(
        self,
        lasts: int,
        shares: list[tuple[int, int]],
        paid: tuple[int, int] | None,
        *,
        paid_units: int = 0,
        waived_units: int = 0,
    ) -> Held:
        hold = Held(
            number=len(self.holds) + 1,
            shares=shares,
            made=self.now,
            expires=self.now + lasts,
            paid_units=paid_units,
            price=paid[1] if paid and paid_units else 0,
            waived_units=waived_units,
        )
        self.holds[hold.number] = hold
        return hold

    def open_hold(self, number: int) -> Held:
        hold = self.holds.get(number)
        if hold is None:
            raise RefusedError("UnknownHoldError", hold_id=0)
        if hold.state != "open":
            raise RefusedError("HoldEndedError", hold_id=number, state=hold.state)
        return hold

    def charge_units(self, line: Line, hold: Held, units: int) -> None:
        """Each paid unit is a charge, and a grant of one credit that is spent at once."""
        for unit in range(1, units + 1):
            number = len(self.piles) + 1
            self.piles[number] = Pile(
                number=number, origin="charged", is_paid=True, amount=1, effective=self.now, expires=FOREVER
            )
            self.move(line, ("issued", "grant", number, 1))
            self.move(line, ("grant", "used", number, 1))
            self.charges.append((hold.number, unit, line.seq, number, hold.price))

    def expired_after(self, number: int, moment: int) -> int:
        """How much of a grant came to its end after this moment, and hasn't paid for late usage since."""
        ended = sum(
            amount
            for line in self.journal
            for debit, credit, pile, amount in line.moves
            if (credit, pile) == ("expired", number) and line.occurred > moment
        )
        return min(ended, self.of("expired", number))

    def look_for_low_balance(self, before: int, lines: list[Line]) -> None:
        """Whether a command took the balance to a threshold or below: told of once, the lowest."""
        crossed = [threshold for threshold in self.thresholds if self.posted <= threshold < before]
        if crossed:
            last = [line for line in lines if line.posted < self.journal[line.seq - 2].posted][-1]
            self.alerts.append((min(crossed), self.posted, last.seq))

    # What comes without a key.

    def sign_up(self, amount: int, clock: int) -> None:
        self.now = max(clock, self.booked)
        self.give("signup", origin="signup", amount=amount, expires=FOREVER, occurred=clock)

    def follow_plan(self, clock: int, *, allowance: int, rollover: int, thresholds: tuple[int, ...]) -> int:
        """GitHub shows the plan, billed on the first of next month: a month that wasn't granted yet is, in full.

        What the month before left over expires, but for what lives on in a grant of its own. So does later what was
        held then or spent by mistake, as it returns: of that nothing lives on.
        """
        self.now = max(clock, self.booked)
        self.thresholds = thresholds
        ends = first_of_next_month(self.now)
        if ends == self.month_ends:
            return ends
        self.month_ends = ends
        start, before = len(self.journal), self.posted
        self.book_what_is_due()
        leftovers = [pile for pile in sorted(self.piles.values(), key=burn_rank) if pile.origin == "plan"]
        for pile in leftovers:
            pile.ended = min(pile.ended, self.now)
        left = [(pile.number, self.of("grant", pile.number)) for pile in leftovers]
        for number, there in left:
            if there:
                moves = [("grant", "expired", number, there)]
                self.book("expire", moves, key=f"expire:{number}:{self.next_seq}")
        kept = min(rollover, sum(there for _, there in left))
        if kept:
            self.give("rollover", origin="plan", amount=kept, expires=ends + 3 * DAY)
        self.give("plan", origin="plan", amount=allowance, expires=ends + 3 * DAY, occurred=clock)
        self.look_for_low_balance(before, self.journal[start:])
        return ends

    # How it stands, to be compared.

    def balance(self) -> dict[str, int]:
        return {"posted": self.posted, "held": self.held, "debt": self.debt, "version": len(self.journal)}

    def grants(self) -> list[dict[str, Any]]:
        return [
            {
                "number": pile.number,
                "origin": pile.origin,
                "category": "paid" if pile.is_paid else "promotional",
                "priority": pile.priority,
                "amount": pile.amount,
                "effective_at": pile.effective,
                "expires_at": pile.expires,
                "remaining": self.of("grant", pile.number),
                "held": self.of("held", pile.number),
                "spent": self.of("used", pile.number),
                "expired": self.of("expired", pile.number),
                "revoked": self.of("revoked", pile.number),
                "taken": self.taken[pile.number],
                "owed": self.owed(pile.number),
                "reversed": pile.target,
            }
            for pile in self.piles.values()
        ]

    def all_holds(self) -> list[dict[str, Any]]:
        return [
            {
                "number": hold.number,
                "credits": hold.credits,
                "shares": hold.shares,
                "paid_units": hold.paid_units,
                "price_cents": hold.price,
                "waived_units": hold.waived_units,
                "captured": hold.captured,
                "state": hold.state,
                "made_at": hold.made,
                "expires_at": hold.expires,
            }
            for hold in self.holds.values()
        ]


def burn_rank(pile: Pile) -> tuple[int, int, bool, int, int]:
    """Rule 4: priority, the earliest expiry, promotional before paid, the earliest effective, the number."""
    return (pile.priority, pile.expires, pile.is_paid, pile.effective, pile.number)


def count(standing: Counter[tuple[str, int]], move: Move) -> None:
    """Take credits from one place to another. Debt is one place, whatever made it."""
    debit, credit, pile, amount = move
    standing[debit, 0 if debit == "debt" else pile] -= amount
    standing[credit, 0 if credit == "debt" else pile] += amount
    # What repays a debt is used up by what was owed.
    if (debit, credit) == ("grant", "debt"):
        standing["used", pile] += amount
    if (debit, credit) == ("debt", "grant"):
        standing["used", pile] -= amount


def first_of_next_month(moment: int) -> int:
    """Midnight UTC of the first of the month after this moment."""
    day = datetime.fromtimestamp(moment / 1000, UTC).replace(day=28, hour=0, minute=0, second=0, microsecond=0)
    return int((day + timedelta(days=4)).replace(day=1).timestamp()) * 1000
