"""What people and pages look at. Nothing here waits for the writer, or keeps it waiting."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Text, bindparam, func, literal_column, select

from billing.ledger.balance import Balance
from billing.ledger.entries import Entry
from billing.ports import Clock, Wanted
from billing.state import CustomerState, Grant, Hold
from billing.values import AccountId, CustomerId, GitHubAccountId, HoldId, to_milliseconds
from storage.books import GRANTS, AccountBook, read_book
from storage.errors import AmbiguousReferenceError
from storage.holds import NAMED, with_shares
from storage.journal import JournalPage, length_at, page_after, page_before
from storage.loading import CUSTOMERS, load
from storage.looking_back import balance_at
from storage.looking_up import rows_of
from storage.mapping import to_grant
from storage.reader import Reader, SqliteWatch
from storage.statements import register
from storage.tables import OPEN_HOLD, credit_accounts, credit_grants, credit_holds, customers

__all__ = ["AccountBook", "JournalPage", "Reads"]

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

OPEN_GRANTS = register(
    "reads.open_grants",
    select(credit_grants)
    .where(credit_grants.c.account_id == bindparam("account_id"), credit_grants.c.remaining > literal_column("0"))
    .order_by(credit_grants.c.number),
)
OPEN_HOLDS = register(
    "reads.open_holds",
    select(credit_holds)
    .where(credit_holds.c.account_id == bindparam("account_id"), OPEN_HOLD)
    .order_by(credit_holds.c.expires_at, credit_holds.c.id)
    .limit(bindparam("limit")),
)
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
        return await self._reader.run(lambda connection: page_after(connection, account_id, after_seq, limit))

    async def latest_entries(
        self, account_id: AccountId, *, before_seq: int | None = None, limit: int = 100
    ) -> JournalPage:
        """The last entries of an account's journal, or those that lead up to one; ascending all the same."""
        before = ANY if before_seq is None else before_seq
        return await self._reader.run(lambda connection: page_before(connection, account_id, before, limit))

    async def entry(self, account_id: AccountId, seq: int) -> Entry | None:
        """One entry, which also says what the balance was with it."""
        page = await self._reader.run(lambda connection: page_after(connection, account_id, seq - 1, 1))
        return next((entry for entry in page.entries if entry.seq == seq), None)

    async def length_at(self, account_id: AccountId, moment: datetime) -> int:
        """How many entries an account had at that moment: the sequence number of the last one booked by then."""
        milliseconds = to_milliseconds(moment)
        return await self._reader.run(lambda connection: length_at(connection, account_id, milliseconds))

    async def balance_at(self, customer_id: CustomerId, moment: datetime) -> Balance | None:
        """What the customer had, or will have, at that moment, exactly: with what was due by then, booked or not."""
        return await self._reader.run(lambda connection: balance_at(connection, customer_id, moment))

    async def grants(self, account_id: AccountId, *, include_closed: bool = False) -> Sequence[Grant]:
        """An account's grants by number: the open ones, or all that were ever made."""
        statement = GRANTS if include_closed else OPEN_GRANTS
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
        """An account with all that hangs on it at one moment, to hold its journal against up to that version."""
        return await self._reader.run(lambda connection: read_book(connection, account_id))

    async def holds(self, account_id: AccountId, *, limit: int = 100) -> Sequence[Hold]:
        """An account's open holds, the first to time out first; of which some may be due."""
        parameters = {"account_id": account_id, "limit": limit}
        return await self._reader.run(
            lambda connection: with_shares(connection, connection.execute(OPEN_HOLDS, parameters).all())
        )

    async def hold(self, hold_id: HoldId) -> Hold | None:
        """A hold, whatever became of it."""

        def read(connection: Connection) -> Hold | None:
            found = with_shares(connection, rows_of(connection, NAMED, [hold_id]))
            return found[0] if found else None

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
