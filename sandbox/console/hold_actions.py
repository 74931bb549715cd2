"""What the page does with holds, as the vendor's app would: hold before the work, then capture or release."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sandbox.console.acting import Action, Said, Scene
from sandbox.console.stage_actions import AtDesk
from sandbox.github.control import Command


class EndHold(Command, kw_only=True):
    """End a hold of an account."""

    account: int
    hold: int


async def hold(scene: Scene, command: AtDesk) -> Said:
    """Set credits aside."""
    account = scene.world.state.account(command.account)
    return Said(message=await scene.desk.hold(account.id, command.credits))


async def capture(scene: Scene, command: EndHold) -> Said:
    """Use what is held."""
    account = scene.world.state.account(command.account)
    return Said(message=await scene.desk.capture(account.id, command.hold))


async def release(scene: Scene, command: EndHold) -> Said:
    """Give back what is held."""
    account = scene.world.state.account(command.account)
    return Said(message=await scene.desk.release(account.id, command.hold))


HOLD_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "hold": Action(kind=AtDesk, run=hold),
        "capture": Action(kind=EndHold, run=capture),
        "release": Action(kind=EndHold, run=release),
    }
)
"""The actions by their names."""
