"""What a store brings for a command, so that no test decides on more than a database would load."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from billing.ledger.entries import Entry
from billing.ports import Wanted
from billing.state import CustomerState, Grant, Hold
from billing.values import CustomerId, HoldState, Origin


def brought(
    state: CustomerState, grants: Iterable[Grant], holds: Iterable[Hold], wanted: Wanted, entries: Iterable[Entry]
) -> CustomerState:
    """The customer with those grants and holds that are loaded for such a batch, of all that there ever were."""
    loaded = _holds(state, holds, wanted)
    customer_id = state.customer.id
    used_at = wanted.used_at.get(customer_id)
    numbers = {share.grant_number for hold in loaded for share in hold.shares}
    numbers |= {number for customer, number in wanted.grants if customer == customer_id}
    numbers |= {move.grant_number for entry in entries for move in entry.moves}
    return replace(
        state,
        grants=tuple(
            grant
            for grant in grants
            if grant.remaining
            or grant.number in numbers
            or (used_at is not None and grant.expires_at > used_at and (grant.expired or grant.origin is Origin.PLAN))
        ),
        holds=loaded,
    )


def entries_for(wanted: Wanted, journal: Iterable[Entry], customer_id: CustomerId) -> Sequence[Entry]:
    """The entries of this customer that commands take back."""
    numbers = {seq for customer, seq in wanted.entries if customer == customer_id}
    return [entry for entry in journal if entry.seq in numbers]


def _holds(state: CustomerState, holds: Iterable[Hold], wanted: Wanted) -> tuple[Hold, ...]:
    """Those that are named, those that timed out, and the next one to."""
    mine = [hold for hold in holds if hold.account_id == state.account.id]
    chosen = {hold.id: hold for hold in mine if hold.id in wanted.holds}
    if state.account.next_timeout <= wanted.now:
        still_open = sorted((hold for hold in mine if hold.state is HoldState.OPEN), key=lambda hold: hold.expires_at)
        due = [hold for hold in still_open if hold.expires_at <= wanted.now]
        chosen |= {hold.id: hold for hold in still_open[: len(due) + 1]}
    return tuple(chosen.values())
