"""Every state a customer can be in, reached over the wire, on both engines: what the ledger and the plan are there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from billing.state import CustomerState
from billing.values import Provider
from sandbox.clock import VirtualClock
from sandbox.scenarios import SCENARIOS
from tests.factories import PRO, TRIAL, UNKNOWN, Customers, Deployment, deployed

# The clock of these tests starts on 2 November, and the accounts are charged on the 15th: of the 31 days that end then
# 13 are left, so the first grant is ceil(60 x 13 / 31).
FIRST_GRANT = 26
SIGN_UP = 5


@pytest.fixture
async def deployment(database_url: str, clock: VirtualClock) -> AsyncIterator[Deployment]:
    async with deployed(database_url, clock) as running:
        yield running


@pytest.fixture
def customers(deployment: Deployment) -> Customers:
    return Customers(at=deployment)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What matters of a customer."""

    posted: int
    plan: str | None = None
    state: str | None = None
    pending: str = ""
    ends: bool = False
    installations: tuple[str, ...] = ()
    entries: int = 0


def shown(state: CustomerState) -> Shown:
    subscription = state.subscription(Provider.GITHUB_MARKETPLACE)
    installations = tuple(
        each.state.value for each in sorted(state.installations, key=lambda installation: installation.id)
    )
    return Shown(
        posted=state.account.posted,
        plan=None if subscription is None else subscription.plan,
        state=None if subscription is None else subscription.state.value,
        pending="" if subscription is None else subscription.pending_plan,
        ends=subscription is not None and subscription.cancel_at_period_end,
        installations=installations,
        entries=state.account.version,
    )


EXPECTED: dict[str, Shown] = {
    "purchase_only": Shown(posted=FIRST_GRANT, plan="pro", state="active", entries=1),
    "installed_only": Shown(posted=SIGN_UP, installations=("active",), entries=1),
    "both": Shown(posted=FIRST_GRANT + SIGN_UP, plan="pro", state="active", installations=("active",), entries=2),
    # The free plan's period runs from the purchase to 2 December; of its 30 days all are left.
    "upgraded": Shown(posted=60 + SIGN_UP, plan="pro", state="active", installations=("active",), entries=2),
    "downgrade_pending": Shown(
        posted=FIRST_GRANT + SIGN_UP,
        plan="pro",
        state="active",
        pending="trial",
        installations=("active",),
        entries=2,
    ),
    "cancel_pending": Shown(
        posted=FIRST_GRANT + SIGN_UP,
        plan="pro",
        state="active",
        ends=True,
        installations=("active",),
        entries=2,
    ),
    "cancelled": Shown(posted=FIRST_GRANT + SIGN_UP, plan="pro", state="ended", installations=("active",), entries=2),
    "neither_left": Shown(
        posted=FIRST_GRANT + SIGN_UP, plan="pro", state="ended", installations=("deleted",), entries=2
    ),
    "unconfirmed": Shown(
        posted=FIRST_GRANT + SIGN_UP, plan="pro", state="unconfirmed", installations=("active",), entries=2
    ),
    "unknown_plan": Shown(posted=SIGN_UP, plan="", state="active", installations=("active",), entries=1),
    "suspended": Shown(
        posted=FIRST_GRANT + SIGN_UP, plan="pro", state="active", installations=("suspended",), entries=2
    ),
    "uninstalled": Shown(
        posted=FIRST_GRANT + SIGN_UP, plan="pro", state="active", installations=("deleted",), entries=2
    ),
    "reinstalled": Shown(
        posted=FIRST_GRANT + SIGN_UP,
        plan="pro",
        state="active",
        installations=("deleted", "active"),
        entries=2,
    ),
    "renamed": Shown(posted=FIRST_GRANT + SIGN_UP, plan="pro", state="active", installations=("active",), entries=2),
    "team": Shown(posted=FIRST_GRANT + SIGN_UP, plan="pro", state="active", installations=("active",), entries=2),
}


def test_every_state_is_expected_to_be_something() -> None:
    assert list(EXPECTED) == list(SCENARIOS)


@pytest.mark.parametrize("name", list(EXPECTED))
async def test_each_state_is_what_its_name_says(deployment: Deployment, customers: Customers, name: str) -> None:
    account = await customers.made(name)
    state = await deployment.customer(account)
    assert state is not None
    assert shown(state) == EXPECTED[name]
    assert state.customer.github_login == account.login
    assert state.customer.github_type == "Organization"
    assert {row.state.value for row in await deployment.deliveries()} == {"done"}


async def test_the_order_of_buying_and_installing_makes_no_difference(
    deployment: Deployment, customers: Customers
) -> None:
    one, other = await customers.both(), await customers.installed_only()
    deployment.github.buy(other, PRO)
    await deployment.settle()
    states = [await deployment.customer(each) for each in (one, other)]
    assert [shown(each) for each in states if each is not None] == [shown(states[0])] * 2  # type: ignore[arg-type]


async def test_an_unknown_plan_raises_an_alarm_and_keeps_what_there_was(
    deployment: Deployment, customers: Customers
) -> None:
    account = await customers.made("unknown_plan")
    state = await deployment.customer(account)
    assert state is not None
    subscription = state.subscription(Provider.GITHUB_MARKETPLACE)
    assert subscription is not None
    assert subscription.unmapped_plan_id == UNKNOWN
    [alarm] = await deployment.database.alarms.list()
    assert (alarm.kind, alarm.subject) == ("unknown_plan", f"plan:{UNKNOWN}")


async def test_reinstalling_and_buying_again_gives_no_second_credits(
    deployment: Deployment, customers: Customers
) -> None:
    account = await customers.made("neither_left")
    before = await deployment.customer(account)
    assert before is not None
    deployment.github.install(account)
    deployment.github.buy(account, TRIAL)
    await deployment.settle()
    after = await deployment.customer(account)
    assert after is not None
    assert after.account.posted == before.account.posted
    assert after.account.version == before.account.version
