"""What a decision starts from beside the state and the command, and what it comes to."""

from datetime import datetime, timedelta
from typing import Final

from billing.commands import Cause, Outcome, Postponed
from billing.ledger.entries import Entry
from billing.records import Alarm, Loss, LowBalance, NoteRow, Recovery, Remembered, Reply, SignupSlot
from billing.state import Charge, CustomerState
from billing.values import NO_HOLD, AccountId, CustomerId, HoldId, value

PATIENCE: Final = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
"""How long each time until GitHub is asked again when its answer contradicts its delivery; then the answer stands
(docs/decisions/0011-contradictions-are-asked-again.md).
"""


@value
class Facts:
    """What a decision may know beyond the customer's state; looked up before it, in the same transaction.

    Attributes:
        new_ids: for the customer and the credit account, where the command may have to make them.
        remembered: the answer given before for the command's idempotency key.
        losses_last_hour: how many Marketplace subscriptions ended within the last hour because GitHub stopped showing
            them.
        living: how many Marketplace subscriptions live; only looked up when it matters.
        signup_slots: the places that the installing user has taken, old ones included.
        hold_id: for the hold, where the command may have to make one.
        entry: the one that the command takes back; None if there is none.
        billing_on: whether we bill. While we don't, nothing is refused for want of credits or money, and nothing is
            owed or charged (rule 36).
    """

    new_ids: tuple[CustomerId, AccountId] | None = None
    remembered: Remembered | None = None
    losses_last_hour: int = 0
    living: int = 0
    signup_slots: tuple[SignupSlot, ...] = ()
    hold_id: HoldId = NO_HOLD
    entry: Entry | None = None
    billing_on: bool = True


@value
class Decision:
    """What became of a command, and all that is to be written for it.

    Attributes:
        state: the customer afterwards; None leaves everything as it was, and doesn't make a customer that isn't there.
    """

    outcome: Outcome
    state: CustomerState | None = None
    entries: tuple[Entry, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    refusals: tuple[Remembered, ...] = ()
    losses: tuple[Loss, ...] = ()
    signup_slots: tuple[SignupSlot, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    replies: tuple[Reply, ...] = ()
    charges: tuple[Charge, ...] = ()
    low_balances: tuple[LowBalance, ...] = ()


def overtaken(now: datetime) -> Decision:
    """The decision about an answer that was asked for before one already applied: ask anew.

    It can't be told which of the two GitHub gave later, so neither is guessed at.
    """
    return Decision(outcome=Postponed(until=now, reason="a newer answer was applied meanwhile"))


def contradicted(cause: Cause, now: datetime) -> Decision | None:
    """The decision about an answer that contradicts its delivery: ask again later; None once the answer stands."""
    if cause.repeats >= len(PATIENCE):
        return None
    return Decision(
        outcome=Postponed(until=now + PATIENCE[cause.repeats], reason="GitHub's answer contradicts its delivery")
    )
