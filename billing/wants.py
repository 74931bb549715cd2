"""What a batch's commands need to have loaded, and what they may have to ask beside it."""

from collections.abc import Iterable
from datetime import datetime

from billing.commands import (
    CaptureHold,
    Command,
    ExtendHold,
    FollowRefund,
    HoldCredits,
    KeyedCommand,
    RecordUsage,
    ReleaseHold,
    ReverseEntry,
    SpendCredits,
)
from billing.ports import Wanted
from billing.state import CustomerState
from billing.values import CustomerId


def wanted_by(commands: Iterable[KeyedCommand], now: datetime) -> Wanted:
    """What the commands need beside the open grants of their customers."""
    holds = set()
    grants = set()
    entries = set()
    used_at: dict[CustomerId, datetime] = {}
    for command in commands:
        match command:
            case CaptureHold() | ReleaseHold() | ExtendHold():
                holds.add(command.hold_id)
            case FollowRefund():
                grants.add((command.customer_id, command.grant_number))
            case ReverseEntry():
                entries.add((command.customer_id, command.seq))
            case RecordUsage():
                earliest = used_at.get(command.customer_id, command.occurred_at)
                used_at[command.customer_id] = min(earliest, command.occurred_at)
            case _:
                pass
    return Wanted(now=now, holds=holds, grants=grants, entries=entries, used_at=used_at)


def may_make_hold(command: Command) -> bool:
    """Whether the command needs an id for a hold."""
    return isinstance(command, HoldCredits) or (isinstance(command, SpendCredits) and command.paid is not None)


def may_go_short(command: Command, state: CustomerState, now: datetime) -> bool:
    """Whether it may matter to the command if we bill: credits may not cover it."""
    match command:
        case SpendCredits() | HoldCredits():
            account = state.account
            is_due = now >= min(account.next_expiry, account.next_timeout)
            return is_due or command.amount.count > account.posted - account.held
        case CaptureHold():
            return any(hold.id == command.hold_id and hold.paid_units for hold in state.holds)
        case _:
            return isinstance(command, RecordUsage)
