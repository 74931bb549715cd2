"""`tallyhook alarms`: what wants a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.failures import CommandError
from bot.cli.options import Actor, AsJson, Limit, examples, group
from bot.cli.output import print_json, print_lines, print_table, readable_time, rfc3339

if TYPE_CHECKING:
    from storage.alarms import AlarmRow

alarms = group(
    "Look at what wants a person.",
    "tallyhook alarms list",
    "tallyhook alarms ack unknown_plan plan:1313",
)


@alarms.command("list", epilog=examples("tallyhook alarms list", "tallyhook alarms list --all --json"))
def list_(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are over, or that somebody took note of.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the alarms that want a person, the newest first."""
    from bot.cli.database import with_database

    rows = with_database(lambda session: session.database.alarms.list(include_acked=everything))[:limit]
    if as_json:
        print_json([alarm_record(row) for row in rows])
        return
    cells = [
        (row.kind, row.subject, readable_time(row.last_at), str(row.count), _stands(row), row.detail) for row in rows
    ]
    columns = ("KIND", "SUBJECT", "LAST", "TIMES", "STATE", "WHAT TO DO")
    print_table(columns, cells, empty="Nothing wants a person.", numbers=("TIMES",))


@alarms.command("ack", epilog=examples("tallyhook alarms ack unknown_plan plan:1313"))
def ack(
    kind: Annotated[str, typer.Argument(help="As `alarms list` shows it.")],
    subject: Annotated[str, typer.Argument(help="As `alarms list` shows it.")],
    *,
    actor: Actor = "",
    as_json: AsJson = False,
) -> None:
    """Take note of an alarm.

    It is listed again only if it is raised anew.
    """
    from bot.cli.actors import actor_name
    from bot.cli.database import with_database

    name = actor_name(actor)
    if not with_database(lambda session: session.database.alarms.ack(kind, subject, name)):
        raise CommandError(f"There is no alarm {kind} {subject}.", "See `tallyhook alarms list`.")
    if as_json:
        print_json({"kind": kind, "subject": subject, "acked_by": name})
    else:
        print_lines([f"{kind} {subject}: noted by {name}"])


def alarm_record(row: "AlarmRow") -> dict[str, Any]:
    """Return an alarm as lists print it."""
    return {
        "kind": row.kind,
        "subject": row.subject,
        "detail": row.detail,
        "first_at": rfc3339(row.first_at),
        "last_at": rfc3339(row.last_at),
        "count": row.count,
        "notified_at": rfc3339(row.notified_at),
        "acked_at": rfc3339(row.acked_at),
        "acked_by": row.acked_by or None,
        "recovered_at": rfc3339(row.recovered_at),
    }


def _stands(row: "AlarmRow") -> str:
    """Return how an alarm stands, for people."""
    if row.recovered_at:
        return "over"
    return f"noted by {row.acked_by}" if row.acked_at else "open"
