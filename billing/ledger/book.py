"""One account's book while a decision is being made: it posts entries and keeps all that follows from them in step."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from billing.ledger.burning import burn_order, is_due, next_expiry
from billing.ledger.chain import HASH_VERSION, digest, digest_terms, seal
from billing.ledger.entries import Entry, Move
from billing.ledger.months import Months, months_of, was_ended
from billing.ledger.places import EFFECTS, ROUTES, Line, moved
from billing.ledger.refunds import clawback_lines, forgiving_lines
from billing.state import Charge, CreditAccount, CustomerState, Grant, Hold
from billing.values import (
    NEVER,
    NO_HOLD,
    Category,
    Credits,
    EntryKind,
    HoldId,
    HoldState,
    Origin,
    Place,
    to_the_millisecond,
    value,
)

CLOCK: Final = "clock"
"""The actor of what happens by the passing of time, or follows by itself from another entry."""

REPAYING: Final = frozenset({Origin.PLAN, Origin.PURCHASE, Origin.REFUND_REVERSAL})
"""Origins of grants that repay debt before they can be spent. What was given isn't used for that (rule 1)."""


@value
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

    def about(self, *ids: str) -> "Voucher":
        """The same, with these ids behind what it is about."""
        return replace(self, reference=" ".join(filter(None, (self.reference, *ids))))


