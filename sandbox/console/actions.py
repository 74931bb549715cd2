"""What the page's buttons do at the pretended GitHub, and how it is said afterwards."""

from typing import Any

import msgspec

from sandbox.console.words import write_date
from sandbox.github.control import Buy, ByAccount, BySender, Change, Command, Install, MoveClock, Rename
from sandbox.github.model import PendingChange
from sandbox.github.world import World

ACTIONS: dict[str, tuple[type[Command], str]] = {
    "install": (Install, "The App is installed on {login}."),
    "uninstall": (BySender, "The App is uninstalled from {login}. What was bought stays bought."),
    "suspend": (BySender, "The installation on {login} is suspended."),
    "unsuspend": (BySender, "The installation on {login} works again."),
    "rename": (Rename, "The account is called {login} now."),
    "buy": (Buy, "{login} has bought {plan}."),
    "change": (Change, "{login} has {plan} from now on."),
    "cancel": (BySender, "{login} has cancelled and has no plan any more."),
    "withdraw_change": (BySender, "{login} keeps {plan}."),
    "fail_payment": (
        ByAccount,
        "A payment of {login} failed: GitHub's API hides the plan for a day, and tells nobody.",
    ),
    "restore_payment": (ByAccount, "The payment of {login} came through: GitHub's API shows the plan again."),
}
"""The page's actions by their names, which are the pretended GitHub's methods."""

LATER = {
    "change": "{login} keeps {plan} until {date}, then changes to {next_plan}.",
    "cancel": "{login} has cancelled and keeps {plan} until {date}.",
}
"""What is said instead where the change is scheduled for the end of what is paid."""

FAILED_PAYMENT_HOURS = 24.0


def perform(world: World, name: str, command: Command) -> str:
    """Do one of the page's actions and say what came of it.

    Raises:
        ActionError: GitHub's pages wouldn't offer it.
    """
    values: dict[str, Any] = msgspec.structs.asdict(command)
    further = {"hours": FAILED_PAYMENT_HOURS} if name == "fail_payment" else {}
    account = world.state.account(values["account"])
    getattr(world, name)(**values, **further)
    purchase = world.state.purchases.get(account.id)
    if name in LATER and purchase is not None and purchase.pending is not None:
        return _said_of_later(LATER[name], account.login, purchase.terms.plan.name, purchase.pending)
    return ACTIONS[name][1].format(login=account.login, plan="" if purchase is None else purchase.terms.plan.name)


def move_clock(world: World, command: MoveClock) -> str:
    """Move the clock forward and say what time it is.

    Raises:
        ValueError: It would go backwards.
        OverflowError: It would leave the calendar.
    """
    if command.to is not None:
        world.clock.set(command.to)
    if command.seconds is not None:
        world.clock.advance(seconds=command.seconds)
    world.catch_up()
    now = world.clock.now()
    return f"It is now {write_date(now)}, {now:%H:%M} UTC."


def _said_of_later(text: str, login: str, plan: str, pending: PendingChange) -> str:
    """Say what is scheduled, and for when."""
    return text.format(
        login=login,
        plan=plan,
        next_plan="" if pending.plan is None else pending.plan.name,
        date=write_date(pending.effective_date),
    )
