"""What the page's buttons do, and how it is said afterwards."""

from typing import Any

import msgspec

from sandbox.github.control import Buy, ByAccount, BySender, Change, Command, Install, MoveClock
from sandbox.github.world import World

ACTIONS: dict[str, tuple[type[Command], str]] = {
    "install": (Install, "The App is installed on {account}."),
    "uninstall": (BySender, "The App is uninstalled from {account}. What was bought stays bought."),
    "suspend": (BySender, "The installation on {account} is suspended."),
    "unsuspend": (BySender, "The installation on {account} works again."),
    "buy": (Buy, "{account} has bought {plan}."),
    "change": (Change, "{account} has asked for {plan}."),
    "cancel": (BySender, "{account} has cancelled."),
    "withdraw_change": (BySender, "{account} keeps the plan."),
    "fail_payment": (ByAccount, "A payment of {account} failed: the plan is hidden from the API for a day."),
    "restore_payment": (ByAccount, "The payment of {account} came through."),
}
"""The page's actions by their names, which are the pretended GitHub's methods."""

FAILED_PAYMENT_HOURS = 24.0


def perform(world: World, name: str, command: Command) -> str:
    """Do one of the page's actions and say what was done.

    Raises:
        ActionError: GitHub's pages wouldn't offer it.
    """
    values: dict[str, Any] = msgspec.structs.asdict(command)
    further = {"hours": FAILED_PAYMENT_HOURS} if name == "fail_payment" else {}
    getattr(world, name)(**values, **further)
    plan = values.get("plan")
    return ACTIONS[name][1].format(
        account=world.state.account(values["account"]).login, plan="" if plan is None else world.state.plan(plan).name
    )


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
    return f"It is now {now.day} {now:%b %Y, %H:%M} UTC."
