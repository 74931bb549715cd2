"""The checks that find what is broken in an account: any field changed, any entry missing, moved or forged.

What they can't see: a database whose owner cut entries off the end *and* wrote the account's head and grants back to
match. Such a ledger was right once; only a head kept outside shows that it went on (`billing.ledger.checkpoints`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from billing.commands import Note
from billing.ledger.burning import next_expiry
from billing.ledger.chain import FIRST_HEAD, HASHED_FIELDS, digest_hold, digest_terms, hash_entry, hash_note
from billing.ledger.entries import Entry
from billing.ledger.places import ROUTES
from billing.ledger.tracks import JournalBrokenError, Tracks
from billing.state import Charge, CreditAccount, Grant, Hold
from billing.values import EPOCH, NEVER, AccountId, EntryKind, HoldId, HoldState, value

MAY_MOVE_NOTHING = frozenset(
    {
        EntryKind.HOLD,
        EntryKind.RELEASE,
        EntryKind.EXTEND,
        EntryKind.CLAWBACK,
        EntryKind.REINSTATE,
        EntryKind.REVERSE,
    }
)
"""Kinds of entries that say something even if no credits move; the others move at least one."""


@value
class Offence:
    """What is broken, and where: `seq` is the entry's, 0 when it is the account, a grant, a hold or a charge."""

    account_id: AccountId
    seq: int
    problem: str


class _OffenceFoundError(Exception):
    """Carries the first offence out of the checks."""

    def __init__(self, offence: Offence) -> None:
        self.offence = offence


