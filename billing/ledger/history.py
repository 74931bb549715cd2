"""How an account stood behind an entry, by its journal."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from billing.ledger.burning import next_expiry
from billing.ledger.chain import FIRST_HEAD
from billing.ledger.entries import Entry
from billing.ledger.tracks import Tracks
from billing.state import CreditAccount, Grant, Hold
from billing.values import EPOCH, NEVER, HoldState, value


@value
class Past:
    """An account with its grants and holds, those that had ended included, as they stood behind an entry."""

    account: CreditAccount
    grants: tuple[Grant, ...]
    holds: tuple[Hold, ...]


class Rereading:
    """Follows a journal from its first entry on, to tell how the account stood behind the last one that was read.

    Memory grows with the account's grants, holds and charges, not with its entries.
    """

    def __init__(self) -> None:
        self._tracks = Tracks()
        self._last: Entry | None = None

    def read(self, entries: Iterable[Entry]) -> None:
        """Follow the next entries, which ascend."""
        for entry in entries:
            self._tracks.follow(entry)
            self._last = entry

    def past(self, account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold]) -> Past:
        """How the account stood behind the last entry that was read; before the first one if there was none.

        `account`, `grants` and `holds` are as they stand today, all that there ever were: their terms never change, and
        the entries tell the rest.
        """
        tracks, last = self._tracks, self._last
        grants_then = tuple(_grant_then(grant, tracks) for grant in grants if grant.number in tracks.grants)
        holds_then = tuple(_hold_then(hold, tracks) for hold in holds if hold.id in tracks.holds)
        timeouts = (hold.expires_at for hold in holds_then if hold.state is HoldState.OPEN)
        account_then = replace(
            account,
            posted=last.balance_after if last else 0,
            held=last.held_after if last else 0,
            debt=last.debt_after if last else 0,
            version=last.seq if last else 0,
            grants_made=len(grants_then),
            next_expiry=next_expiry(grants_then),
            next_timeout=min(timeouts, default=NEVER),
            booked_at=last.recorded_at if last else EPOCH,
            head=last.hash if last else FIRST_HEAD,
        )
        return Past(account=account_then, grants=grants_then, holds=holds_then)


def _grant_then(grant: Grant, tracks: Tracks) -> Grant:
    columns: dict[str, Any] = dict(tracks.grants[grant.number].columns)
    return replace(grant, **columns)


def _hold_then(hold: Hold, tracks: Tracks) -> Hold:
    track = tracks.holds[hold.id]
    return replace(hold, state=track.state, captured=track.captured, expires_at=track.expires_at)
