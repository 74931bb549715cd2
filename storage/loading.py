"""Loading customers with everything that hangs on them, one query a table however many there are.

What a batch doesn't need isn't asked for: a spend looks at no hold (docs/decisions/0032-what-is-loaded-when.md).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, literal_column, select

from billing.ledger.entries import Entry
from billing.ports import Wanted
from billing.state import CreditAccount, CustomerState, Grant, Hold, Installation, Subscription
from billing.values import DEFAULT_UNIT, AccountId, CustomerId
from storage.holds import holds_of
from storage.looking_up import rows_of
from storage.mapping import to_account, to_customer, to_grant, to_installation, to_subscription
from storage.repairs import GrantName, expired_grants, named_entries, named_grants
from storage.statements import listed, register
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Customers in the order of their rows, and the entries that commands take back."""

    states: Sequence[CustomerState]
    entries: Sequence[Entry]


def load(source: Transaction | Connection, customer_rows: Sequence[Row[Any]], wanted: Wanted) -> Loaded:
    """The states of these customers, with what is wanted of them."""
    ids = sorted(row.id for row in customer_rows)
    accounts = {CustomerId(row.customer_id): to_account(row) for row in rows_of(source, ACCOUNTS, ids)}
    entries = _entries(source, accounts, wanted)
    holds: defaultdict[AccountId, list[Hold]] = defaultdict(list)
    for hold in holds_of(source, accounts.values(), wanted.holds, wanted.now):
        holds[hold.account_id].append(hold)
    grants: defaultdict[AccountId, list[Grant]] = defaultdict(list)
    for (account_id, _), grant in _grants(source, accounts, wanted, holds, entries).items():
        grants[account_id].append(grant)
    subscribed: defaultdict[CustomerId, list[Subscription]] = defaultdict(list)
    for row in rows_of(source, SUBSCRIPTIONS, ids):
        subscribed[CustomerId(row.customer_id)].append(to_subscription(row))
    installed: defaultdict[CustomerId, list[Installation]] = defaultdict(list)
    for row in rows_of(source, INSTALLATIONS, ids):
        installed[CustomerId(row.customer_id)].append(to_installation(row))
    states = [
        CustomerState(
            customer=to_customer(row),
            account=accounts[row.id],
            grants=tuple(grants[accounts[row.id].id]),
            holds=tuple(holds[accounts[row.id].id]),
            subscriptions=tuple(subscribed[row.id]),
            installations=tuple(installed[row.id]),
        )
        for row in customer_rows
    ]
    return Loaded(states=states, entries=entries)


def _entries(
    source: Transaction | Connection, accounts: Mapping[CustomerId, CreditAccount], wanted: Wanted
) -> list[Entry]:
    """The entries that are wanted of these customers."""
    names = {(accounts[customer_id].id, seq) for customer_id, seq in wanted.entries if customer_id in accounts}
    return named_entries(source, names)


def _grants(
    source: Transaction | Connection,
    accounts: Mapping[CustomerId, CreditAccount],
    wanted: Wanted,
    holds: Mapping[AccountId, Sequence[Hold]],
    entries: Sequence[Entry],
) -> dict[GrantName, Grant]:
    """The open grants of these accounts, those under the holds, and those that are wanted beside them."""
    ids = sorted(account.id for account in accounts.values())
    found = {(AccountId(row.account_id), row.number): to_grant(row) for row in rows_of(source, OPEN_GRANTS, ids)}
    names = {(hold.account_id, share.grant_number) for each in holds.values() for hold in each for share in hold.shares}
    names |= {(accounts[customer_id].id, number) for customer_id, number in wanted.grants if customer_id in accounts}
    names |= {(entry.account_id, move.grant_number) for entry in entries for move in entry.moves if move.grant_number}
    since = {accounts[id_].id: moment for id_, moment in wanted.used_at.items() if id_ in accounts}
    found |= expired_grants(source, since)
    # Most of what is held lies on grants that are open.
    return found | named_grants(source, names - found.keys())
