"""Checkpoints over the heads of all accounts: which accounts moved since, and the next link of the chain."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from billing.ledger.checkpoints import MOST_HEADS, Checkpoint, Head
from billing.values import AccountId, from_milliseconds, to_milliseconds
from storage.reader import Reader
from storage.statements import register
from storage.tables import credit_accounts, ledger_checkpoints, ledger_heads
from storage.transactions import Transaction
from storage.writer import Writer

ANY: Final = sys.maxsize
"""Above every number."""

PAGE_SIZE: Final = MOST_HEADS
"""How many accounts are looked at in one read."""

LATEST = register(
    "checkpoints.latest",
    select(ledger_checkpoints)
    .where(ledger_checkpoints.c.number < bindparam("before"))
    .order_by(ledger_checkpoints.c.number.desc())
    .limit(bindparam("limit")),
)
ADD = register("checkpoints.add", insert(ledger_checkpoints))
ADD_HEADS = register("checkpoints.add_heads", insert(ledger_heads))

_page = (
    select(credit_accounts.c.id, credit_accounts.c.version, credit_accounts.c.head)
    .where(credit_accounts.c.id > bindparam("after"))
    .order_by(credit_accounts.c.id)
    .limit(bindparam("limit"))
    .subquery("page")
)
_newest_head = select(func.max(ledger_heads.c.version)).where(ledger_heads.c.account_id == _page.c.id).scalar_subquery()
ACCOUNTS = register(
    "checkpoints.accounts", select(_page, func.coalesce(_newest_head, 0).label("vouched_for")).order_by(_page.c.id)
)
OF_ACCOUNT = register(
    "checkpoints.of_account",
    select(ledger_heads.c.version, ledger_checkpoints)
    .join(ledger_checkpoints, ledger_checkpoints.c.number == ledger_heads.c.checkpoint)
    .where(
        ledger_heads.c.account_id == bindparam("account_id"),
        ledger_heads.c.version <= bindparam("up_to"),
    )
    .order_by(ledger_heads.c.version.desc())
    .limit(bindparam("limit")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage:
    """Some accounts: the heads of those that no checkpoint vouches for as they stand, and where the next page begins.

    Attributes:
        last: the last account that was looked at; None at the end.
    """

    moved: tuple[Head, ...]
    last: AccountId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouching:
    """A checkpoint, and up to which entry of an account's journal it vouches."""

    checkpoint: Checkpoint
    seq: int


class Checkpoints:
    """The chain over the heads. Several processes may add to it: who comes second adds nothing."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def latest(self, *, limit: int = 1, before: int = ANY) -> Sequence[Checkpoint]:
        """The newest checkpoints below a number, the newest first."""
        parameters = {"before": before, "limit": limit}
        return await self._reader.run(
            lambda connection: [to_checkpoint(row) for row in connection.execute(LATEST, parameters)]
        )

    async def accounts(self, *, after: AccountId | None) -> AccountsPage:
        """Look at the next accounts by their ids. To be asked after `latest`, so that nothing is vouched for twice."""

        def read(connection: Connection) -> AccountsPage:
            parameters = {"after": -1 if after is None else after, "limit": PAGE_SIZE}
            rows = connection.execute(ACCOUNTS, parameters).all()
            moved = [
                Head(account_id=AccountId(row.id), version=row.version, head=row.head)
                for row in rows
                if row.version > row.vouched_for
            ]
            return AccountsPage(moved=tuple(moved), last=AccountId(rows[-1].id) if rows else None)

        return await self._reader.run(read)

    async def add(self, checkpoint: Checkpoint, heads: Sequence[Head]) -> bool:
        """Append a checkpoint with its heads, if it follows the newest; whether it did.

        Raises:
            TemporaryFailureError: The database is away.
        """

        def work(transaction: Transaction) -> bool:
            # Where two processes append the same number at a time, the key stops one of them, and its second try ends
            # here (docs/decisions/0029-checkpoints-over-all-heads.md).
            newest = transaction.execute(LATEST, {"before": ANY, "limit": 1}).first()
            number, digest = (0, checkpoint.previous_digest) if newest is None else (newest.number, newest.digest)
            if (number, digest) != (checkpoint.number - 1, checkpoint.previous_digest):
                return False
            transaction.execute(ADD, _checkpoint_values(checkpoint))
            transaction.execute(ADD_HEADS, [_head_values(checkpoint.number, head) for head in heads])
            return True

        return await self._writer.run(work)

    async def of_account(self, account_id: AccountId, *, up_to: int) -> Vouching | None:
        """The newest checkpoint that vouches for this account's journal up to that entry or to an earlier one."""

        def read(connection: Connection) -> Vouching | None:
            row = connection.execute(OF_ACCOUNT, {"account_id": account_id, "up_to": up_to, "limit": 1}).first()
            return None if row is None else Vouching(checkpoint=to_checkpoint(row), seq=row.version)

        return await self._reader.run(read)


def to_checkpoint(row: Row[Any]) -> Checkpoint:
    """The checkpoint in this row."""
    return Checkpoint(
        number=row.number,
        made_at=from_milliseconds(row.made_at),
        accounts=row.accounts,
        previous_digest=row.previous_digest,
        digest=row.digest,
        key_id=row.key_id,
        signature=row.signature,
    )


def _checkpoint_values(checkpoint: Checkpoint) -> Mapping[str, object]:
    return {
        "number": checkpoint.number,
        "made_at": to_milliseconds(checkpoint.made_at),
        "accounts": checkpoint.accounts,
        "previous_digest": checkpoint.previous_digest,
        "digest": checkpoint.digest,
        "key_id": checkpoint.key_id,
        "signature": checkpoint.signature,
    }


def _head_values(number: int, head: Head) -> Mapping[str, object]:
    return {"account_id": head.account_id, "version": head.version, "checkpoint": number, "head": head.head}
