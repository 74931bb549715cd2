"""Loading holds: those that commands name, and those that may have timed out."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from billing.state import CreditAccount, Hold
from billing.values import HoldId, to_milliseconds
from storage.looking_up import rows_of
from storage.mapping import to_hold
from storage.statements import listed, register
from storage.tables import OPEN_HOLD, credit_accounts, credit_holds, hold_shares
from storage.transactions import Transaction

NAMED = register("holds.named", select(credit_holds).where(credit_holds.c.id.in_(listed("ids"))))
DUE = register(
    "holds.due",
    select(credit_holds)
    .where(credit_holds.c.account_id.in_(listed("ids")), OPEN_HOLD, credit_holds.c.expires_at <= bindparam("now"))
    .order_by(credit_holds.c.account_id, credit_holds.c.expires_at),
)
_next = (
    select(credit_holds.c.id)
    .where(credit_holds.c.account_id == credit_accounts.c.id, OPEN_HOLD, credit_holds.c.expires_at > bindparam("now"))
    .order_by(credit_holds.c.expires_at)
    .limit(1)
    .scalar_subquery()
)
NEXT = register("holds.next", select(_next.label("id")).where(credit_accounts.c.id.in_(listed("ids"))))
SHARES = register(
    "holds.shares",
    select(hold_shares)
    .where(hold_shares.c.hold_id.in_(listed("ids")))
    .order_by(hold_shares.c.hold_id, hold_shares.c.line),
)


def holds_of(
    source: Transaction | Connection, accounts: Collection[CreditAccount], named: Iterable[HoldId], now: datetime
) -> list[Hold]:
    """The holds of these accounts that are named, those that may have timed out by now, and each account's next one.

    A named hold of another account stays away: to these customers it is none.
    """
    rows = {row.id: row for row in _late(source, accounts, now)}
    rows |= {row.id: row for row in rows_of(source, NAMED, sorted(set(named) - rows.keys()))}
    known = {account.id for account in accounts}
    found = [row for _, row in sorted(rows.items()) if row.account_id in known]
    return with_shares(source, found)


def with_shares(source: Transaction | Connection, rows: Sequence[Row[Any]]) -> list[Hold]:
    """The holds in these rows, in their order."""
    shares: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for share in rows_of(source, SHARES, sorted(row.id for row in rows)):
        shares[share.hold_id].append(share)
    return [to_hold(row, shares[row.id]) for row in rows]


def _late(source: Transaction | Connection, accounts: Collection[CreditAccount], now: datetime) -> list[Row[Any]]:
    """The holds that may have timed out, and the next one of the same accounts."""
    late = [account for account in accounts if account.next_timeout <= max(now, account.booked_at)]
    if not late:
        return []
    # One moment for all: that of one account may lie ahead of the clock, and a hold too many does no harm.
    moment = to_milliseconds(max(now, *(account.booked_at for account in late)))
    ids = sorted(account.id for account in late)
    due = rows_of(source, DUE, ids, now=moment)
    following = {row.id for row in rows_of(source, NEXT, ids, now=moment)} - {None}
    return due + rows_of(source, NAMED, sorted(following))
