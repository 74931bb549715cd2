"""A balance over time, as steps: what was, what has expired unbooked, and what will expire if nothing is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.inspector import CustomerView, EntryView


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A moment at which a balance changed, or will.

    Attributes:
        balance: What it is from then on, in credits.
        amount: By how much it changed.
        what: Why, in a few words.
        is_expiry: Whether credits were lost because their time was over.
    """

    at: datetime
    balance: int
    amount: int
    what: str
    is_expiry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A balance from its first step shown to the last one to come.

    Attributes:
        before: The balance before the first step; above zero where older entries aren't shown.
        past: Oldest first.
        future: What is to come by what is known now, soonest first.
        now: Where the past ends.
    """

    before: int
    past: tuple[Step, ...]
    future: tuple[Step, ...]
    now: datetime

    @property
    def balance(self) -> int:
        """What it is now."""
        return self.past[-1].balance if self.past else self.before


def history_of(customer: CustomerView, now: datetime) -> History:
    """Return a customer's history."""
    entries = sorted(customer.entries, key=lambda entry: entry.sequence)
    past = [_step(entry) for entry in entries]
    balance = past[-1].balance if past else 0
    for expired in sorted(customer.expired, key=lambda expired: expired.at):
        balance -= expired.amount
        gone = expired.amount > 0
        what = "expired, not booked yet" if gone else "a hold timed out, not booked yet"
        past.append(Step(at=expired.at, balance=balance, amount=-expired.amount, what=what, is_expiry=gone))
    future = []
    mortal = [
        (grant.expires_at, grant) for grant in customer.grants if grant.expires_at is not None and grant.remaining
    ]
    for at, grant in sorted(mortal, key=lambda pair: pair[0]):
        balance -= grant.remaining
        future.append(
            Step(at=at, balance=balance, amount=-grant.remaining, what="expires unless it is used", is_expiry=True)
        )
    return History(
        before=entries[0].balance_after - entries[0].amount if entries else 0,
        past=tuple(past),
        future=tuple(future),
        # The product's time may be ahead of what is drawn by a moment.
        now=max([now, *(step.at for step in past)]),
    )


def in_a_sentence(history: History, moments: Sequence[str]) -> str:
    """Tell a history in a sentence, for those who can't see its picture.

    Args:
        history: What is told.
        moments: The times of its first step, of its highest balance and of its next expiry, in words; the last is ""
            if nothing expires.
    """
    began, peaked, expires = moments
    highest = max((step.balance for step in history.past), default=history.before)
    text = f"From {history.before} credits on {began} to {history.balance} now, at most {highest} ({peaked})."
    if history.future:
        text += f" {-history.future[0].amount} of them expire on {expires} unless they are used."
    return text


def _step(entry: EntryView) -> Step:
    """Return the step that an entry made."""
    return Step(
        at=entry.happened_at,
        balance=entry.balance_after,
        amount=entry.amount,
        what=entry.description,
        is_expiry=entry.kind == "expire",
    )
