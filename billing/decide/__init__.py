"""Decisions: what becomes of a command, given the state of one customer. Pure functions, total over the commands."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from billing.commands import (
    Answer,
    BackfillGrants,
    Command,
    FollowInstallation,
    FollowMarketplace,
    Ignore,
    Ignored,
    KeyedCommand,
    RenameAccount,
    ShowFigures,
)
from billing.decide.backfill import backfill_grants
from billing.decide.comments import answer_comment
from billing.decide.customers import rename_account, show_figures
from billing.decide.decision import Decision, Facts
from billing.decide.installations import follow_installation
from billing.decide.keyed import carry_out
from billing.decide.low_balances import low_balances
from billing.decide.marketplace import follow_marketplace
from billing.plans import PlanCatalog
from billing.state import CustomerState

__all__ = ["Decision", "Facts", "decide"]


def decide(state: CustomerState | None, command: Command, now: datetime, plans: PlanCatalog, facts: Facts) -> Decision:
    """Say what becomes of the command.

    `state` is the customer that it names, None if there is none. Time never runs backwards for an account: `now` is not
    before its last booking, whatever the clock says.
    """
    if state is not None:
        now = max(now, state.account.booked_at)
    decision = _decide(state, command, now, plans, facts)
    told = low_balances(state, decision, plans)
    return replace(decision, low_balances=told) if told else decision


def _decide(state: CustomerState | None, command: Command, now: datetime, plans: PlanCatalog, facts: Facts) -> Decision:
    if isinstance(command, KeyedCommand):
        return carry_out(state, command, now, facts)
    match command:
        case FollowMarketplace():
            return follow_marketplace(state, command, now, plans, facts)
        case FollowInstallation():
            return follow_installation(state, command, now, plans, facts)
        case RenameAccount():
            return rename_account(state, command)
        case Answer():
            return answer_comment(command)
        case BackfillGrants():
            return backfill_grants(state, command, now, plans)
        case ShowFigures():
            return show_figures(state, command)
        case Ignore():
            return Decision(outcome=Ignored(reason=command.reason))
        case _:
            assert_never(command)
