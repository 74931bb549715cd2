"""Deliveries, customers and entries for the storage's tests, booked by the ledger's own book."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.commands import Cause, Note, Question
from billing.ledger.book import Book, Terms, Voucher
from billing.ledger.chain import FIRST_HEAD, hash_note
from billing.ledger.entries import Entry
from billing.ledger.verify import Offence, verify_account
from billing.ports import Changes, DeliveryEnd, NoteRow, Unit, Wanted
from billing.records import Reply
from billing.state import CreditAccount, Customer, CustomerState, Installation, Period, Subscription
from billing.values import (
    DEFAULT_UNIT,
    EPOCH,
    NEVER,
    AccountId,
    Category,
    CommentId,
    Credits,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    InstallationState,
    Origin,
    Provider,
    Reaction,
    RepositoryId,
    SubscriptionState,
    Word,
)
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.deliveries import ClaimedDelivery, NewDelivery
from storage.effects import NewEffect
from tests.database import START

MANY = 100_000
"""More entries than any test has."""

WANTED = Wanted(now=START)
"""Nothing beside the customers' open grants."""

BODY = zlib.compress(b'{"action": "created"}', 1)


def delivery(
    delivery_id: str,
    at: datetime,
    *,
    account: int = 7,
    route: str = "github",
    event: str = "installation",
    body: bytes = BODY,
) -> NewDelivery:
    """A verified delivery about an account."""
    return NewDelivery(
        route=route,
        delivery_id=delivery_id,
        event=event,
        action="created",
        partition=f"github:{account}",
        body=body,
        received_at=at,
    )


def effect(dedupe_key: str, at: datetime, *, key: str = "one", topic: str = "forward") -> NewEffect:
    """Something to be sent."""
    return NewEffect(topic=topic, key=key, dedupe_key=dedupe_key, payload=b"payload", run_at=at)


def reply(comment_id: int, *, number: int = 1, reaction: Reaction = Reaction.EYES, repository: int = 5) -> Reply:
    """What a comment on an issue gets."""
    return Reply(
        question=Question(
            installation_id=InstallationId(70),
            account_id=GitHubAccountId(7),
            repository_id=RepositoryId(repository),
            owner="octo-cat",
            repository="hello.world",
            is_private=reaction is Reaction.CONFUSED,
            number=number,
            comment_id=CommentId(comment_id),
            asked_at=START,
            words=(Word.CREDITS, Word.HELP),
        ),
        reaction=reaction,
    )


def cause_of(claimed: ClaimedDelivery) -> Cause:
    """What led to a command, for a claimed delivery."""
    return Cause(
        delivery_id=claimed.id,
        received_at=claimed.received_at,
        asked_at=claimed.received_at,
        observation=claimed.observation,
        repeats=claimed.repeats,
        lease=claimed.lease,
    )


def done(claimed: ClaimedDelivery) -> DeliveryEnd:
    """The end of a delivery that was applied."""
    return DeliveryEnd(cause=cause_of(claimed), state="done")


def new_customer(customer_id: int, account_id: int, github_id: int, now: datetime, *, login: str = "") -> CustomerState:
    """A customer without anything yet."""
    return CustomerState(
        customer=Customer(
            id=CustomerId(customer_id),
            github_account_id=GitHubAccountId(github_id),
            github_login=login,
            github_type="User",
            source="github_installation",
            created_at=now,
        ),
        account=CreditAccount(
            id=AccountId(account_id),
            unit=DEFAULT_UNIT,
            posted=0,
            version=0,
            grants_made=0,
            next_expiry=NEVER,
            booked_at=EPOCH,
            head=FIRST_HEAD,
        ),
    )


def subscription(now: datetime, *, observation: int = 1, unmapped: int = 0, delivery_id: int = 1) -> Subscription:
    """A running paid plan."""
    return Subscription(
        provider=Provider.GITHUB_MARKETPLACE,
        plan="pro",
        state=SubscriptionState.ACTIVE,
        marketplace_plan_id=1313,
        unmapped_plan_id=unmapped,
        unit_count=1,
        billing_cycle="monthly",
        next_billing_date=now,
        anchor_day=now.day,
        period=Period(starts_at=now, ends_at=NEVER, allowance=60, target=60, granted=60, grants=1),
        pending_plan="",
        pending_effective_at=None,
        cancel_at_period_end=False,
        observation=observation,
        started_at=now,
        confirmed_at=now,
        missing_since=None,
        ended_at=None,
        last_delivery_id=DeliveryId(delivery_id),
    )


