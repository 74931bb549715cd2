"""`tallyhook customers`: who they are, and everything about one."""

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.options import AsJson, Limit, Reference, examples, group
from bot.cli.output import print_fields, print_json, print_lines, print_table, readable_day, readable_time

if TYPE_CHECKING:
    from bot.cli.database import Session

customers = group(
    "Look at customers, and note what they chose.", "tallyhook customers list", "tallyhook customers show github:@acme"
)

_COLUMNS = ("ID", "GITHUB ACCOUNT", "LOGIN", "PLAN", "CREDITS", "SOURCE")


class Figures(enum.StrEnum):
    """Whether figures are shown in public repositories."""

    SHOWN = "shown"
    HIDDEN = "hidden"


@customers.command("list", epilog=examples("tallyhook customers list", "tallyhook customers list --limit 1000 --json"))
def list_(*, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List customers, the newest first."""
    from bot.cli.database import with_database

    rows = with_database(lambda session: _newest(session, limit))
    if as_json:
        print_json(rows)
        return
    cells = [
        (
            str(row["id"]),
            str(row["github_account_id"]),
            row["github_login"] or "-",
            row["plan"],
            str(row["credits"]["available"]),
            row["source"],
        )
        for row in rows
    ]
    print_table(_COLUMNS, cells, empty="There are no customers yet.", numbers=("ID", "GITHUB ACCOUNT", "CREDITS"))


@customers.command(
    "show",
    epilog=examples(
        "tallyhook customers show 12",
        "tallyhook customers show github:583231",
        "tallyhook customers show github:@octocat --json",
    ),
)
def show(reference: Reference, *, as_json: AsJson = False) -> None:
    """Show everything about one customer.

    The plan, the subscriptions behind it, the credits and their grants, the installations.
    """
    from bot.cli.database import with_database

    record = with_database(lambda session: _whole(session, reference))
    if as_json:
        print_json(record)
    else:
        _print_customer(record)


@customers.command(
    "figures",
    epilog=examples(
        "tallyhook customers figures github:@octocat shown",
        "tallyhook customers figures 12 hidden --json",
    ),
)
def figures(
    reference: Reference,
    choice: Annotated[Figures, typer.Argument(metavar="shown|hidden", help="What the account has chosen.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Choose whether public repositories are told figures.

    It is the account's choice: an answer to a comment there can be read by everybody. Without it a word is told, such
    as "enough", and never a number. Private repositories always get the figures.
    """
    from bot.cli.figures import choose

    choose(reference, shown=choice is Figures.SHOWN, as_json=as_json)


async def _newest(session: "Session", limit: int) -> list[dict[str, Any]]:
    """Return the newest customers as rows."""
    from bot.cli.customer_record import customer_row

    states = await session.database.reads.customers(limit=limit)
    now = session.clock.now()
    return [customer_row(state, session.plans, now=now) for state in states]


async def _whole(session: "Session", reference: str) -> dict[str, Any]:
    """Return one customer whole."""
    from bot.cli.customer_record import customer_record

    return customer_record(await session.whole_customer(reference), session.plans, now=session.clock.now())


def _print_customer(record: dict[str, Any]) -> None:
    """Print a customer for people."""
    balance = record["credits"]
    print_fields(
        [
            ("customer", str(record["id"])),
            ("GitHub account", f"{record['github_account_id']} ({record['github_login'] or 'login unknown'})"),
            ("known from", record["source"]),
            ("plan", record["plan"]),
            ("credits", f"{balance['available']} available, {balance['held']} held, {balance['debt']} owed"),
            ("figures", f"{'shown' if record['figures_in_public'] else 'hidden'} in public repositories"),
        ]
    )
    for each in record["subscriptions"]:
        print_lines(["", *_subscription_lines(each)])
    if balance["grants"]:
        print_lines([""])
        print_table(
            ("GRANT", "ORIGIN", "CATEGORY", "AMOUNT", "REMAINING", "HELD", "EXPIRES"),
            [
                (
                    str(grant["id"]),
                    grant["origin"],
                    grant["category"],
                    str(grant["amount"]),
                    str(grant["remaining"]),
                    str(grant["held"]),
                    _time(grant["expires_at"], never="never"),
                )
                for grant in balance["grants"]
            ],
            empty="",
            numbers=("GRANT", "AMOUNT", "REMAINING", "HELD"),
        )
    if record["installations"]:
        print_lines([""])
        print_table(
            ("INSTALLATION", "STATE", "REPOSITORIES", "SINCE"),
            [
                (str(each["id"]), each["state"], each["repository_selection"], _time(each["created_at"]))
                for each in record["installations"]
            ],
            empty="",
        )


def _subscription_lines(subscription: dict[str, Any]) -> list[str]:
    """Return a subscription in words."""
    lines = [f"{subscription['provider']}: {subscription['plan'] or 'unknown plan'}, {subscription['state']}"]
    if subscription["current_period_end"]:
        lines.append(f"  the running period ends on {_day(subscription['current_period_end'])}")
    when = _day(subscription["pending_effective_at"])
    if subscription["cancel_at_period_end"]:
        lines.append(f"  it ends on {when}")
    elif subscription["pending_plan"]:
        lines.append(f"  it changes to {subscription['pending_plan']} on {when}")
    return lines


def _time(moment: str | None, *, never: str = "-") -> str:
    """Return a record's time for people."""
    return readable_time(None if moment is None else datetime.fromisoformat(moment), never=never)


def _day(moment: str | None) -> str:
    """Return the time of a record that lies at a day's beginning, for people."""
    return readable_day(None if moment is None else datetime.fromisoformat(moment), never="an unknown day")
