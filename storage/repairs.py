"""Loading what few commands need: named grants, entries to take back, credits that have expired since.

These commands are rare, so each may cost queries of its own.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Text, bindparam, literal_column, select

from billing.ledger.entries import Entry
from billing.state import Grant
from billing.values import AccountId, Origin, to_milliseconds
from storage.looking_up import rows_of
from storage.mapping import to_entry, to_grant
from storage.statements import listed, padded_batches, register
from storage.tables import credit_grants, credit_moves, credit_transactions
from storage.transactions import Transaction

PLAN: Final[ColumnElement[str]] = literal_column(f"'{Origin.PLAN.value}'", Text)

GrantName = tuple[AccountId, int]
"""A grant's account and number."""

GRANTS = register(
    "repairs.grants",
    select(credit_grants).where(
        credit_grants.c.account_id.in_(listed("account_ids")), credit_grants.c.number.in_(listed("numbers"))
    ),
)
EXPIRED_GRANTS = register(
    "repairs.expired_grants",
    select(credit_grants).where(
        credit_grants.c.account_id.in_(listed("ids")),
        credit_grants.c.expires_at > bindparam("since"),
        # The months of a plan tell when the one before was expired, ahead of its own end.
        (credit_grants.c.expired > literal_column("0")) | (credit_grants.c.origin == PLAN),
    ),
)
ENTRY = register(
    "repairs.entry",
    select(credit_transactions).where(
        credit_transactions.c.account_id == bindparam("account_id"), credit_transactions.c.seq == bindparam("seq")
    ),
)
MOVES = register(
    "repairs.moves",
    select(credit_moves)
    .where(credit_moves.c.account_id == bindparam("account_id"), credit_moves.c.seq == bindparam("seq"))
    .order_by(credit_moves.c.line),
)


def named_grants(source: Transaction | Connection, names: Collection[GrantName]) -> dict[GrantName, Grant]:
    """These grants, whatever is left of them. A grant that there isn't is left out."""
    found: dict[GrantName, Grant] = {}
    for batch in padded_batches(sorted(names)):
        account_ids = [account_id for account_id, _ in batch]
        numbers = [number for _, number in batch]
        for row in source.execute(GRANTS, {"account_ids": account_ids, "numbers": numbers}):
            found[AccountId(row.account_id), row.number] = to_grant(row)
    # The lists are looked up apart, so that an account may have a grant of another one's number.
    return {name: grant for name, grant in found.items() if name in names}


def expired_grants(source: Transaction | Connection, since: Mapping[AccountId, datetime]) -> dict[GrantName, Grant]:
    """The grants of these accounts of which something expired after that moment, and was booked; and its plans'."""
    if not since:
        return {}
    moments = {account_id: to_milliseconds(moment) for account_id, moment in since.items()}
    rows = rows_of(source, EXPIRED_GRANTS, sorted(moments), since=min(moments.values()))
    return {
        (AccountId(row.account_id), row.number): to_grant(row)
        for row in rows
        if row.expires_at > moments[AccountId(row.account_id)]
    }


def named_entries(source: Transaction | Connection, names: Collection[tuple[AccountId, int]]) -> list[Entry]:
    """These entries with their moves. An entry that there isn't is left out."""
    found: list[Entry] = []
    for account_id, seq in sorted(names):
        named = {"account_id": account_id, "seq": seq}
        row = source.execute(ENTRY, named).first()
        if row is not None:
            found.append(to_entry(row, source.execute(MOVES, named).all()))
    return found