class Audit:
    """Goes through one account's journal, page by page, then holds it against the account, its grants and its holds.

    Memory grows with the account's grants, holds and charges, not with its entries.
    """

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self._seq = 0
        self._balance = 0
        self._held = 0
        self._debt = 0
        self._head = FIRST_HEAD
        self._version = min(HASHED_FIELDS)
        self._recorded_at = EPOCH
        self._units: set[str] = set()
        self._tracks = Tracks()

    def read(self, entries: Iterable[Entry], notes: Mapping[int, Note]) -> Offence | None:
        """The first offence in the next entries, which follow those already read in ascending order.

        `notes` are theirs, by sequence number; one that was erased isn't missed. After an offence the audit is over.
        """
        return _first_offence(lambda: self._read(entries, notes))

    def close(
        self,
        account: CreditAccount,
        grants: Iterable[Grant],
        holds: Iterable[Hold] = (),
        charges: Iterable[Charge] = (),
    ) -> Offence | None:
        """The first way in which the account or its grants, holds or charges differ from the journal.

        All that there ever were are needed, also what was used up or has ended.
        """
        return _first_offence(lambda: self._close(account, grants, holds, charges))

    def _read(self, entries: Iterable[Entry], notes: Mapping[int, Note]) -> None:
        for entry in entries:
            self._check_chain(entry)
            self._check_note(entry, notes.get(entry.seq))
            self._check_moves(entry)

    def _check_chain(self, entry: Entry) -> None:
        self._require(entry.account_id == self.account_id, f"belongs to account {entry.account_id}", entry.seq)
        self._require(entry.seq == self._seq + 1, f"follows entry {self._seq}: those between are missing", entry.seq)
        self._require(entry.previous_hash == self._head, "doesn't follow the entry before it", entry.seq)
        self._require(entry.hash_version in HASHED_FIELDS, "is of an encoding that there isn't", entry.seq)
        self._require(entry.hash == hash_entry(entry), "was changed: its hash is another", entry.seq)
        self._require(entry.hash_version >= self._version, "is of an older encoding than the one before it", entry.seq)
        self._require(entry.recorded_at >= self._recorded_at, "was booked before its predecessor", entry.seq)
        self._seq = entry.seq
        self._head = entry.hash
        self._version = entry.hash_version
        self._recorded_at = entry.recorded_at
        self._units.add(entry.unit)

    def _check_note(self, entry: Entry, note: Note | None) -> None:
        if note is not None:
            self._require(entry.note_hash == hash_note(note), "has another note than it was booked with", entry.seq)

    def _check_moves(self, entry: Entry) -> None:
        routes = ROUTES[entry.kind]
        for line, move in enumerate(entry.moves):
            self._require(move.line == line and move.amount > 0, f"has a malformed move {line}", entry.seq)
            self._require(
                (move.debit, move.credit) in routes,
                f"moves credits from {move.debit} to {move.credit}, which no {entry.kind} does",
                entry.seq,
            )
        self._require(bool(entry.moves) or entry.kind in MAY_MOVE_NOTHING, "moves nothing", entry.seq)
        is_reversal = entry.kind is EntryKind.REVERSE
        names_another = 0 < entry.reverses < entry.seq and entry.key == f"reverse:{entry.reverses}"
        self._require(
            names_another if is_reversal else not entry.reverses, "names the wrong entry as taken back", entry.seq
        )
        try:
            posted, held, debt = self._tracks.follow(entry)
        except JournalBrokenError as broken:
            raise self._offence(str(broken), entry.seq) from broken
        self._check_sums(entry, posted, held, debt)

    def _check_sums(self, entry: Entry, posted: int, held: int, debt: int) -> None:
        self._require(posted == entry.amount, f"moves {posted} but says {entry.amount}", entry.seq)
        for name, before, change, after in (
            ("a balance", self._balance, posted, entry.balance_after),
            ("held credits", self._held, held, entry.held_after),
            ("a debt", self._debt, debt, entry.debt_after),
        ):
            self._require(after == before + change >= 0, f"makes {before} and {change} {name} of {after}", entry.seq)
        self._balance, self._held, self._debt = entry.balance_after, entry.held_after, entry.debt_after

    def _close(
        self, account: CreditAccount, grants: Iterable[Grant], holds: Iterable[Hold], charges: Iterable[Charge]
    ) -> None:
        self._require(account.id == self.account_id, f"is account {account.id}")
        self._require(account.version == self._seq, f"has {account.version} entries by its head, {self._seq} in fact")
        self._require(account.head == self._head, "has another head than its last entry")
        for name, stored, told in (
            ("posted", account.posted, self._balance),
            ("held", account.held, self._held),
            ("debt", account.debt, self._debt),
        ):
            self._require(stored == told, f"has {stored} {name}, {told} by its journal")
        self._require(self._units <= {account.unit}, f"has entries of another unit than {account.unit}")
        # Before the first entry there is no booking that the account's time could belong to.
        if self._seq:
            self._require(account.booked_at == self._recorded_at, "was booked at another time than its last entry")
        self._check_grants(account, sorted(grants, key=lambda grant: grant.number))
        by_id = {hold.id: hold for hold in holds}
        self._check_holds(account, by_id)
        self._check_charges(by_id, charges)

    def _check_grants(self, account: CreditAccount, grants: list[Grant]) -> None:
        tracks = self._tracks.grants
        made = len(tracks)
        self._require(account.grants_made == made, f"made {account.grants_made} grants by its head, {made} in fact")
        self._require([grant.number for grant in grants] == list(tracks), "has grants missing or too many")
        for grant in grants:
            track = tracks[grant.number]
            self._require(digest_terms(grant) == track.terms, f"grant {grant.number} has other terms than its entry")
            differing = track.differs(grant)
            self._require(not differing, f"grant {grant.number} has {differing}")
        expiry = next_expiry(grants)
        self._require(account.next_expiry == expiry, f"expires next at {account.next_expiry}, {expiry} by its grants")

    def _check_holds(self, account: CreditAccount, holds: Mapping[HoldId, Hold]) -> None:
        tracks = self._tracks.holds
        self._require(sorted(holds) == sorted(tracks), "has holds missing or too many")
        for hold_id, track in tracks.items():
            hold = holds[hold_id]
            self._require(hold.account_id == account.id, f"hold {hold_id} belongs to account {hold.account_id}")
            self._require(digest_hold(hold) == track.terms, f"hold {hold_id} has other terms than its entry")
            differing = track.differs(hold)
            self._require(not differing, f"hold {hold_id} has {differing}")
        timeouts = (hold.expires_at for hold in holds.values() if hold.state is HoldState.OPEN)
        timeout = min(timeouts, default=NEVER)
        self._require(
            account.next_timeout <= timeout, f"looks for time-outs at {account.next_timeout}, one is due at {timeout}"
        )

    def _check_charges(self, holds: Mapping[HoldId, Hold], charges: Iterable[Charge]) -> None:
        stored = {(charge.hold_id, charge.number): charge for charge in charges}
        told = {
            place: replace(charge, amount_cents=holds[charge.hold_id].price_cents)
            for place, charge in self._tracks.charges.items()
        }
        self._require(sorted(stored) == sorted(told), "has charges missing or too many")
        for (hold_id, number), charge in told.items():
            self._require(
                stored[hold_id, number] == charge, f"charge {number} of hold {hold_id} differs from its entry"
            )

    def _require(self, holds: bool, problem: str, seq: int = 0) -> None:  # noqa: FBT001 -- reads as a sentence
        if not holds:
            raise self._offence(problem, seq)

    def _offence(self, problem: str, seq: int) -> _OffenceFoundError:
        return _OffenceFoundError(Offence(account_id=self.account_id, seq=seq, problem=problem))


def verify_account(
    account: CreditAccount,
    grants: Iterable[Grant],
    entries: Iterable[Entry],
    notes: Mapping[int, Note],
    holds: Iterable[Hold] = (),
    charges: Iterable[Charge] = (),
) -> Offence | None:
    """The first offence of an account whose whole journal is at hand; None when everything holds.

    `grants`, `holds` and `charges` are all that there ever were, `entries` all in ascending order, `notes` those that
    weren't erased.
    """
    audit = Audit(account.id)
    return audit.read(entries, notes) or audit.close(account, grants, holds, charges)


def _first_offence(check: Callable[[], None]) -> Offence | None:
    try:
        check()
    except _OffenceFoundError as found:
        return found.offence
    return None
