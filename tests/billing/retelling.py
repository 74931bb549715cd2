"""How an account stood back then, by a journal that is at hand whole: what the program's own ways are held against."""

from collections.abc import Iterable
from datetime import datetime
from itertools import takewhile

from billing.ledger.balance import Balance, balance_of
from billing.ledger.entries import Entry
from billing.ledger.history import Past, Rereading
from billing.ledger.months import months_by
from billing.state import CreditAccount, Grant, Hold


def as_of(account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold], entries: Iterable[Entry]) -> Past:
    """How the account stood behind the last of these entries, which are all from the first on."""
    rereading = Rereading()
    rereading.read(entries)
    return rereading.past(account, grants, holds)


def booked_by(entries: Iterable[Entry], moment: datetime) -> Iterable[Entry]:
    """Those of the entries, which ascend, that were booked by this moment."""
    return takewhile(lambda entry: entry.recorded_at <= moment, entries)


def balance_at(past: Past, moment: datetime) -> Balance:
    """What it came to at a moment before the next entry; what was due by then counts, booked or not."""
    return balance_of(past.account, past.grants, past.holds, moment, months=months_by(past.grants))
