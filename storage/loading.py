"""Loading customers with everything that hangs on them, one query a table however many there are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Row, literal_column, select

from billing.state import CreditAccount, CustomerState, Grant, Installation, Subscription
from billing.values import DEFAULT_UNIT, AccountId, CustomerId
from storage.mapping import to_account, to_customer, to_grant, to_installation, to_subscription
from storage.statements import listed, padded_batches, register
from storage.tables import credit_accounts, credit_grants, customers, installations, subscriptions
from storage.transactions import Transaction

ACCOUNTS = register(
    "loading.accounts",
    select(credit_accounts).where(
        credit_accounts.c.customer_id.in_(listed("ids")), credit_accounts.c.unit == DEFAULT_UNIT
    ),
)
OPEN_GRANTS = register(
    "loading.open_grants",
    select(credit_grants)
    .where(credit_grants.c.account_id.in_(listed("ids")), credit_grants.c.remaining > literal_column("0"))
    .order_by(credit_grants.c.account_id, credit_grants.c.number),
)
SUBSCRIPTIONS = register(
    "loading.subscriptions", select(subscriptions).where(subscriptions.c.customer_id.in_(listed("ids")))
)
INSTALLATIONS = register(
    "loading.installations",
    select(installations).where(installations.c.customer_id.in_(listed("ids"))).order_by(installations.c.id),
)
CUSTOMERS = register(
    "loading.customers", select(customers).where(customers.c.id.in_(listed("ids"))).order_by(customers.c.id)
)


def rows_of(source: Transaction | Connection, statement: Executable, ids: Iterable[int]) -> list[Row[Any]]:
    """The rows that this statement finds for these ids, looked up in batches."""
    found: list[Row[Any]] = []
    for batch in padded_batches(ids):
        found += source.execute(statement, {"ids": batch}).all()
    return found


def states_of(source: Transaction | Connection, customer_rows: Sequence[Row[Any]]) -> list[CustomerState]:
    """The states of these customers, in the order of their rows."""
    ids = sorted(row.id for row in customer_rows)
    accounts: dict[int, CreditAccount] = {}
    for row in rows_of(source, ACCOUNTS, ids):
        accounts[row.customer_id] = to_account(row)
    grants: defaultdict[AccountId, list[Grant]] = defaultdict(list)
    for row in rows_of(source, OPEN_GRANTS, sorted(account.id for account in accounts.values())):
        grants[AccountId(row.account_id)].append(to_grant(row))
    subscribed: defaultdict[CustomerId, list[Subscription]] = defaultdict(list)
    for row in rows_of(source, SUBSCRIPTIONS, ids):
        subscribed[CustomerId(row.customer_id)].append(to_subscription(row))
    installed: defaultdict[CustomerId, list[Installation]] = defaultdict(list)
    for row in rows_of(source, INSTALLATIONS, ids):
        installed[CustomerId(row.customer_id)].append(to_installation(row))
    return [
        CustomerState(
            customer=to_customer(row),
            account=accounts[row.id],
            grants=tuple(grants[accounts[row.id].id]),
            subscriptions=tuple(subscribed[row.id]),
            installations=tuple(installed[row.id]),
        )
        for row in customer_rows
    ]
