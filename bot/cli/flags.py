"""`tallyhook flags`: switches that act in every process at once, the kill switch among them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.failures import WrongUseError
from bot.cli.options import Actor, AsJson, Limit, examples, group
from bot.cli.output import print_json, print_lines, print_table, readable_time, rfc3339, say

if TYPE_CHECKING:
    from bot.cli.database import Session
    from storage.flags import Flag, FlagRow

flags = group(
    "Look at the flags, and set them.",
    "tallyhook flags list",
    "tallyhook flags set billing_enabled off",
)


@flags.command("list", epilog=examples("tallyhook flags list", "tallyhook flags list --json"))
def list_(*, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the flags, and how each stands."""
    from bot.cli.database import with_database

    rows = with_database(lambda session: session.database.flags.list())[:limit]
    if as_json:
        print_json([flag_record(row) for row in rows])
        return
    cells = [(row.flag.value, _value(on=row.is_on), readable_time(row.set_at), row.set_by or "-") for row in rows]
    print_table(("FLAG", "VALUE", "SET", "BY"), cells, empty="There are no flags.")


@flags.command(
    "set",
    epilog=examples(
        "tallyhook flags set billing_enabled off",
        'tallyhook flags set billing_enabled on --actor "Ada" --json',
    ),
)
def set_(
    name: Annotated[str, typer.Argument(metavar="FLAG", help="As `flags list` shows it.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="on or off.")],
    *,
    actor: Actor = "",
    as_json: AsJson = False,
) -> None:
    """Set a flag, in every process at once.

    billing_enabled is the kill switch: while it is off nothing is charged, and no spend is refused for want of credits
    or payment. What the credits don't cover is waived, and never asked for later.
    """
    from bot.cli.actors import actor_name
    from bot.cli.database import with_database

    flag, on, by = _flag(name), _is_on(value), actor_name(actor)
    before, setting_is_on = with_database(lambda session: _set(session, flag, on=on, by=by))
    if as_json:
        print_json({"flag": flag.value, "before": _value(on=before), "value": _value(on=on), "set_by": by})
    else:
        print_lines([f"{flag}: {_value(on=before)} -> {_value(on=on)}, set by {by}"])
    if not on:
        say("Billing is off from now on: nothing is charged, and what the credits don't cover is waived.")
    elif not setting_is_on:
        say("BILLING_ENABLED is false here: processes that have that setting don't bill, whatever the flag says.")


async def _set(session: "Session", flag: "Flag", *, on: bool, by: str) -> tuple[bool, bool]:
    """Set a flag. Return whether it was on before, and whether this machine's setting lets us bill."""
    before = await session.database.flags.set(flag, on=on, by=by)
    return before.is_on, session.settings.billing_enabled


def flag_record(row: "FlagRow") -> dict[str, Any]:
    """Return a flag as lists print it."""
    return {
        "flag": row.flag.value,
        "value": _value(on=row.is_on),
        "set_at": rfc3339(row.set_at),
        "set_by": row.set_by or None,
    }


def _value(*, on: bool) -> str:
    """Return a flag's value in a word."""
    return "on" if on else "off"


def _flag(name: str) -> "Flag":
    """Return the flag of this name.

    Raises:
        WrongUseError: there is none.
    """
    from storage.flags import Flag

    if name not in set(Flag):
        raise WrongUseError(f"There is no flag {name!r}.", f"There is {', '.join(Flag)}.")
    return Flag(name)


def _is_on(value: str) -> bool:
    """Return what a value says.

    Raises:
        WrongUseError: it says neither.
    """
    values = {"on": True, "off": False}
    if value not in values:
        raise WrongUseError(f"A flag can't be {value!r}.", "Give on or off.")
    return values[value]
