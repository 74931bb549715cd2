"""What the page does to the whole: clock, faults, ready-made customers, starting over; and at the product itself."""

import asyncio
import calendar
import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec

from sandbox.console.acting import Action, Said, Scene, Undo
from sandbox.console.faults import FAULTS
from sandbox.console.focus import address
from sandbox.console.words import write_date
from sandbox.github.control import Command
from sandbox.github.errors import ActionError
from sandbox.scenarios import SCENARIOS

SETTLE_SECONDS: Final = 20.0
"""How long, in real time, the product may take to work off what a ready-made customer caused."""
LOOK_SECONDS: Final = 0.02
MONTHS_IN_A_YEAR: Final = 12
FARTHEST_JUMP: Final = dt.timedelta(days=3660)
"""Ten years: each month on the way is worked off, and beyond the calendar's end there is nothing."""
MOST_CREDITS: Final = 1_000_000


class Jump(Command, kw_only=True):
    """Move the clock forward: by so many seconds, by a month, or to a moment."""

    seconds: float | None = None
    months: Literal[1] | None = None
    to: dt.datetime | None = None


class SetFault(Command, kw_only=True):
    """Switch a fault on or off: one of `faults.FAULTS`."""

    fault: str
    on: bool


class PutInto(Command, kw_only=True):
    """Make a customer in a state: one of `scenarios.SCENARIOS`."""

    scenario: str


class AtDesk(Command, kw_only=True):
    """Give or use credits."""

    account: int
    credits: Annotated[int, msgspec.Meta(ge=1, le=MOST_CREDITS)]


class Choose(Command, kw_only=True):
    """Choose whether figures are shown in public."""

    account: int
    shown: bool


async def jump(scene: Scene, command: Jump) -> Said:
    """Move the clock and say what time it is."""
    clock = scene.world.clock
    try:
        step = _step(command, clock.now())
        if step > FARTHEST_JUMP:
            raise ActionError("a jump goes ten years at most")
        clock.advance(seconds=step.total_seconds())
    except (ValueError, OverflowError) as error:
        raise ActionError(str(error)) from error
    scene.world.catch_up()
    now = clock.now()
    return Said(message=f"It is now {write_date(now)}, {now:%H:%M} UTC.")


async def set_fault(scene: Scene, command: SetFault) -> Said:
    """Switch a fault on or off."""
    fault = FAULTS.get(command.fault)
    if fault is None:
        raise ActionError(f"there is no fault {command.fault!r}")
    if not command.on:
        return Said(message=scene.switchboard.end(fault))
    undo = Undo(label="Switch off", action="set_fault", values={"fault": fault.name, "on": False})
    return Said(message=scene.switchboard.begin(fault), undo=undo)


async def end_faults(scene: Scene, _command: Command) -> Said:
    """Switch everything off."""
    return Said(message=scene.switchboard.end_all())


async def release_webhooks(scene: Scene, _command: Command) -> Said:
    """Send what was held back, the last one first."""
    return Said(message=scene.switchboard.release())


async def put_into(scene: Scene, command: PutInto) -> Said:
    """Make a customer in a state, and go there."""
    scenario = SCENARIOS.get(command.scenario)
    if scenario is None:
        raise ActionError(f"there is no state {command.scenario!r}")

    async def settle() -> None:
        await scene.world.settle()
        async with asyncio.timeout(SETTLE_SECONDS):
            while not await scene.inspector.is_at_rest():  # noqa: ASYNC110 -- an end of work rings no bell
                await asyncio.sleep(LOOK_SECONDS)

    known = set(scene.world.state.accounts)
    try:
        account = await scenario.run(scene.world, settle)
    except TimeoutError as error:
        raise ActionError("Tallyhook didn't come to rest; is a fault switched on?") from error
    scene.cast.leave_out(set(scene.world.state.accounts) - known - {account.id})
    scene.cast.furnish(account)
    return Said(message=f"{account.login} is ready: {scenario.description}", go=address(account))


async def start_over(scene: Scene, _command: Command) -> Said:
    """Begin anew; the open pages notice when it is done."""
    scene.start_over()
    return Said(message="Starting over …")


async def grant(scene: Scene, command: AtDesk) -> Said:
    """Give credits."""
    account = scene.world.state.account(command.account)
    return Said(message=await scene.desk.grant(account.id, command.credits))


async def spend(scene: Scene, command: AtDesk) -> Said:
    """Use credits."""
    account = scene.world.state.account(command.account)
    return Said(message=await scene.desk.spend(account.id, command.credits))


async def show_figures(scene: Scene, command: Choose) -> Said:
    """Choose whether figures are shown in public repositories."""
    account = scene.world.state.account(command.account)
    said = await scene.desk.show_figures(account.id, command.shown)
    values = {"account": account.id, "shown": not command.shown}
    return Said(message=said, undo=Undo(label="Undo", action="show_figures", values=values))


def _step(command: Jump, now: dt.datetime) -> dt.timedelta:
    """Return how far a jump goes.

    Raises:
        ValueError: The moment has no time zone.
        OverflowError: It is longer than there is time.
    """
    if command.to is not None:
        if command.to.tzinfo is None:
            raise ValueError("a moment to go to has a time zone")
        return command.to - now
    if command.months is not None:
        return _a_month_after(now) - now
    return dt.timedelta(seconds=command.seconds or 0.0)


def _a_month_after(moment: dt.datetime) -> dt.datetime:
    """Return the same day of the next month, or its last day."""
    year, month = (moment.year + 1, 1) if moment.month == MONTHS_IN_A_YEAR else (moment.year, moment.month + 1)
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


STAGE_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "jump": Action(kind=Jump, run=jump),
        "set_fault": Action(kind=SetFault, run=set_fault),
        "end_faults": Action(kind=Command, run=end_faults),
        "release_webhooks": Action(kind=Command, run=release_webhooks),
        "put_into": Action(kind=PutInto, run=put_into),
        "start_over": Action(kind=Command, run=start_over),
        "grant": Action(kind=AtDesk, run=grant),
        "spend": Action(kind=AtDesk, run=spend),
        "show_figures": Action(kind=Choose, run=show_figures),
    }
)
"""The actions by their names."""
