"""Customers in every state there is, made by what people do at GitHub: one definition for tests and console.

A scenario acts at the stand-in and lets the product settle wherever the order matters.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sandbox.github.model import Account, Plan, Role
from sandbox.github.world import World

TRIAL: Final = 1111
PRO: Final = 1313
"""Plans of the stand-in's listing and of the shipped catalogue: a free one, and one of 60 credits a month."""

UNKNOWN: Final = 4242
"""A plan that a scenario puts on the listing and that the shipped catalogue doesn't know."""

BILLING_DAY: Final = 15
"""When GitHub charges the accounts that are made here."""

CYCLE_DAYS: Final = 31
"""After so many days a billing date has come, whatever the month."""

Settle = Callable[[], Awaitable[None]]
"""Returns once the product has handled everything that is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A way into one state.

    Attributes:
        description: The state in a line, said of the account.
        run: Makes a new account in that state and returns it once the product knows.
    """

    name: str
    description: str
    run: Callable[[World, Settle], Awaitable[Account]]


def new_account(world: World, name: str, *, is_organization: bool = True) -> Account:
    """Sign an account up whose login is this name with the next number that no account has, nor has had."""
    taken = {account.login for account in world.state.accounts.values()}
    number = 1
    # Who was renamed, and the people of an account, have logins that begin with the first one.
    while any(login == f"{name}-{number}" or login.startswith(f"{name}-{number}-") for login in taken):
        number += 1
    add = world.add_organization if is_organization else world.add_user
    return add(f"{name}-{number}", billing_day=BILLING_DAY)


async def purchase_only(world: World, settle: Settle, *, plan: int = PRO, name: str = "purchase-only") -> Account:
    """Bought, and not installed."""
    account = new_account(world, name)
    world.buy(account, plan)
    await settle()
    return account


async def installed_only(
    world: World, settle: Settle, *, is_organization: bool = True, name: str = "installed-only"
) -> Account:
    """Installed, and bought nothing."""
    account = new_account(world, name, is_organization=is_organization)
    world.install(account)
    await settle()
    return account


async def both(world: World, settle: Settle, *, plan: int = PRO, name: str = "both") -> Account:
    """Bought, then installed, as GitHub's own page has it."""
    account = await purchase_only(world, settle, plan=plan, name=name)
    world.install(account)
    await settle()
    return account


async def upgraded(world: World, settle: Settle) -> Account:
    """Had the free plan, and bought the paid one."""
    account = await both(world, settle, plan=TRIAL, name="upgraded")
    world.change(account, PRO)
    await settle()
    return account


async def downgrade_pending(world: World, settle: Settle) -> Account:
    """Will have the free plan from the next billing date on."""
    account = await both(world, settle, name="downgrade-pending")
    world.change(account, TRIAL)
    await settle()
    return account


async def cancel_pending(world: World, settle: Settle, *, name: str = "cancel-pending") -> Account:
    """Will have no plan from the next billing date on."""
    account = await both(world, settle, name=name)
    world.cancel(account)
    await settle()
    return account


async def cancelled(world: World, settle: Settle, *, name: str = "cancelled") -> Account:
    """Had a paid plan until its cycle's end. Making it moves the clock by a month."""
    account = await cancel_pending(world, settle, name=name)
    world.clock.advance(days=CYCLE_DAYS)
    await settle()
    return account


async def neither_left(world: World, settle: Settle) -> Account:
    """Had both, and has neither any more. Making it moves the clock by a month."""
    account = await cancelled(world, settle, name="neither-left")
    world.uninstall(account)
    await settle()
    return account


async def unconfirmed(world: World, settle: Settle) -> Account:
    """Has a paid plan that GitHub doesn't show just now, as after a failed payment."""
    account = await both(world, settle, name="unconfirmed")
    world.fail_payment(account, hours=12)
    world.change(account, TRIAL)
    await settle()
    return account


async def unknown_plan(world: World, settle: Settle) -> Account:
    """Bought a plan that the catalogue doesn't know."""
    if UNKNOWN not in world.state.plans:
        world.add_plan(
            Plan(
                id=UNKNOWN,
                number=max(plan.number for plan in world.state.plans.values()) + 1,
                name="Unheard of",
                description="Nobody mapped it",
                price_model="FLAT_RATE",
                monthly_price_in_cents=900,
                yearly_price_in_cents=9000,
            )
        )
    return await both(world, settle, plan=UNKNOWN, name="unknown-plan")


async def suspended(world: World, settle: Settle) -> Account:
    """Has a suspended installation."""
    account = await both(world, settle, name="suspended")
    world.suspend(account)
    await settle()
    return account


async def uninstalled(world: World, settle: Settle, *, name: str = "uninstalled") -> Account:
    """Has a plan, and removed the App."""
    account = await both(world, settle, name=name)
    world.uninstall(account)
    await settle()
    return account


async def reinstalled(world: World, settle: Settle) -> Account:
    """Removed the App, and installed it again."""
    account = await uninstalled(world, settle, name="reinstalled")
    world.install(account)
    await settle()
    return account


async def renamed(world: World, settle: Settle) -> Account:
    """Has another login than at first."""
    account = await both(world, settle, name="renamed")
    world.rename(account, f"{account.login}-again")
    await settle()
    return account


TEAM_ROLES: Final[tuple[Role, ...]] = ("admin", "maintain", "write", "triage", "read")
"""What the people of a team may do, one each; one more may do nothing that not everybody may."""


async def team(world: World, settle: Settle) -> Account:
    """Has a plan, a public and a private repository, people who may do more or less there, and threads to write in."""
    account = new_account(world, "team")
    people = {role: world.add_user(f"{account.login}-{role}") for role in TEAM_ROLES}
    world.add_user(f"{account.login}-stranger")
    for name, private in (("website", False), ("engine", True)):
        repository = world.add_repository(account, name, private=private)
        for role, person in people.items():
            world.set_permission(repository, person, role)
        world.open_issue(repository, people["read"], "It stops at the second page", "It did not last week.")
        world.open_issue(repository, people["write"], "Go on after the first page", pull_request=True)
    world.buy(account, PRO)
    await settle()
    world.install(account)
    await settle()
    return account


def _described(*states: Callable[[World, Settle], Awaitable[Account]]) -> Mapping[str, Scenario]:
    """Return each state by its name, described by its own words."""
    return MappingProxyType(
        {
            state.__name__: Scenario(name=state.__name__, description=(state.__doc__ or "").strip(), run=state)
            for state in states
        }
    )


SCENARIOS: Final[Mapping[str, Scenario]] = _described(
    purchase_only,
    installed_only,
    both,
    upgraded,
    downgrade_pending,
    cancel_pending,
    cancelled,
    neither_left,
    unconfirmed,
    unknown_plan,
    suspended,
    uninstalled,
    reinstalled,
    renamed,
    team,
)
"""Every state by its name, in an order that tells a story."""
