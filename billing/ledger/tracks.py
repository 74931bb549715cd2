"""What a journal says of grants and holds, followed entry by entry: what the tables are held against."""

from dataclasses import dataclass, field
from datetime import datetime

from billing.ledger.entries import Entry, Move
from billing.ledger.places import EFFECTS, taken_by
from billing.ledger.references import target_of, terms_of, timeout_of, word
from billing.state import Charge, Grant, Hold, HoldShare
from billing.values import EntryKind, HoldId, HoldState, Place

GRANT_COLUMNS = ("amount", "remaining", "held", "spent", "expired", "revoked", "taken", "owed", "reversed")
"""What of a grant follows from the journal; the rest are terms, for which the entry's digest stands."""

ENDINGS = {EntryKind.CAPTURE: HoldState.CAPTURED, EntryKind.RELEASE: HoldState.RELEASED}


class JournalBrokenError(Exception):
    """An entry doesn't follow from those before it. The text says how, as in "entry 5 …"."""


@dataclass(slots=True, kw_only=True)
class GrantTrack:
    """A grant by the journal: the digest of its terms, and its columns."""

    terms: str
    columns: dict[str, int]

    def move(self, kind: EntryKind, move: Move) -> None:
        """Follow one move of credits of this grant."""
        columns = self.columns
        for column, sign in EFFECTS[move.debit, move.credit].columns:
            columns[column] += sign * move.amount
            if columns[column] < 0:
                raise JournalBrokenError(f"takes {move.amount} from grant {move.grant_number}, which has less")
        columns["taken"] += taken_by(kind, move.debit, move.credit) * move.amount

    def differs(self, grant: Grant) -> str:
        """The first way in which the table has the grant otherwise; "" if in none."""
        for column, value in self.columns.items():
            stored = getattr(grant, column)
            if stored != value:
                return f"{column}: {stored}, {value} by the journal"
        return ""


@dataclass(slots=True, kw_only=True)
class HoldTrack:
    """A hold by the journal."""

    terms: str
    expires_at: datetime
    shares: dict[int, int]
    state: HoldState = HoldState.OPEN
    captured: int = 0

    def differs(self, hold: Hold) -> str:
        """The first way in which the table has the hold otherwise; "" if in none."""
        shares = tuple(HoldShare(grant_number=number, amount=amount) for number, amount in self.shares.items())
        figures = (
            ("shares", hold.shares, shares),
            ("state", hold.state.value, self.state.value),
            ("captured", hold.captured, self.captured),
            ("expires_at", hold.expires_at, self.expires_at),
        )
        differing = (f"{name}: {stored}, {told} by the journal" for name, stored, told in figures if stored != told)
        return next(differing, "")


@dataclass(slots=True)
class Tracks:
    """All grants, holds and charges of one account, as its journal has them so far."""

    grants: dict[int, GrantTrack] = field(default_factory=dict)
    holds: dict[HoldId, HoldTrack] = field(default_factory=dict)
    charges: dict[tuple[HoldId, int], Charge] = field(default_factory=dict)

    def follow(self, entry: Entry) -> tuple[int, int, int]:
        """Follow an entry's moves; returns how they change the balance, the held credits and the debt.

        Raises:
            JournalBrokenError: it doesn't follow from the entries before.
        """
        posted = held = debt = 0
        terms = iter(terms_of(entry))
        for move in entry.moves:
            effect = EFFECTS[move.debit, move.credit]
            posted += effect.posted * move.amount
            held += effect.held * move.amount
            debt += effect.debt * move.amount
            if move.debit == Place.ISSUED:
                self._issue(move, next(terms, ""))
            if move.grant_number:
                self._grant(move.grant_number).move(entry.kind, move)
            elif effect.posted or effect.held:
                raise JournalBrokenError("moves credits of no grant")
        self._note_target(entry)
        self._follow_hold(entry)
        return posted, held, debt

    def _grant(self, number: int) -> GrantTrack:
        track = self.grants.get(number)
        if track is None:
            raise JournalBrokenError(f"moves credits of grant {number}, which there isn't")
        return track

    def _issue(self, move: Move, terms: str) -> None:
        number = len(self.grants) + 1
        if move.grant_number != number:
            raise JournalBrokenError(f"makes grant {move.grant_number} where grant {number} is due")
        columns = dict.fromkeys(GRANT_COLUMNS, 0) | {"amount": move.amount}
        self.grants[number] = GrantTrack(terms=terms, columns=columns)

    def _note_target(self, entry: Entry) -> None:
        target = (
            target_of(entry) if entry.kind in (EntryKind.CLAWBACK, EntryKind.REINSTATE, EntryKind.REVERSE) else None
        )
        if target is not None:
            self._grant(int(word(entry, "grant") or "0")).columns["reversed"] = target

    def _follow_hold(self, entry: Entry) -> None:
        """Follow the hold that the entry makes, extends or ends."""
        kind = entry.kind
        issued = [move for move in entry.moves if move.debit == Place.ISSUED] if kind is not EntryKind.GRANT else []
        if kind is EntryKind.HOLD or (kind is EntryKind.SPEND and issued):
            self._make_hold(entry, captured=len(issued))
        elif kind is EntryKind.EXTEND:
            track = self._open_hold(entry)
            track.expires_at = timeout_of(entry) or track.expires_at
        elif kind in ENDINGS:
            self._end_hold(entry, self._open_hold(entry))
        elif entry.hold_id:
            raise JournalBrokenError("names a hold that it can't concern")
        self._note_charges(entry, issued)

    def _make_hold(self, entry: Entry, *, captured: int) -> None:
        if not entry.hold_id or entry.hold_id in self.holds:
            raise JournalBrokenError(f"makes hold {entry.hold_id}, which it can't")
        expires_at = timeout_of(entry)
        if expires_at is None:
            raise JournalBrokenError("makes a hold without saying until when")
        is_hold = entry.kind is EntryKind.HOLD
        self.holds[entry.hold_id] = HoldTrack(
            terms=word(entry, "hold"),
            expires_at=expires_at,
            shares={move.grant_number: move.amount for move in entry.moves} if is_hold else {},
            state=HoldState.OPEN if is_hold else HoldState.CAPTURED,
            captured=captured,
        )

    def _open_hold(self, entry: Entry) -> HoldTrack:
        track = self.holds.get(entry.hold_id)
        if track is None or track.state is not HoldState.OPEN:
            raise JournalBrokenError(f"concerns hold {entry.hold_id}, which isn't open")
        return track

    def _end_hold(self, entry: Entry, track: HoldTrack) -> None:
        """End the hold: all that lay on it has to go somewhere."""
        left = dict(track.shares)
        for move in entry.moves:
            if move.debit == Place.HELD:
                left[move.grant_number] = left.get(move.grant_number, 0) - move.amount
            if move.credit == Place.USED:
                track.captured += move.amount
        if any(left.values()):
            raise JournalBrokenError(f"ends hold {entry.hold_id} with other credits than it held")
        is_timeout = entry.kind is EntryKind.RELEASE and entry.key.startswith("timeout:")
        track.state = HoldState.TIMED_OUT if is_timeout else ENDINGS[entry.kind]

    def _note_charges(self, entry: Entry, issued: list[Move]) -> None:
        for number, move in enumerate(issued, start=1):
            self.charges[entry.hold_id, number] = Charge(
                hold_id=entry.hold_id,
                number=number,
                account_id=entry.account_id,
                seq=entry.seq,
                grant_number=move.grant_number,
                # What it costs stands in the hold's terms.
                amount_cents=0,
                created_at=entry.recorded_at,
            )
