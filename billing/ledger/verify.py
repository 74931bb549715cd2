"""The checks that find what is broken in an account: any field changed, any entry missing, moved or forged.

What they can't see: a database whose owner cut entries off the end *and* wrote the account's head and grants back to
match. Such a ledger was right once; only a head kept outside shows that it went on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from billing.commands import Note
from billing.ledger.balance import next_expiry
from billing.ledger.book import GRANT_PLACE, OUTSIDE_PLACES
from billing.ledger.chain import FIRST_HEAD, digest_terms, hash_entry, hash_note
from billing.ledger.entries import Entry, Move
from billing.state import CreditAccount, Grant
from billing.values import EPOCH, AccountId, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """What is broken, and where: `seq` is the entry's, 0 when it is the account or a grant."""

    account_id: AccountId
    seq: int
    problem: str


class _OffenceFoundError(Exception):
    """Carries the first offence out of the checks."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(offence.problem)
        self.offence = offence


@dataclass(slots=True, kw_only=True)
class _Issued:
    """What the journal says of a grant: its terms' digest, its amount, and what remains of it."""

    terms: str
    amount: int
    remaining: int


class Audit:
    """Goes through one account's journal, page by page, then holds it against the account and its grants.

    Memory grows with the account's grants, not with its entries.
    """

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self._seq = 0
        self._balance = 0
        self._head = FIRST_HEAD
        self._recorded_at = EPOCH
        self._grants: dict[int, _Issued] = {}

    def read(self, entries: Iterable[Entry], notes: Mapping[int, Note]) -> Offence | None:
        """The first offence in the next entries, which follow those already read in ascending order.

        `notes` are theirs, by sequence number; one that was erased isn't missed. After an offence the audit is over.
        """
        return _first_offence(lambda: self._read(entries, notes))

    def close(self, account: CreditAccount, grants: Iterable[Grant]) -> Offence | None:
        """The first way in which the account or its grants, used up ones included, differ from the journal."""
        return _first_offence(lambda: self._close(account, grants))

    def _read(self, entries: Iterable[Entry], notes: Mapping[int, Note]) -> None:
        for entry in entries:
            self._check_chain(entry)
            self._check_note(entry, notes.get(entry.seq))
            self._check_moves(entry)

    def _check_chain(self, entry: Entry) -> None:
        self._require(entry.account_id == self.account_id, f"belongs to account {entry.account_id}", entry.seq)
        self._require(entry.seq == self._seq + 1, f"follows entry {self._seq}: those between are missing", entry.seq)
        self._require(entry.previous_hash == self._head, "doesn't follow the entry before it", entry.seq)
        self._require(entry.hash == hash_entry(entry), "was changed: its hash is another", entry.seq)
        self._require(entry.recorded_at >= self._recorded_at, "was booked before its predecessor", entry.seq)
        self._require(
            entry.balance_after == self._balance + entry.amount >= 0,
            f"makes {self._balance} and {entry.amount} a balance of {entry.balance_after}",
            entry.seq,
        )
        self._seq = entry.seq
        self._head = entry.hash
        self._recorded_at = entry.recorded_at
        self._balance = entry.balance_after

    def _check_note(self, entry: Entry, note: Note | None) -> None:
        if note is not None:
            self._require(entry.note_hash == hash_note(note), "has another note than it was booked with", entry.seq)

    def _check_moves(self, entry: Entry) -> None:
        total = 0
        for line, move in enumerate(entry.moves):
            self._require(move.line == line and move.amount > 0, f"has a malformed move {line}", entry.seq)
            self._apply(entry, move)
            total += move.amount
        signed = total if entry.kind is EntryKind.GRANT else -total
        self._require(signed == entry.amount != 0, f"moves {signed} but says {entry.amount}", entry.seq)

    def _apply(self, entry: Entry, move: Move) -> None:
        """Follow one move to its grant."""
        outside = OUTSIDE_PLACES[entry.kind]
        if entry.kind is EntryKind.GRANT:
            self._require((move.debit, move.credit) == (outside, GRANT_PLACE), "grants from the wrong place", entry.seq)
            self._issue(entry, move)
            return
        self._require((move.debit, move.credit) == (GRANT_PLACE, outside), "takes to the wrong place", entry.seq)
        issued = self._grants.get(move.grant_number)
        if issued is None or issued.remaining < move.amount:
            raise self._offence(f"takes {move.amount} from grant {move.grant_number}, which has less", entry.seq)
        issued.remaining -= move.amount

    def _issue(self, entry: Entry, move: Move) -> None:
        """Note the grant that the entry makes."""
        number = len(self._grants) + 1
        self._require(
            move.grant_number == number and len(entry.moves) == 1,
            f"makes grant {move.grant_number} where grant {number} is due",
            entry.seq,
        )
        terms = entry.reference.rpartition("terms:")[2]
        self._grants[number] = _Issued(terms=terms, amount=move.amount, remaining=move.amount)

    def _close(self, account: CreditAccount, grants: Iterable[Grant]) -> None:
        self._require(account.id == self.account_id, f"is account {account.id}")
        self._require(account.version == self._seq, f"has {account.version} entries by its head, {self._seq} in fact")
        self._require(account.head == self._head, "has another head than its last entry")
        self._require(account.posted == self._balance, f"has {account.posted} posted, {self._balance} by its journal")
        # Before the first entry there is no booking that the account's time could belong to.
        if self._seq:
            self._require(account.booked_at == self._recorded_at, "was booked at another time than its last entry")
        self._check_grants(account, sorted(grants, key=lambda grant: grant.number))

    def _check_grants(self, account: CreditAccount, grants: list[Grant]) -> None:
        made = len(self._grants)
        self._require(account.grants_made == made, f"made {account.grants_made} grants by its head, {made} in fact")
        self._require([grant.number for grant in grants] == list(self._grants), "has grants missing or too many")
        for grant in grants:
            issued = self._grants[grant.number]
            self._require(digest_terms(grant) == issued.terms, f"grant {grant.number} has other terms than its entry")
            self._require(
                (grant.amount, grant.remaining) == (issued.amount, issued.remaining),
                f"grant {grant.number} has {grant.remaining} of {grant.amount} left,"
                f" {issued.remaining} of {issued.amount} by the journal",
            )
        expiry = next_expiry(grants)
        self._require(account.next_expiry == expiry, f"expires next at {account.next_expiry}, {expiry} by its grants")

    def _require(self, holds: bool, problem: str, seq: int = 0) -> None:  # noqa: FBT001 -- reads as a sentence
        if not holds:
            raise self._offence(problem, seq)

    def _offence(self, problem: str, seq: int = 0) -> _OffenceFoundError:
        return _OffenceFoundError(Offence(account_id=self.account_id, seq=seq, problem=problem))


def verify_account(
    account: CreditAccount, grants: Iterable[Grant], entries: Iterable[Entry], notes: Mapping[int, Note]
) -> Offence | None:
    """The first offence of an account whose whole journal is at hand; None when everything holds.

    `grants` are all that were ever made, `entries` all in ascending order, `notes` those that weren't erased.
    """
    audit = Audit(account.id)
    return audit.read(entries, notes) or audit.close(account, grants)


def _first_offence(check: Callable[[], None]) -> Offence | None:
    try:
        check()
    except _OffenceFoundError as found:
        return found.offence
    return None
