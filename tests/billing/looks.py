"""Short looks at a history, for tests that say much in few lines."""

from billing.commands import Applied, Refused
from billing.decide import Decision
from billing.errors import BillingError
from billing.state import Hold
from billing.values import HoldId
from tests.billing.builders import History

Lines = list[tuple[str, int]]
"""Entries as kinds and amounts."""


def figures(history: History) -> tuple[int, int, int]:
    """What is available, held and owed."""
    balance = history.balance
    return balance.available, balance.held, balance.debt


def places(history: History, number: int) -> dict[str, int]:
    """Where the grant's credits are; only those places where there are some."""
    grant = history.all_grants[number]
    columns = ("remaining", "held", "spent", "expired", "revoked", "taken", "owed", "reversed")
    return {column: getattr(grant, column) for column in columns if getattr(grant, column)}


def moves(history: History, seq: int) -> list[tuple[str, str, int, int]]:
    """The moves of an entry: from, to, grant, credits."""
    return [
        (str(move.debit), str(move.credit), move.grant_number, move.amount) for move in history.journal[seq - 1].moves
    ]


def since(history: History, seq: int) -> Lines:
    """The entries behind this one."""
    return history.lines()[seq:]


def hold_of(history: History) -> Hold:
    """The hold that was made last."""
    return list(history.all_holds.values())[-1]


def held(history: History, decision: Decision) -> HoldId:
    """The hold that the decision made."""
    entry = history.journal[written(decision) - 1]
    assert entry.hold_id in history.all_holds
    return entry.hold_id


def written(decision: Decision) -> int:
    """The sequence number of the command's own entry."""
    assert isinstance(decision.outcome, Applied), decision.outcome
    (seq,) = decision.outcome.entries
    return seq


def refusal(decision: Decision) -> BillingError:
    """Why the command was refused. What is refused moves nothing of its own."""
    assert isinstance(decision.outcome, Refused), decision.outcome
    assert all(entry.actor == "clock" for entry in decision.entries)
    return decision.outcome.error
