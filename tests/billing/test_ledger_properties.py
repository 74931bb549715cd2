"""Any sequence of grants, spends, revocations and expiries against a model too simple to be wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.commands import Applied, Refused
from billing.errors import InsufficientCreditsError
from billing.values import NEVER, EntryKind
from tests.billing.builders import History, grant, revoke, spend

HOUR = timedelta(hours=1)


@dataclass
class Pile:
    """A grant as the model sees it: all of them are promotional and of one priority."""

    expires_at: datetime
    number: int
    left: int


@dataclass(frozen=True)
class Give:
    """Credits are granted, to expire in so many hours, if at all."""

    count: int
    hours: int | None


@dataclass(frozen=True)
class Take:
    """Credits are spent or revoked."""

    count: int
    by_hand: bool


@dataclass(frozen=True)
class Wait:
    """Time goes by; also backwards, as a machine's clock may."""

    hours: int


STEPS = st.lists(
    st.one_of(
        st.builds(Give, count=st.integers(1, 20), hours=st.none() | st.integers(1, 60)),
        st.builds(Take, count=st.integers(1, 30), by_hand=st.booleans()),
        st.builds(Wait, hours=st.integers(-10, 40)),
    ),
    max_size=30,
)


class Model:
    """What the ledger comes to, done the long way."""

    def __init__(self) -> None:
        self.piles: list[Pile] = []
        self.made = 0

    def give(self, count: int, expires_at: datetime) -> None:
        self.made += 1
        self.piles.append(Pile(expires_at, self.made, count))

    def left(self, now: datetime) -> int:
        return sum(pile.left for pile in self.piles if pile.expires_at > now)

    def take(self, count: int, now: datetime) -> list[tuple[int, int]]:
        """Take credit by credit, each from the pile that expires first, and say how much came from which."""
        taken: dict[int, int] = {}
        for _ in range(count):
            living = (pile for pile in self.piles if pile.left and pile.expires_at > now)
            first = min(living, key=lambda pile: (pile.expires_at, pile.number))
            first.left -= 1
            taken[first.number] = taken.get(first.number, 0) + 1
        return list(taken.items())


@given(STEPS)
def test_the_ledger_does_as_the_model(steps: list[Give | Take | Wait]) -> None:
    history, model = History(), Model()
    history.install()
    model.give(5, NEVER)
    latest = history.now
    for index, step in enumerate(steps):
        booked = len(history.journal)
        match step:
            case Wait():
                history.wait(hours=step.hours)
            case Give():
                expires_at = NEVER if step.hours is None else max(history.now, latest) + step.hours * HOUR
                history.do(grant(step.count, key=f"step:{index}", expires_at=expires_at))
                latest = max(latest, history.now)
                model.give(step.count, expires_at)
            case Take():
                moment = max(history.now, latest)
                enough = model.left(moment) >= step.count
                ask = revoke if step.by_hand else spend
                outcome = history.do(ask(step.count, key=f"step:{index}")).outcome
                if enough:
                    assert isinstance(outcome, Applied)
                    paid = [(move.grant_number, move.amount) for move in history.journal[-1].moves]
                    assert paid == model.take(step.count, moment)
                else:
                    assert isinstance(outcome, Refused)
                    assert isinstance(outcome.error, InsufficientCreditsError)
                    assert outcome.error.available == model.left(moment)
                if len(history.journal) > booked:
                    latest = moment
        assert history.available == model.left(max(history.now, latest))
    balances = [entry.balance_after for entry in history.journal]
    assert min(balances) >= 0
    assert sum(entry.amount for entry in history.journal) == balances[-1] == history.customer.account.posted
    assert sum(each.remaining for each in history.all_grants.values()) == balances[-1]
    expiries = [entry for entry in history.journal if entry.kind is EntryKind.EXPIRE]
    assert all(entry.occurred_at <= entry.recorded_at for entry in expiries)
