"""`tallyhook deliveries`: the inbox of webhooks, and handling one again."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.failures import CommandError
from bot.cli.options import LARGEST_ID, AsJson, Limit, examples, group
from bot.cli.output import print_fields, print_json, print_lines, print_table, readable_time, rfc3339

if TYPE_CHECKING:
    from storage.deliveries import DeliveryRow

deliveries = group(
    "Look at what came in, and handle it again.",
    "tallyhook deliveries list --state dead",
    "tallyhook deliveries show 41",
    "tallyhook deliveries replay 41 42",
)


State = Literal["received", "done", "ignored", "refused", "dead"]
Route = Literal["github", "github_marketplace"]
Ids = Annotated[
    list[int], typer.Argument(metavar="ID...", min=1, max=LARGEST_ID, help="As `deliveries list` shows them.")
]


@deliveries.command(
    "list",
    epilog=examples(
        "tallyhook deliveries list",
        "tallyhook deliveries list --state dead --json",
        "tallyhook deliveries list --route github_marketplace --limit 10",
    ),
)
def list_(
    *,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    route: Annotated[Route | None, typer.Option(help="Only those that came in here.")] = None,
    before: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_ID, metavar="ID", help="Only those older than this one.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest first."""
    from bot.cli.database import with_database

    rows = with_database(
        lambda session: session.database.inbox.list(state=state, route=route, limit=limit, before=before)
    )
    if as_json:
        print_json([delivery_record(row) for row in rows])
        return
    cells = [
        (
            str(row.id),
            readable_time(row.received_at),
            row.route,
            row.partition,
            f"{row.event}.{row.action}" if row.action else row.event,
            row.state.value,
            str(row.attempts),
            row.error,
        )
        for row in rows
    ]
    columns = ("ID", "RECEIVED", "ROUTE", "ABOUT", "EVENT", "STATE", "ATTEMPTS", "ERROR")
    print_table(columns, cells, empty="There are no such deliveries.", numbers=("ID", "ATTEMPTS"))


@deliveries.command("show", epilog=examples("tallyhook deliveries show 41", "tallyhook deliveries show 41 --json"))
def show(
    delivery: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID, help="As `deliveries list` shows it.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one delivery whole.

    With its body, for as long as that is kept.
    """
    from bot.cli.database import with_database

    row = with_database(lambda session: session.database.inbox.show(delivery))
    if row is None:
        raise CommandError(f"There is no delivery {delivery}.", "See `tallyhook deliveries list`.")
    record = delivery_record(row) | {
        "partition": row.partition,
        "repeats": row.repeats,
        "run_at": rfc3339(row.run_at),
        "finished_at": rfc3339(row.finished_at),
        "body": _body(row),
    }
    if as_json:
        print_json(record)
    else:
        print_fields([(name, _words(value)) for name, value in record.items() if name != "body"])
        print_lines(["", *_body_lines(record["body"])])


@deliveries.command("replay", epilog=examples("tallyhook deliveries replay 41", "tallyhook deliveries replay 41 42 43"))
def replay(ids: Ids, *, as_json: AsJson = False) -> None:
    """Handle deliveries again, whatever became of them.

    That is always safe: a delivery makes us ask GitHub what holds now, and nothing is granted twice.
    """
    from bot.cli.database import with_database

    replayed = sorted(with_database(lambda session: session.database.inbox.replay(ids)))
    missing = sorted(set(ids) - set(replayed))
    if as_json:
        print_json({"replayed": replayed, "missing": missing})
    elif replayed:
        print_lines([f"to be handled again: {', '.join(map(str, replayed))}"])
    if missing:
        raise CommandError(
            f"Delivery {', '.join(map(str, missing))} doesn't exist, or its body is no longer kept.",
            "See `tallyhook deliveries list`; any newer delivery of the account brings everything up to date, too.",
        )


def delivery_record(row: "DeliveryRow") -> dict[str, Any]:
    """Return a delivery as lists print it."""
    return {
        "id": row.id,
        "route": row.route,
        "delivery_id": row.delivery_id,
        "event": row.event,
        "action": row.action or None,
        "state": row.state.value,
        "attempts": row.attempts,
        "received_at": rfc3339(row.received_at),
        "error": row.error or None,
    }


def _body(row: "DeliveryRow") -> Any:  # noqa: ANN401 -- JSON holds anything
    """Return the delivery's JSON; None once the retention has dropped it."""
    import json
    import zlib

    return None if row.body is None else json.loads(zlib.decompress(row.body))


def _body_lines(body: Any) -> list[str]:  # noqa: ANN401 -- JSON holds anything
    """Return the body for people."""
    import json

    if body is None:
        return ["The body is no longer kept."]
    return json.dumps(body, indent=2, ensure_ascii=False).splitlines()


def _words(value: object) -> str:
    """Return a value for people."""
    return "-" if value is None else str(value)
