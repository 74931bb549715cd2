"""What people and pages look at. Nothing here waits for the writer, or keeps it waiting."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Text, bindparam, func, literal_column, select

from billing.commands import Note
from billing.ledger.entries import Entry
from billing.ports import Clock, Wanted
from billing.state import CreditAccount, CustomerState, Grant
from billing.values import AccountId, CustomerId, GitHubAccountId
from storage.errors import AmbiguousReferenceError
from storage.loading import CUSTOMERS, load
from storage.looking_up import rows_of
from storage.mapping import to_account, to_entry, to_grant, to_note
from storage.reader import Reader, SqliteWatch
from storage.statements import register
from storage.tables import (
    credit_accounts,
    credit_grants,
    credit_moves,
    credit_notes,
    credit_transactions,
    customers,
)

ANY: Final = sys.maxsize
"""Above every id and every sequence number."""

_customers = select(customers).limit(bindparam("limit"))
CUSTOMERS_BEFORE = register(
    "reads.customers_before",
    _customers.where(customers.c.id < bindparam("before")).order_by(customers.c.id.desc()),
)
CUSTOMERS_AFTER = register(
    "reads.customers_after", _customers.where(customers.c.id > bindparam("after")).order_by(customers.c.id)
)
BY_GITHUB_ID = register(
    "reads.by_github_id", select(customers.c.id).where(customers.c.github_account_id == bindparam("account_id"))
)
BY_GITHUB_ACCOUNT = register(
    "reads.by_github_account", select(customers).where(customers.c.github_account_id == bindparam("account_id"))
)
BY_LOGIN = register(
    "reads.by_login",
    select(customers.c.id, customers.c.github_account_id)
    .where(func.lower(customers.c.github_login) == bindparam("login", type_=Text))
    .order_by(customers.c.id),
)

_of_account = credit_transactions.c.account_id == bindparam("account_id")
ENTRIES_AFTER = register(
    "reads.entries_after",
    select(credit_transactions)
    .where(_of_account, credit_transactions.c.seq > bindparam("after"))
    .order_by(credit_transactions.c.seq)
    .limit(bindparam("limit")),
)
ENTRIES_BEFORE = register(
    "reads.entries_before",
    select(credit_transactions)
    .where(_of_account, credit_transactions.c.seq < bindparam("before"))
    .order_by(credit_transactions.c.seq.desc())
    .limit(bindparam("limit")),
)
MOVES = register(
    "reads.moves",
    select(credit_moves)
    .where(
        credit_moves.c.account_id == bindparam("account_id"),
        credit_moves.c.seq.between(bindparam("first"), bindparam("last")),
    )
    .order_by(credit_moves.c.seq, credit_moves.c.line),
)
NOTES = register(
    "reads.notes",
    select(credit_notes).where(
        credit_notes.c.account_id == bindparam("account_id"),
        credit_notes.c.seq.between(bindparam("first"), bindparam("last")),
    ),
)

_grants = select(credit_grants).where(credit_grants.c.account_id == bindparam("account_id"))
ALL_GRANTS = register("reads.all_grants", _grants.order_by(credit_grants.c.number))
OPEN_GRANTS = register(
    "reads.open_grants",
    _grants.where(credit_grants.c.remaining > literal_column("0")).order_by(credit_grants.c.number),
)
ACCOUNT = register("reads.account", select(credit_accounts).where(credit_accounts.c.id == bindparam("account_id")))
ACCOUNTS_AFTER = register(
    "reads.accounts_after",
    select(credit_accounts.c.id)
    .where(credit_accounts.c.id > bindparam("after"))
    .order_by(credit_accounts.c.id)
    .limit(bindparam("limit")),
)
PING = register("reads.ping", select(literal_column("1", Integer)))
POSTGRES_COUNTER = register(
    "reads.change_counter",
    select(func.txid_snapshot_xmax(func.txid_current_snapshot())),
    engines=("postgresql",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Some entries of an account in ascending order, and their notes by sequence number. An empty page is false."""

    entries: tuple[Entry, ...]
    notes: Mapping[int, Note]

    def __bool__(self) -> bool:
        return bool(self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBook:
    """An account, whose it is, and all its grants, used up ones included, as they stood at the same moment."""

    customer_id: CustomerId
    account: CreditAccount
    grants: tuple[Grant, ...]


class Reads:
    """Reading, for people and pages."""

    def __init__(self, reader: Reader, watch: SqliteWatch | None, clock: Clock) -> None:
        self._reader = reader
        self._watch = watch
        self._clock = clock

    async def customers(
        self, *, limit: int, before: CustomerId | None = None, after: CustomerId | None = None
    ) -> Sequence[CustomerState]:
        """Customers, the newest first, older than `before`; or, given `after`, ascending from there."""

        def read(connection: Connection) -> Sequence[CustomerState]:
            if after is not None:
                rows = connection.execute(CUSTOMERS_AFTER, {"after": after, "limit": limit})
            else:
                parameters = {"before": ANY if before is None else before, "limit": limit}
                rows = connection.execute(CUSTOMERS_BEFORE, parameters)
            return self._states(connection, rows.all())

        return await self._reader.run(read)

    async def customer(self, customer_id: CustomerId) -> CustomerState | None:
        """The customer with this id, whose credits may hold some that are due to expire."""

        def read(connection: Connection) -> CustomerState | None:
            states = self._states(connection, rows_of(connection, CUSTOMERS, [customer_id]))
            return states[0] if states else None

        return await self._reader.run(read)

    async def by_github_account(self, account_id: GitHubAccountId) -> CustomerState | None:
        """The customer of this GitHub account, whose credits may hold some that are due to expire."""

        def read(connection: Connection) -> CustomerState | None:
            rows = connection.execute(BY_GITHUB_ACCOUNT, {"account_id": account_id}).all()
            states = self._states(connection, rows)
            return states[0] if states else None

        return await self._reader.run(read)

    async def resolve(self, reference: str) -> CustomerId | None:
        """Whom `12` (a customer's id), `github:583231` (an account's) or `github:@octocat` (its login) means.

        Raises:
            AmbiguousReferenceError: Several accounts were last seen under that login.
        """
        kind, _, name = reference.rpartition(":")
        if kind not in {"", "github"}:
            return None
        if kind == "github" and name.startswith("@"):
            return await self._by_login(reference, name[1:])
        # What is no number, or larger than any id, names nobody.
        if not (name.isascii() and name.isdigit()) or int(name) > ANY:
            return None
        if not kind:
            state = await self.customer(CustomerId(int(name)))
            return None if state is None else state.customer.id
        return await self._reader.run(
            lambda connection: connection.execute(BY_GITHUB_ID, {"account_id": int(name)}).scalar()
        )

    async def entries(self, account_id: AccountId, *, after_seq: int = 0, limit: int = 100) -> JournalPage:
        """The next entries of an account's journal."""
        return await self._reader.run(
            lambda connection: _page(connection, account_id, {"after": after_seq, "limit": limit})
        )

    async def latest_entries(
        self, account_id: AccountId, *, before_seq: int | None = None, limit: int = 100
    ) -> JournalPage:
        """The last entries of an account's journal, or those that lead up to one; ascending all the same."""
        before = ANY if before_seq is None else before_seq
        return await self._reader.run(
            lambda connection: _page(connection, account_id, {"before": before, "limit": limit})
        )

    async def grants(self, account_id: AccountId, *, include_closed: bool = False) -> Sequence[Grant]:
        """An account's grants by number: the open ones, or all that were ever made."""
        statement = ALL_GRANTS if include_closed else OPEN_GRANTS
        return await self._reader.run(
            lambda connection: [to_grant(row) for row in connection.execute(statement, {"account_id": account_id})]
        )

    async def accounts(self, *, after: AccountId | None = None, limit: int = 100) -> Sequence[AccountId]:
        """The ids of credit accounts, ascending: for going through all of them."""
        parameters = {"after": -1 if after is None else after, "limit": limit}
        return await self._reader.run(
            lambda connection: [AccountId(id_) for id_ in connection.execute(ACCOUNTS_AFTER, parameters).scalars()]
        )

    async def book(self, account_id: AccountId) -> AccountBook | None:
        """An account with all its grants at one moment, to hold its journal against up to that version."""

        def read(connection: Connection) -> AccountBook | None:
            row = connection.execute(ACCOUNT, {"account_id": account_id}).first()
            if row is None:
                return None
            grants = connection.execute(ALL_GRANTS, {"account_id": account_id})
            return AccountBook(
                customer_id=CustomerId(row.customer_id),
                account=to_account(row),
                grants=tuple(to_grant(grant) for grant in grants),
            )

        return await self._reader.run(read)

    async def change_counter(self) -> int:
        """A number that is another one whenever anything was committed; cheap, and comparable within this process.

        On PostgreSQL it also moves with what other databases of the server commit.
        """
        if self._watch is not None:
            return await self._watch.version()
        count: int = await self._reader.run(lambda connection: connection.execute(POSTGRES_COUNTER).scalar_one())
        return count

    def _states(self, connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[CustomerState]:
        """The states of these customers, with the holds that have timed out by now, booked or not."""
        return load(connection, rows, Wanted(now=self._clock.now())).states

    async def _by_login(self, reference: str, login: str) -> CustomerId | None:
        found = await self._reader.run(lambda connection: connection.execute(BY_LOGIN, {"login": login.lower()}).all())
        if len(found) > 1:
            raise AmbiguousReferenceError(reference, tuple(row.github_account_id for row in found))
        return CustomerId(found[0].id) if found else None


def _page(connection: Connection, account_id: AccountId, window: Mapping[str, int]) -> JournalPage:
    statement = ENTRIES_AFTER if "after" in window else ENTRIES_BEFORE
    found = connection.execute(statement, {"account_id": account_id, **window}).all()
    if not found:
        return JournalPage(entries=(), notes={})
    rows = sorted(found, key=lambda row: row.seq)
    between = {"account_id": account_id, "first": rows[0].seq, "last": rows[-1].seq}
    moves: dict[int, list[Row[Any]]] = {row.seq: [] for row in rows}
    for move in connection.execute(MOVES, between):
        moves[move.seq].append(move)
    notes = {row.seq: to_note(row) for row in connection.execute(NOTES, between)}
    return JournalPage(entries=tuple(to_entry(row, moves[row.seq]) for row in rows), notes=notes)
