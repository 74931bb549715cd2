"""One account's book while a decision is being made: it posts entries and keeps head, balance and grants in step."""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.ledger.balance import burn_order, is_due, next_expiry
from billing.ledger.chain import digest, digest_terms, hash_entry
from billing.ledger.entries import Entry, Move
from billing.state import CreditAccount, Grant
from billing.values import Category, Credits, EntryKind, Origin, to_the_millisecond

GRANT_PLACE = "grant"
"""The place inside the account: a grant of the customer's."""

OUTSIDE_PLACES = {
    EntryKind.GRANT: "issued",
    EntryKind.SPEND: "used",
    EntryKind.EXPIRE: "expired",
    EntryKind.REVOKE: "revoked",
}
"""Where the credits of each kind of entry come from or go to."""

CLOCK = "clock"
"""The actor of what happens by the passing of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """What an entry says about its cause.

    Attributes:
        key: the idempotency key, unique within the account for ever.
        actor: who caused it, as an id.
        occurred_at: when it happened.
        reference: what it is about, ids only.
        request_hash: of the request that carried the key; empty for an entry of our own making, whose hash is made of
            what it says.
        note_hash: of the note beside it; empty without one.
    """

    key: str
    actor: str
    occurred_at: datetime
    reference: str = ""
    request_hash: bytes = b""
    note_hash: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is granted: everything about a grant but its number."""

    origin: Origin
    category: Category
    amount: Credits
    expires_at: datetime
    priority: int = 50
    provider: str = ""
    period_starts_at: datetime | None = None


class Book:
    """One account's book, open for a decision.

    Attributes:
        account: the account as it stands after the entries so far.
        entries: what was posted, in order.
    """

    def __init__(self, account: CreditAccount, grants: tuple[Grant, ...], now: datetime) -> None:
        self.account = account
        self.entries: list[Entry] = []
        self._grants = {grant.number: grant for grant in grants}
        self._now = now

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All grants that were open or were made, with what remains of them."""
        return tuple(self._grants.values())

    def expire_due(self) -> None:
        """Post what has expired by now, one entry a grant, so that nothing expired can be spent."""
        if self._now < self.account.next_expiry:
            return
        for grant in burn_order(self.grants):
            if is_due(grant, self._now):
                self.expire(grant, occurred_at=grant.expires_at)

    def expire(self, grant: Grant, *, occurred_at: datetime) -> Entry:
        """Post the expiry of all that remains of the grant."""
        # The sequence number keeps the key unique even if credits should ever return to a grant that expired.
        key = f"expire:{grant.number}:{self.account.version + 1}"
        voucher = Voucher(key=key, actor=CLOCK, occurred_at=occurred_at, reference=f"grant:{grant.number}")
        return self._take(EntryKind.EXPIRE, [(grant, grant.remaining)], voucher)

    def grant(self, terms: Terms, voucher: Voucher) -> Entry:
        """Post a new grant. Its entry vouches for its terms by their digest."""
        grant = Grant(
            number=self.account.grants_made + 1,
            origin=terms.origin,
            category=terms.category,
            priority=terms.priority,
            amount=terms.amount.count,
            remaining=terms.amount.count,
            effective_at=self._now,
            expires_at=to_the_millisecond(terms.expires_at),
            provider=terms.provider,
            period_starts_at=terms.period_starts_at,
        )
        self._grants[grant.number] = grant
        self.account = replace(self.account, grants_made=grant.number)
        reference = f"{voucher.reference} terms:{digest_terms(grant)}".lstrip()
        move = Move(
            line=0,
            debit=OUTSIDE_PLACES[EntryKind.GRANT],
            credit=GRANT_PLACE,
            grant_number=grant.number,
            amount=grant.amount,
        )
        return self._post(EntryKind.GRANT, (move,), replace(voucher, reference=reference))

    def spend(self, amount: Credits, voucher: Voucher) -> Entry:
        """Post a spend over the grants in burn order. The caller has made sure that they suffice."""
        return self._take(EntryKind.SPEND, self._allocate(amount), voucher)

    def revoke(self, amount: Credits, voucher: Voucher) -> Entry:
        """Post credits taken back, in burn order. The caller has made sure that there are enough."""
        return self._take(EntryKind.REVOKE, self._allocate(amount), voucher)

    def _allocate(self, amount: Credits) -> list[tuple[Grant, int]]:
        """Say which grants pay how much, in burn order."""
        shares: list[tuple[Grant, int]] = []
        missing = amount.count
        for grant in burn_order(self.grants):
            share = min(missing, grant.remaining)
            if not share:
                break
            shares.append((grant, share))
            missing -= share
        assert missing == 0, "the caller looks at the balance first"
        return shares

    def _take(self, kind: EntryKind, shares: list[tuple[Grant, int]], voucher: Voucher) -> Entry:
        """Post an entry that takes these shares from these grants, one move each."""
        for grant, share in shares:
            self._grants[grant.number] = replace(grant, remaining=grant.remaining - share)
        moves = tuple(
            Move(
                line=line,
                debit=GRANT_PLACE,
                credit=OUTSIDE_PLACES[kind],
                grant_number=grant.number,
                amount=share,
            )
            for line, (grant, share) in enumerate(shares)
        )
        return self._post(kind, moves, voucher)

    def _post(self, kind: EntryKind, moves: tuple[Move, ...], voucher: Voucher) -> Entry:
        """Append the entry to the chain and bring the account's head along."""
        total = sum(move.amount for move in moves)
        amount = total if kind is EntryKind.GRANT else -total
        unchained = Entry(
            account_id=self.account.id,
            seq=self.account.version + 1,
            kind=kind,
            amount=amount,
            balance_after=Credits(self.account.posted + amount).count,
            key=voucher.key,
            request_hash=voucher.request_hash or digest("own", (kind.value, voucher.key, amount, voucher.reference)),
            occurred_at=to_the_millisecond(voucher.occurred_at),
            recorded_at=self._now,
            actor=voucher.actor,
            reference=voucher.reference,
            note_hash=voucher.note_hash,
            moves=moves,
            previous_hash=self.account.head,
            hash=b"",
        )
        entry = replace(unchained, hash=hash_entry(unchained))
        self.entries.append(entry)
        self.account = replace(
            self.account,
            posted=entry.balance_after,
            version=entry.seq,
            next_expiry=next_expiry(self._grants.values()),
            booked_at=entry.recorded_at,
            head=entry.hash,
        )
        return entry
