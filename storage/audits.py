"""What `verify` looks at beside the journal's pages: checkpoints, keys, and whose accounts there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from billing.ledger.checkpoints import Checkpoint, Head, HeldHead
from billing.values import AccountId, CustomerId, HoldId
from storage.checkpoints import ANY, to_checkpoint
from storage.mapping.ledger import key_hash
from storage.reader import Reader
from storage.statements import register
from storage.tables import (
    credit_accounts,
    credit_holds,
    credit_transactions,
    customers,
    hold_shares,
    ledger_checkpoints,
    ledger_heads,
)

UNREADABLE: Final = (ArithmeticError, DBAPIError, LookupError, TypeError, ValueError)
"""What reading raises on a row that somebody changed into what can't be: a kind that doesn't exist, a time beyond all
calendars, bytes that are no text. A database that is away raises `TemporaryFailureError` instead."""

NEXT_CHECKPOINT = register(
    "audits.next_checkpoint",
    select(ledger_checkpoints)
    .where(ledger_checkpoints.c.number > bindparam("after"))
    .order_by(ledger_checkpoints.c.number)
    .limit(bindparam("limit")),
)
HEADS = register(
    "audits.heads",
    select(ledger_heads, credit_transactions.c.hash.label("booked"), credit_accounts.c.id.label("known"))
    .outerjoin(
        credit_transactions,
        (credit_transactions.c.account_id == ledger_heads.c.account_id)
        & (credit_transactions.c.seq == ledger_heads.c.version),
    )
    .outerjoin(credit_accounts, credit_accounts.c.id == ledger_heads.c.account_id)
    .where(ledger_heads.c.checkpoint == bindparam("number"))
    .order_by(ledger_heads.c.account_id),
)
STRAY = register(
    "audits.stray",
    select(ledger_heads.c.checkpoint)
    .where(ledger_heads.c.checkpoint.between(bindparam("first"), bindparam("last")))
    .order_by(ledger_heads.c.checkpoint)
    .limit(bindparam("limit")),
)
KEYS = register(
    "audits.keys",
    select(credit_transactions.c.seq, credit_transactions.c.idempotency_key, credit_transactions.c.key_hash)
    .where(
        credit_transactions.c.account_id == bindparam("account_id"),
        credit_transactions.c.seq.between(bindparam("first"), bindparam("last")),
    )
    .order_by(credit_transactions.c.seq),
)
_shares = (
    select(func.coalesce(func.sum(hold_shares.c.amount), 0))
    .where(hold_shares.c.hold_id == credit_holds.c.id)
    .scalar_subquery()
)
HOLDS = register(
    "audits.holds",
    select(credit_holds.c.id)
    .where(credit_holds.c.account_id == bindparam("account_id"), credit_holds.c.credits != _shares)
    .order_by(credit_holds.c.id)
    .limit(bindparam("limit")),
)
OWNER = register(
    "audits.owner",
    select(credit_accounts.c.customer_id, customers.c.id.label("known"))
    .outerjoin(customers, customers.c.id == credit_accounts.c.customer_id)
    .where(credit_accounts.c.id == bindparam("account_id")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCheckpoint:
    """A checkpoint with its heads, each held against the journal."""

    checkpoint: Checkpoint
    heads: Sequence[HeldHead]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """There are no further checkpoints. `stray` is one that a head names all the same; None if none does."""

    stray: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose account it is, and whether there is such a customer."""

    customer_id: CustomerId
    is_known: bool


class Audits:
    """Reading for `verify`. Nothing here keeps a writer waiting."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def checkpoint(self, *, after: int) -> HeldCheckpoint | End:
        """The checkpoint that comes next in number."""

        def read(connection: Connection) -> HeldCheckpoint | End:
            row = connection.execute(NEXT_CHECKPOINT, {"after": after, "limit": 1}).first()
            if row is None:
                return End(stray=_stray(connection, after))
            heads = [
                HeldHead(
                    head=Head(account_id=AccountId(head.account_id), version=head.version, head=head.head),
                    booked=head.booked,
                    has_account=head.known is not None,
                )
                for head in connection.execute(HEADS, {"number": row.number})
            ]
            return HeldCheckpoint(checkpoint=to_checkpoint(row), heads=heads)

        return await self._reader.run(read)

    async def wrong_key(self, account_id: AccountId, *, first: int, last: int) -> int | None:
        """The first of these entries that would not be found by its idempotency key; None if all would."""

        def read(connection: Connection) -> int | None:
            rows = connection.execute(KEYS, {"account_id": account_id, "first": first, "last": last})
            return next(
                (row.seq for row in rows.all() if row.key_hash != key_hash(account_id, row.idempotency_key)), None
            )

        return await self._reader.run(read)

    async def wrong_hold(self, account_id: AccountId) -> HoldId | None:
        """The first hold whose credits aren't the sum of its shares; None if all are."""
        parameters = {"account_id": account_id, "limit": 1}
        found: int | None = await self._reader.run(lambda connection: connection.execute(HOLDS, parameters).scalar())
        return None if found is None else HoldId(found)

    async def owner(self, account_id: AccountId) -> Owner | None:
        """Whose account it is; None if there is no such account."""

        def read(connection: Connection) -> Owner | None:
            row = connection.execute(OWNER, {"account_id": account_id}).first()
            if row is None:
                return None
            return Owner(customer_id=CustomerId(row.customer_id), is_known=row.known is not None)

        return await self._reader.run(read)


def _stray(connection: Connection, last: int) -> int | None:
    """A checkpoint beyond the chain that a head names."""
    for first, up_to in ((last + 1, ANY), (-ANY, 0)):
        number: int | None = connection.execute(STRAY, {"first": first, "last": up_to, "limit": 1}).scalar()
        if number is not None:
            return number
    return None
