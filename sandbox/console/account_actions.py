"""What the page does at the pretended GitHub for an account: signing up, installing, buying, changing, cancelling."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from sandbox.console.acting import Action, Said, Scene, Undo
from sandbox.console.focus import address
from sandbox.console.words import write_date
from sandbox.github.control import Buy, ByAccount, BySender, Change, Command, Install, Rename, RetirePlan
from sandbox.github.model import Account, PendingChange, Purchase

FAILED_PAYMENT_HOURS: Final = 24.0
DAYS_IN_A_MONTH: Final = 28

SAID: Final[Mapping[str, str]] = MappingProxyType(
    {
        "install": "The App is installed on {login}.",
        "uninstall": "The App is uninstalled from {login}. What was bought stays bought.",
        "suspend": "The installation on {login} is suspended.",
        "unsuspend": "The installation on {login} works again.",
        "rename": "The account is called {login} now.",
        "buy": "{login} has bought {plan}.",
        "change": "{login} has {plan} from now on.",
        "cancel": "{login} has cancelled and has no plan any more.",
        "withdraw_change": "{login} keeps {plan}.",
        "fail_upgrade": "The payment of the upgrade failed: {login} is back on {plan}.",
        "fail_payment": "A payment of {login} failed: GitHub's API hides the plan for a day, and tells nobody.",
        "restore_payment": "The payment of {login} came through: GitHub's API shows the plan again.",
    }
)
"""What is said of an action that is the pretended GitHub's method of the same name."""

LATER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "change": "{login} keeps {plan} until {date}, then changes to {next_plan}.",
        "cancel": "{login} has cancelled and keeps {plan} until {date}.",
    }
)
"""What is said instead where the change is scheduled for the end of what is paid."""

UNDONE_BY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"uninstall": ("Install again", "install"), "suspend": ("Unsuspend", "unsuspend")}
)
"""How an action is taken back: the button's words, and the action."""

WITHDRAW: Final = ("Withdraw", "withdraw_change")


class AddAccount(Command, kw_only=True):
    """Sign a user up, or found an organization."""

    login: str
    type: Literal["User", "Organization"] = "Organization"


async def add_account(scene: Scene, command: AddAccount) -> Said:
    """Add an account with repositories and people, and go there."""
    world = scene.world
    # So that not all are billed on the same day.
    billing_day = len(world.state.accounts) * 7 % DAYS_IN_A_MONTH + 1
    if command.type == "User":
        account = world.add_user(command.login, billing_day=billing_day)
    else:
        account = world.add_organization(command.login, billing_day=billing_day)
    scene.cast.furnish(account)
    return Said(message=f"{account.login} has signed up at GitHub.", go=address(account))


async def retire_plan(scene: Scene, command: RetirePlan) -> Said:
    """Take a plan off sale."""
    plan = scene.world.retire_plan(command.plan)
    return Said(message=f"{plan.name} is off sale. Whoever has it keeps it.")


async def rename(scene: Scene, command: Rename) -> Said:
    """Give an account another login."""
    former = scene.world.state.account(command.account).login
    account = scene.world.rename(command.account, command.login, sender=command.sender)
    return Said(
        message=SAID["rename"].format(login=account.login),
        undo=Undo(label="Undo", action="rename", values={"account": account.id, "login": former}),
    )


def _perform(name: str) -> Action:
    """Return the action that is the pretended GitHub's method of this name."""

    async def run(scene: Scene, command: Command) -> Said:
        values: dict[str, Any] = msgspec.structs.asdict(command)
        further = {"hours": FAILED_PAYMENT_HOURS} if name == "fail_payment" else {}
        account = scene.world.state.account(values["account"])
        getattr(scene.world, name)(**values, **further)
        return _said(name, account, scene.world.state.purchases.get(account.id))

    kinds: Mapping[str, type[Command]] = {
        "install": Install,
        "buy": Buy,
        "change": Change,
        "fail_payment": ByAccount,
        "restore_payment": ByAccount,
        "fail_upgrade": ByAccount,
    }
    return Action(kind=kinds.get(name, BySender), run=run)


def _said(name: str, account: Account, purchase: Purchase | None) -> Said:
    """Say what came of an action, and how it is taken back."""
    undone_by = UNDONE_BY.get(name)
    plan = "" if purchase is None else purchase.terms.plan.name
    message = SAID[name].format(login=account.login, plan=plan)
    if name in LATER and purchase is not None and purchase.pending is not None:
        message, undone_by = _said_of_later(LATER[name], account.login, plan, purchase.pending), WITHDRAW
    if undone_by is None:
        return Said(message=message)
    label, action = undone_by
    return Said(message=message, undo=Undo(label=label, action=action, values={"account": account.id}))


def _said_of_later(text: str, login: str, plan: str, pending: PendingChange) -> str:
    """Say what is scheduled, and for when."""
    return text.format(
        login=login,
        plan=plan,
        next_plan="" if pending.plan is None else pending.plan.name,
        date=write_date(pending.effective_date),
    )


ACCOUNT_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {name: _perform(name) for name in SAID if name != "rename"}
    | {
        "rename": Action(kind=Rename, run=rename),
        "add_account": Action(kind=AddAccount, run=add_account),
        "retire_plan": Action(kind=RetirePlan, run=retire_plan),
    }
)
"""The actions by their names."""
