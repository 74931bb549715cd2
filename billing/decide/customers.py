"""Customers: how one comes to be, and what is learnt about it."""

from dataclasses import replace
from datetime import datetime

from billing.commands import Applied, GitHubAccount, Ignored, Refused, RenameAccount, ShowFigures
from billing.decide.decision import Decision, Facts
from billing.errors import UnknownCustomerError
from billing.ledger.chain import FIRST_HEAD
from billing.state import CreditAccount, Customer, CustomerState, Subscription
from billing.values import DEFAULT_UNIT, EPOCH, NEVER


def met(
    state: CustomerState | None,
    told: GitHubAccount,
    shown: GitHubAccount | None,
    *,
    source: str,
    now: datetime,
    facts: Facts,
) -> CustomerState:
    """The customer of this account, made if there is none, by what the delivery told and what GitHub showed of it.

    A delivery may be older than what is known, so that what it told only fills gaps.
    """
    if state is None:
        state = _provisioned(told, source=source, now=now, facts=facts)
    customer = state.customer
    known = replace(told, login=customer.github_login or told.login, type=customer.github_type or told.type)
    state = introduced(state, known)
    return state if shown is None else introduced(state, shown)


def introduced(state: CustomerState, account: GitHubAccount) -> CustomerState:
    """The customer with the account's login and type; what isn't known stays as it was."""
    customer = replace(
        state.customer,
        github_login=account.login or state.customer.github_login,
        github_type=account.type or state.customer.github_type,
    )
    return replace(state, customer=customer)


def with_subscription(state: CustomerState, subscription: Subscription) -> CustomerState:
    """The customer with this subscription in place of the provider's earlier one."""
    subscriptions = {each.provider: each for each in state.subscriptions} | {subscription.provider: subscription}
    return replace(state, subscriptions=tuple(subscriptions.values()))


def rename_account(state: CustomerState | None, command: RenameAccount) -> Decision:
    """Take note of a login."""
    if state is None:
        return Decision(outcome=Ignored(reason="no customer has this account"))
    return Decision(
        state=introduced(state, command.account), outcome=Applied(customer_id=state.customer.id, entries=())
    )


def show_figures(state: CustomerState | None, command: ShowFigures) -> Decision:
    """Take note of the account's choice whether figures are shown in public repositories."""
    if state is None:
        return Decision(outcome=Refused(error=UnknownCustomerError(str(command.customer_id))))
    customer = replace(state.customer, shows_figures=command.shown)
    return Decision(state=replace(state, customer=customer), outcome=Applied(customer_id=customer.id, entries=()))


def _provisioned(account: GitHubAccount, *, source: str, now: datetime, facts: Facts) -> CustomerState:
    assert facts.new_ids is not None, "whoever may make a customer brings the ids for it"
    customer_id, account_id = facts.new_ids
    return CustomerState(
        customer=Customer(
            id=customer_id,
            github_account_id=account.id,
            github_login=account.login,
            github_type=account.type,
            source=source,
            created_at=now,
        ),
        account=CreditAccount(
            id=account_id,
            unit=DEFAULT_UNIT,
            posted=0,
            version=0,
            grants_made=0,
            next_expiry=NEVER,
            booked_at=EPOCH,
            head=FIRST_HEAD,
        ),
    )
