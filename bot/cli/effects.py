"""`tallyhook effects`: the outbox of what is sent, and sending again what couldn't be."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.failures import CommandError
from bot.cli.options import LARGEST_ID, AsJson, Limit, examples, group
from bot.cli.output import print_fields, print_json, print_lines, print_table, readable_time, rfc3339

if TYPE_CHECKING:
    from storage.effects import EffectRow

effects = group(
    "Look at what goes out, and send it again.",
    "tallyhook effects list --state dead",
    "tallyhook effects show 7",
    "tallyhook effects retry 7",
)


State = Literal["pending", "done", "ignored", "refused", "dead"]


@effects.command(
    "list", epilog=examples("tallyhook effects list", "tallyhook effects list --state dead --limit 10 --json")
)
def list_(
    *,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    before: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_ID, metavar="ID", help="Only those older than this one.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List effects, the newest first."""
    from bot.cli.database import with_database

    rows = with_database(lambda session: session.database.outbox.list(state=state, limit=limit, before=before))
    if as_json:
        print_json([effect_record(row) for row in rows])
        return
    cells = [
        (str(row.id), readable_time(row.created_at), row.topic, row.key, row.state.value, str(row.attempts), row.error)
        for row in rows
    ]
    columns = ("ID", "CREATED", "TOPIC", "KEY", "STATE", "ATTEMPTS", "ERROR")
    print_table(columns, cells, empty="There are no such effects.", numbers=("ID", "ATTEMPTS"))


@effects.command("show", epilog=examples("tallyhook effects show 7", "tallyhook effects show 7 --json"))
def show(
    effect: Annotated[int, typer.Argument(metavar="ID", min=1, max=LARGEST_ID, help="As `effects list` shows it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one effect whole. A payload that isn't JSON is told by its size."""
    from bot.cli.database import with_database

    row = with_database(lambda session: session.database.outbox.show(effect))
    if row is None:
        raise CommandError(f"There is no effect {effect}.", "See `tallyhook effects list`.")
    record = effect_record(row) | {"payload": _payload(row), "payload_bytes": len(row.payload)}
    if as_json:
        print_json(record)
    else:
        print_fields([(name, "-" if value is None else str(value)) for name, value in record.items()])


@effects.command("retry", epilog=examples("tallyhook effects retry 7", "tallyhook effects retry 7 8 --json"))
def retry(
    ids: Annotated[
        list[int],
        typer.Argument(metavar="ID...", min=1, max=LARGEST_ID, help="Dead ones, as `effects list` shows them."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Send dead effects again."""
    from bot.cli.database import with_database

    retried = sorted(with_database(lambda session: session.database.outbox.retry_dead(ids)))
    missing = sorted(set(ids) - set(retried))
    if as_json:
        print_json({"retried": retried, "missing": missing})
    elif retried:
        print_lines([f"to be sent again: {', '.join(map(str, retried))}"])
    if missing:
        raise CommandError(
            f"There is no dead effect {', '.join(map(str, missing))}.", "See `tallyhook effects list --state dead`."
        )


def effect_record(row: "EffectRow") -> dict[str, Any]:
    """Return an effect as lists print it."""
    return {
        "id": row.id,
        "topic": row.topic,
        "key": row.key,
        "dedupe_key": row.dedupe_key,
        "state": row.state.value,
        "attempts": row.attempts,
        "created_at": rfc3339(row.created_at),
        "run_at": rfc3339(row.run_at),
        "finished_at": rfc3339(row.finished_at),
        "error": row.error or None,
    }


def _payload(row: "EffectRow") -> Any:  # noqa: ANN401 -- JSON holds anything
    """Return the payload if it is JSON, else None: a passed-on delivery is bytes, and somebody else's."""
    import json

    try:
        return json.loads(row.payload)
    except ValueError:
        return None
