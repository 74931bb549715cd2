"""How an account stood back then, by its journal: at an entry, or at a moment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from billing.ledger.balance import Balance, balance_of
from billing.ledger.burning import next_expiry
from billing.ledger.chain import FIRST_HEAD
from billing.ledger.entries import Entry
from billing.ledger.months import months_by
from billing.ledger.tracks import Tracks
from billing.state import CreditAccount, Grant, Hold
from billing.values import EPOCH, NEVER, HoldState


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An account with its grants and holds, those that had ended included, as they stood behind an entry."""

    account: CreditAccount
    grants: tuple[Grant, ...]
    holds: tuple[Hold, ...]

    def balance_at(self, moment: datetime) -> Balance:
        """What it came to at a moment before the next entry; what was due by then counts, booked or not."""
        return balance_of(self.account, self.grants, self.holds, moment, months=months_by(self.grants))


def booked_by(entries: Iterable[Entry], moment: datetime) -> Iterable[Entry]:
    """Those of the entries, which ascend, that were booked by this moment."""
    return takewhile(lambda entry: entry.recorded_at <= moment, entries)


def as_of(account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold], entries: Iterable[Entry]) -> Past:
    """How the account stood behind the last of these entries, which are all from the first on.

    `account`, `grants` and `holds` are as they stand today, all that there ever were: their terms never change, and the
    entries tell the rest.
    """
    tracks = Tracks()
    posted = held = debt = version = 0
    head, booked_at = FIRST_HEAD, EPOCH
    for entry in entries:
        tracks.follow(entry)
        posted, held, debt, version = entry.balance_after, entry.held_after, entry.debt_after, entry.seq
        head, booked_at = entry.hash, entry.recorded_at
    grants_then = tuple(_grant_then(grant, tracks) for grant in grants if grant.number in tracks.grants)
    holds_then = tuple(_hold_then(hold, tracks) for hold in holds if hold.id in tracks.holds)
    timeouts = (hold.expires_at for hold in holds_then if hold.state is HoldState.OPEN)
    account_then = replace(
        account,
        posted=posted,
        held=held,
        debt=debt,
        version=version,
        grants_made=len(grants_then),
        next_expiry=next_expiry(grants_then),
        next_timeout=min(timeouts, default=NEVER),
        booked_at=booked_at,
        head=head,
    )
    return Past(account=account_then, grants=grants_then, holds=holds_then)


def _grant_then(grant: Grant, tracks: Tracks) -> Grant:
    columns: dict[str, Any] = dict(tracks.grants[grant.number].columns)
    return replace(grant, **columns)


def _hold_then(hold: Hold, tracks: Tracks) -> Hold:
    track = tracks.holds[hold.id]
    return replace(hold, state=track.state, captured=track.captured, expires_at=track.expires_at)
