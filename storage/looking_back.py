"""What a customer had at a moment, exactly."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from billing.ledger.balance import Balance, standing
from billing.ledger.book import CLOCK
from billing.ledger.entries import Entry
from billing.ports import Wanted
from billing.values import AccountId, CustomerId, EntryKind, to_milliseconds
from storage.journal import length_at, page_after
from storage.loading import CUSTOMERS, load
from storage.looking_up import rows_of

PAGE: Final = 64

DUE: Final = frozenset({EntryKind.RELEASE, EntryKind.CLAWBACK, EntryKind.EXPIRE})
"""What is booked ahead of a command because its time had come; and what a refund takes of credits that return then."""


def balance_at(connection: Connection, customer_id: CustomerId, moment: datetime) -> Balance | None:
    """What the customer had by what was booked until then, less what was due by then; None if there is no customer.

    What is due is booked by the next command, ahead of its own entry. So of what was due at a moment long ago the
    journal tells right behind the entries of that time; and what nobody has booked yet is told by the state.
    """
    states = load(connection, rows_of(connection, CUSTOMERS, [customer_id]), Wanted(now=moment)).states
    if not states:
        return None
    account = states[0].account
    length = length_at(connection, account.id, to_milliseconds(moment))
    if length == account.version:
        return standing(states[0], moment)
    return _booked(connection, account.id, length, moment)


def _booked(connection: Connection, account_id: AccountId, length: int, moment: datetime) -> Balance:
    """What so many entries come to, with those behind them that had come due by that moment."""
    posted = held = debt = held_before = debt_before = 0
    has_returned = False
    for entry in _entries_from(connection, account_id, length):
        if entry.seq <= length:
            posted, held, debt = entry.balance_after, entry.held_after, entry.debt_after
        elif entry.actor != CLOCK or entry.kind not in DUE:
            break
        else:
            if entry.kind is EntryKind.RELEASE:
                has_returned = entry.occurred_at <= moment
            # What a refund takes comes with the release that returned it, whatever of it expired in between.
            had_come = has_returned if entry.kind is EntryKind.CLAWBACK else entry.occurred_at <= moment
            posted += entry.amount * had_come
            held += (entry.held_after - held_before) * had_come
            debt += (entry.debt_after - debt_before) * had_come
        held_before, debt_before = entry.held_after, entry.debt_after
    return Balance(available=posted - held, held=held, debt=debt)


def _entries_from(connection: Connection, account_id: AccountId, first: int) -> Iterator[Entry]:
    """The entries from this one on."""
    after = max(first - 1, 0)
    while page := page_after(connection, account_id, after, PAGE):
        yield from page.entries
        after = page.entries[-1].seq
