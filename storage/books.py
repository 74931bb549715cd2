"""Reading an account with all that hangs on it, as it stood at one moment, to hold its journal against."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from billing.state import Charge, CreditAccount, Grant, Hold
from billing.values import AccountId, CustomerId
from storage.mapping import to_account, to_charge, to_grant, to_hold
from storage.statements import register
from storage.tables import charges, credit_accounts, credit_grants, credit_holds, hold_shares

ACCOUNT = register("books.account", select(credit_accounts).where(credit_accounts.c.id == bindparam("account_id")))
GRANTS = register(
    "books.grants",
    select(credit_grants).where(credit_grants.c.account_id == bindparam("account_id")).order_by(credit_grants.c.number),
)
HOLDS = register(
    "books.holds",
    select(credit_holds).where(credit_holds.c.account_id == bindparam("account_id")).order_by(credit_holds.c.id),
)
SHARES = register(
    "books.shares",
    select(hold_shares)
    .join(credit_holds, credit_holds.c.id == hold_shares.c.hold_id)
    .where(credit_holds.c.account_id == bindparam("account_id"))
    .order_by(hold_shares.c.hold_id, hold_shares.c.line),
)
CHARGES = register(
    "books.charges",
    select(charges)
    .where(charges.c.account_id == bindparam("account_id"))
    .order_by(charges.c.hold_id, charges.c.number),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBook:
    """An account, whose it is, and all its grants, holds and charges, used up and ended ones included."""

    customer_id: CustomerId
    account: CreditAccount
    grants: tuple[Grant, ...]
    holds: tuple[Hold, ...] = ()
    charges: tuple[Charge, ...] = ()


def read_book(connection: Connection, account_id: AccountId) -> AccountBook | None:
    """The account as it stands; None if there is none."""
    named = {"account_id": account_id}
    row = connection.execute(ACCOUNT, named).first()
    if row is None:
        return None
    shares: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for share in connection.execute(SHARES, named):
        shares[share.hold_id].append(share)
    return AccountBook(
        customer_id=CustomerId(row.customer_id),
        account=to_account(row),
        grants=tuple(to_grant(grant) for grant in connection.execute(GRANTS, named)),
        holds=tuple(to_hold(hold, shares[hold.id]) for hold in connection.execute(HOLDS, named)),
        charges=tuple(to_charge(charge) for charge in connection.execute(CHARGES, named)),
    )