@value
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

    `grants` and `holds` are those that the decision may need, `months` are those that run, `now` is when it is booked.

    Attributes:
        entries: what was posted, in order.
        charges: the paid units for which money is to be asked.
        now: when everything is booked; never before the account's last booking.
    """

    def __init__(
        self,
        account: CreditAccount,
        grants: Iterable[Grant],
        holds: Iterable[Hold],
        now: datetime,
        *,
        months: Months,
    ) -> None:
        self.entries: list[Entry] = []
        self.charges: list[Charge] = []
        self.now = now
        self._account = account
        self._grants = {grant.number: grant for grant in grants}
        self._holds = {hold.id: hold for hold in holds}
        self._months = months
        # Whether the earliest expiry may be another by now.
        self._reopened = False

    @classmethod
    def of(cls, state: CustomerState, now: datetime) -> "Book":
        """The book of a customer as it stands."""
        return cls(state.account, state.grants, state.holds, now, months=months_of(state.subscriptions))

    @property
    def account(self) -> CreditAccount:
        """The account as it stands after the entries so far."""
        if self._reopened:
            self._account = replace(self._account, next_expiry=next_expiry(self._grants.values()))
            self._reopened = False
        return self._account

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All grants that were brought along or were made, as they stand."""
        return tuple(self._grants.values())

    @property
    def holds(self) -> tuple[Hold, ...]:
        """All holds that were brought along or were made, as they stand."""
        return tuple(self._holds.values())

    @property
    def available(self) -> int:
        """How many credits can be spent or held, once what is due is booked."""
        return self._account.posted - self._account.held

    @property
    def debt(self) -> int:
        """How many credits the customer owes."""
        return self._account.debt

    @property
    def next_seq(self) -> int:
        """The sequence number that the next entry will have."""
        return self._account.version + 1

    def grant_numbered(self, number: int) -> Grant | None:
        """The grant as it stands."""
        return self._grants.get(number)

    def hold_with(self, hold_id: HoldId) -> Hold | None:
        """The hold as it stands."""
        return self._holds.get(hold_id)

    def keep(self, hold: Hold) -> None:
        """Take over a hold that was made or changed."""
        self._holds[hold.id] = hold
        if hold.state is HoldState.OPEN and hold.expires_at < self._account.next_timeout:
            self._account = replace(self._account, next_timeout=hold.expires_at)

    def set_target(self, number: int, target: int) -> Grant:
        """Take note of how much of the grant has to be given back altogether."""
        self._grants[number] = replace(self._grants[number], reversed=target)
        return self._grants[number]

    def book_due(self) -> None:
        """Post what the passing of time has brought about, as it came: holds that timed out, grants that expired.

        So nothing expired can be spent, and what a hold gives back can be.
        """
        if self.now >= self._account.next_timeout:
            self._time_out()
        self._expire_until(self.now)

    def issue(self, terms: Terms) -> Grant:
        """Make a grant, which is empty until an entry moves its credits there."""
        grant = Grant(
            number=self._account.grants_made + 1,
            origin=terms.origin,
            category=terms.category,
            priority=terms.priority,
            amount=terms.amount.count,
            remaining=0,
            effective_at=self.now,
            expires_at=to_the_millisecond(terms.expires_at),
            provider=terms.provider,
            period_starts_at=terms.period_starts_at,
        )
        self._grants[grant.number] = grant
        self._account = replace(self._account, grants_made=grant.number)
        return grant

    def grant(self, terms: Terms, voucher: Voucher) -> Entry:
        """Post a new grant, which repays debt if it is of an origin that does.

        The entry vouches for the grant's terms by their digest.
        """
        grant = self.issue(terms)
        line = (Place.ISSUED, Place.GRANT, grant.number, grant.amount)
        entry = self.post(EntryKind.GRANT, [line], voucher.about(f"terms:{digest_terms(grant)}"))
        if self.debt and grant.origin in REPAYING:
            line = (Place.GRANT, Place.DEBT, grant.number, min(grant.amount, self.debt))
            self.post(EntryKind.REPAY, [line], self.own_voucher("repay", grant))
        return entry

    def restore(self, count: int, *, entry: Entry) -> None:
        """Grant anew what an entry gives back but no grant has room for."""
        if not count:
            return
        terms = Terms(origin=Origin.REFUND_REVERSAL, category=Category.PAID, amount=Credits(count), expires_at=NEVER)
        voucher = self.own_voucher("refund_reversal")
        self.grant(terms, voucher.about(f"entry:{entry.seq}"))

    def spend(self, amount: Credits, voucher: Voucher) -> Entry:
        """Post a spend over the grants in burn order. The caller has made sure that they suffice."""
        return self.post(EntryKind.SPEND, self.allocate(amount.count, Place.USED), voucher)

    def revoke(self, amount: Credits, voucher: Voucher) -> Entry:
        """Post credits taken back by hand, in burn order. The caller has made sure that there are enough."""
        return self.post(EntryKind.REVOKE, self.allocate(amount.count, Place.REVOKED), voucher)

    def waive(self, amount: int, voucher: Voucher) -> Entry:
        """Post usage that nobody pays for."""
        return self.post(EntryKind.WAIVE, [(Place.WAIVED, Place.USED, 0, amount)], voucher)

    def expire(self, grant: Grant, *, occurred_at: datetime) -> Entry:
        """Post the expiry of all that remains of the grant."""
        line = (Place.GRANT, Place.EXPIRED, grant.number, grant.remaining)
        return self.post(EntryKind.EXPIRE, [line], self.own_voucher("expire", grant, occurred_at=occurred_at))

    def release(self, hold: Hold, state: HoldState, voucher: Voucher) -> Entry:
        """Post the end of a hold of which nothing is captured; its credits return to their grants."""
        lines = [(Place.HELD, Place.GRANT, share.grant_number, share.amount) for share in hold.shares]
        entry = self.post(EntryKind.RELEASE, lines, voucher, hold_id=hold.id)
        self.keep(replace(hold, state=state))
        self.put_right((share.grant_number for share in hold.shares), since=entry.occurred_at)
        return entry

    def put_right(self, numbers: Iterable[int], *, since: datetime, forgives: bool = False) -> None:
        """Post what is due of grants that credits returned to, or that more was spent of: refunds first, then expiry.

        What returns to a grant that a renewal has ended expires there and then. `since` is when they returned;
        `forgives` also takes debt off that is no longer due.
        """
        for number in numbers:
            if forgives:
                lines = forgiving_lines(self._grants[number], self.debt)
                self._follow_up(EntryKind.REINSTATE, lines, "reinstate", number)
            self._follow_up(EntryKind.CLAWBACK, clawback_lines(self._grants[number]), "clawback", number)
            grant = self._grants[number]
            if grant.remaining and was_ended(grant, self._months):
                self.expire(grant, occurred_at=since)
            elif is_due(grant, self.now):
                self.expire(grant, occurred_at=max(grant.expires_at, since))

    def allocate(self, count: int, credit: Place) -> list[Line]:
        """The moves that take so many credits to a place, from the grants in burn order."""
        lines: list[Line] = []
        missing = count
        for grant in burn_order(self._grants.values()):
            share = min(missing, grant.remaining)
            if not share:
                break
            lines.append((Place.GRANT, credit, grant.number, share))
            missing -= share
        assert missing == 0, "the caller looks at the balance first"
        return lines

    def own_voucher(
        self, name: str, grant: Grant | None = None, *, occurred_at: datetime | None = None, actor: str = CLOCK
    ) -> Voucher:
        """The voucher of an entry of our own making; `actor` is whoever caused it, if it wasn't the passing of time.

        The sequence number keeps its key unique: credits may return to a grant that has expired, and expire again.
        """
        about = "" if grant is None or name == "repay" else f"{grant.number}:"
        return Voucher(
            key=f"{name}:{about}{self.next_seq}",
            actor=actor,
            occurred_at=occurred_at or self.now,
            reference="" if grant is None else f"grant:{grant.number}",
        )

    def post(
        self,
        kind: EntryKind,
        lines: Sequence[Line],
        voucher: Voucher,
        *,
        hold_id: HoldId = NO_HOLD,
        reverses: int = 0,
    ) -> Entry:
        """Append an entry that moves credits along these lines, and bring account and grants along."""
        account = self._account
        amount, held, debt = self._move(kind, lines)
        entry = Entry(
            account_id=account.id,
            seq=account.version + 1,
            kind=kind,
            amount=amount,
            balance_after=account.posted + amount,
            key=voucher.key,
            request_hash=voucher.request_hash or digest("own", (kind.value, voucher.key, amount, voucher.reference)),
            occurred_at=to_the_millisecond(voucher.occurred_at),
            recorded_at=self.now,
            actor=voucher.actor,
            reference=voucher.reference,
            note_hash=voucher.note_hash,
            moves=_moves(lines),
            previous_hash=account.head,
            hash=b"",
            held_after=account.held + held,
            debt_after=account.debt + debt,
            hold_id=hold_id,
            reverses=reverses,
            unit=account.unit,
            hash_version=HASH_VERSION,
        )
        seal(entry)
        assert 0 <= entry.held_after <= entry.balance_after, "an account is never overdrawn"
        assert entry.debt_after >= 0, "nobody is owed by us"
        self.entries.append(entry)
        self._account = _account_behind(entry, account)
        return entry

    def _move(self, kind: EntryKind, lines: Sequence[Line]) -> tuple[int, int, int]:
        """Bring the grants along, and say by how much the account's balance, held credits and debt change."""
        posted = held = debt = 0
        for debit, credit, number, count in lines:
            assert count > 0, "a move moves something"
            assert (debit, credit) in ROUTES[kind], f"no {kind} moves credits from {debit} to {credit}"
            effect = EFFECTS[debit, credit]
            posted += effect.posted * count
            held += effect.held * count
            debt += effect.debt * count
            if number:
                before = self._grants[number]
                after = moved(before, kind, debit, credit, count)
                assert min(after.remaining, after.held, after.spent, after.revoked, after.owed) >= 0, "overdrawn"
                self._grants[number] = after
                self._reopened |= bool(before.remaining) != bool(after.remaining)
        return posted, held, debt

    def _follow_up(self, kind: EntryKind, lines: list[Line], name: str, number: int) -> None:
        if lines:
            self.post(kind, lines, self.own_voucher(name, self._grants[number]))

    def _time_out(self) -> None:
        """Post the time-outs that are due, and find out when the next one is."""
        for hold in sorted(self._open_holds(), key=lambda each: (each.expires_at, each.id)):
            if hold.expires_at <= self.now:
                # What expired before the hold gave its credits back did so at its own time.
                self._expire_until(hold.expires_at)
                voucher = Voucher(key=f"timeout:{hold.id}", actor=CLOCK, occurred_at=hold.expires_at)
                self.release(hold, HoldState.TIMED_OUT, voucher)
        bound = min((hold.expires_at for hold in self._open_holds()), default=NEVER)
        self._account = replace(self._account, next_timeout=bound)

    def _expire_until(self, moment: datetime) -> None:
        """Post what expired by this moment."""
        if moment < self.account.next_expiry:
            return
        for grant in burn_order(self.grants):
            if is_due(grant, moment):
                self.expire(grant, occurred_at=grant.expires_at)

    def _open_holds(self) -> list[Hold]:
        return [hold for hold in self._holds.values() if hold.state is HoldState.OPEN]


def _moves(lines: Sequence[Line]) -> tuple[Move, ...]:
    """The lines as an entry has them."""
    return tuple(
        [
            Move(line=line, debit=str(debit), credit=str(credit), grant_number=number, amount=count)
            for line, (debit, credit, number, count) in enumerate(lines)
        ]
    )


def _account_behind(entry: Entry, before: CreditAccount) -> CreditAccount:
    """The account as the entry leaves it."""
    return CreditAccount(
        id=before.id,
        unit=before.unit,
        posted=entry.balance_after,
        version=entry.seq,
        grants_made=before.grants_made,
        next_expiry=before.next_expiry,
        booked_at=entry.recorded_at,
        head=entry.hash,
        held=entry.held_after,
        debt=entry.debt_after,
        next_timeout=before.next_timeout,
    )
