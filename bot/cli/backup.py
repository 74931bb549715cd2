"""`tallyhook backup`: the database into one file beside a running server, or all of it from SQLite to PostgreSQL."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failures import WrongUseError
from bot.cli.options import AsJson, examples
from bot.cli.output import counting, ledger_in_words, print_json, print_lines, rfc3339, say

if TYPE_CHECKING:
    from bot.cli.backing_up import Copied

EXAMPLES = examples(
    "tallyhook backup /backups/tallyhook-monday.db",
    "tallyhook backup /backups/latest.db --force               put it in the place of an older one",
    "tallyhook backup --to-url postgresql://me@db.example/tallyhook   move from SQLite to PostgreSQL",
)


def backup(
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", show_default=False, help="The backup's file; it must be new.")
    ] = None,
    to_url: Annotated[
        str,
        typer.Option(
            metavar="URL", envvar="TO_DATABASE_URL", help="Move to this PostgreSQL database instead; it must be empty."
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Back up the whole database, or move it to PostgreSQL.

    FILE holds everything as it stood at one moment, on PostgreSQL too, and is checked before it gets its name: every
    hash chain, balance and index. It is there whole or not at all. Servers go on meanwhile. `tallyhook restore` puts it
    back, on either engine.

    --to-url moves a SQLite database, which must not be served meanwhile, all or nothing. It is left as it is.
    """
    if (file is None) == (not to_url):
        raise WrongUseError("It takes either FILE or --to-url.", "See `tallyhook backup --help`.")
    if file is None:
        _move(to_url, as_json=as_json)
    else:
        _back_up(file, force=force, as_json=as_json)


def _back_up(file: Path, *, force: bool, as_json: bool) -> None:
    from bot.cli.backing_up import back_up
    from bot.cli.proving import Prover
    from bot.cli.reaching import database_url, reaching_the_database
    from bot.clock import SystemClock
    from bot.settings import CommandSettings, read_settings

    settings = read_settings(CommandSettings)
    with reaching_the_database(), counting("backing up") as show:
        prover = Prover.of(settings, clock=SystemClock(), show=show)
        copied = back_up(database_url(settings), file, replace=force, prover=prover)
    if as_json:
        size = file.stat().st_size
        print_json({"file": str(file), "bytes": size, "made_at": rfc3339(copied.made_at), **_record(copied)})
    else:
        print_lines([f"{file} holds {_in_words(copied)}: everything holds."])


def _move(to_url: str, *, as_json: bool) -> None:
    from bot.cli.moving import move
    from bot.cli.proving import Prover
    from bot.cli.reaching import database_url, reaching_the_database
    from bot.clock import SystemClock
    from bot.settings import CommandSettings, read_settings
    from bot.settings.addresses import database_address

    try:
        address = database_address(to_url)
    except ValueError as error:
        raise WrongUseError(f"--to-url {error}.", "Give it as postgresql://user:password@host:5432/name.") from error
    settings = read_settings(CommandSettings)
    with reaching_the_database(), counting("moving") as show:
        prover = Prover.of(settings, clock=SystemClock(), show=show)
        copied = move(database_url(settings), address, prover=prover)
    if as_json:
        print_json(_record(copied))
    else:
        print_lines([f"Moved {_in_words(copied)}: everything holds, there as here."])
    say("Set DATABASE_URL to the new address before anything is started. The SQLite file is left as it was: keep it")
    say("for a while, but start no server on it, since nothing would tell the two apart.")


def _record(copied: "Copied") -> dict[str, object]:
    """Return what was copied, for programs."""
    return {
        "revision": copied.revision,
        "accounts": copied.accounts,
        "entries": copied.entries,
        "rows": {name: content.rows for name, content in copied.tables.items()},
    }


def _in_words(copied: "Copied") -> str:
    rows = sum(content.rows for content in copied.tables.values())
    ledger = ledger_in_words(copied.accounts, copied.entries)
    return f"{rows} rows, {ledger} among them, at revision {copied.revision}"