def installation(installation_id: int, now: datetime) -> Installation:
    """The App on all repositories of an account."""
    return Installation(
        id=InstallationId(installation_id),
        state=InstallationState.ACTIVE,
        repository_selection="all",
        observation=1,
        created_at=now,
    )


@dataclass(kw_only=True)
class Booking:
    """A customer's state with a book opened on it, to be saved as one change."""

    before: CustomerState | None
    state: CustomerState
    now: datetime
    notes: list[NoteRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = Book.of(self.state, self.now)

    def grant(self, amount: int, key: str, *, expires_at: datetime = NEVER, why: str = "") -> Entry:
        """Give credits."""
        terms = Terms(
            origin=Origin.GOODWILL, category=Category.PROMOTIONAL, amount=Credits(amount), expires_at=expires_at
        )
        return self._noted(self.book.grant(terms, self._voucher(key, why)), why)

    def spend(self, amount: int, key: str, *, why: str = "") -> Entry:
        """Use credits."""
        return self._noted(self.book.spend(Credits(amount), self._voucher(key, why)), why)

    def after(self) -> CustomerState:
        """The state with everything that was booked."""
        return replace(self.state, account=self.book.account, grants=self.book.grants, holds=self.book.holds)

    def changes(self, *, ends: Sequence[DeliveryEnd] = ()) -> Changes:
        """All of it, to be saved."""
        return Changes(
            states=[(self.before, self.after())],
            entries=list(self.book.entries),
            notes=self.notes,
            deliveries=list(ends),
        )

    def _voucher(self, key: str, why: str) -> Voucher:
        note_hash = hash_note(_note(why)) if why else b""
        return Voucher(key=key, actor="operator", occurred_at=self.now, note_hash=note_hash)

    def _noted(self, entry: Entry, why: str) -> Entry:
        if why:
            self.notes.append(NoteRow(account_id=entry.account_id, seq=entry.seq, note=_note(why)))
        return entry


def _note(why: str) -> Note:
    return Note(text=why, actor_name="Ada", salt=b"salt")


async def provision(
    database: Database, clock: VirtualClock, github_id: int = 7, *, credits_: int = 0, login: str = ""
) -> CustomerState:
    """Store a new customer, with a grant if wished; its state as it is loaded."""

    def work(unit: Unit) -> CustomerId:
        customer_id, account_id = unit.new_ids(2)
        fresh = new_customer(customer_id, account_id, github_id, clock.now(), login=login)
        booking = Booking(before=None, state=fresh, now=clock.now())
        if credits_:
            booking.grant(credits_, f"first:{github_id}")
        unit.save(booking.changes(), clock.now())
        return CustomerId(customer_id)

    return await load(database, await database.store.transact(work))


async def load(database: Database, customer_id: CustomerId) -> CustomerState:
    """The state of a customer as a transaction sees it."""
    locked = await database.store.transact(lambda unit: unit.lock([customer_id], [], WANTED))
    return locked.by_id[customer_id]


async def spend(database: Database, clock: VirtualClock, customer_id: CustomerId, amount: int, key: str) -> Entry:
    """Use a customer's credits in a transaction."""

    def work(unit: Unit) -> Entry:
        state = unit.lock([customer_id], [], WANTED).by_id[customer_id]
        booking = Booking(before=state, state=state, now=clock.now())
        entry = booking.spend(amount, key)
        unit.save(booking.changes(), clock.now())
        return entry

    return await database.store.transact(work)


async def finish(database: Database, clock: VirtualClock, *claimed: ClaimedDelivery) -> None:
    """End deliveries as applied, in one transaction."""
    changes = Changes(deliveries=[done(one) for one in claimed])
    await database.store.transact(lambda unit: unit.save(changes, clock.now()))


async def offence(database: Database, account_id: AccountId) -> Offence | None:
    """What is broken in an account; None if it is whole."""
    book, page = await database.reads.book(account_id), await database.reads.entries(account_id, limit=MANY)
    assert book is not None
    return verify_account(book.account, book.grants, page.entries, page.notes, book.holds, book.charges)
