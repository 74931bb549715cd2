"""`tallyhook restore`: a backup back into the database that DATABASE_URL names."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import AsJson, Yes, examples
from bot.cli.output import counting, ledger_in_words, print_json, print_lines, readable_time, rfc3339, say

if TYPE_CHECKING:
    from bot.cli.restoring import Restored

EXAMPLES = examples(
    "tallyhook restore /backups/tallyhook-monday.db",
    "tallyhook restore /backups/tallyhook-monday.db --force      replace a database that has data, after asking",
    "tallyhook restore /backups/tallyhook-monday.db --json",
)


def restore(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `tallyhook backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a SQLite database that has data; it is kept beside.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database.

    FILE is checked from end to end before anything is touched, brought to this version's tables if it has older ones,
    and verified again once it is in place. FILE itself is left as it is. On SQLite the server has to be stopped, and
    what was there is kept beside under a name that is told. On PostgreSQL the database has to be empty.
    """
    from bot.cli.proving import Prover
    from bot.cli.questions import require_yes
    from bot.cli.reaching import database_url, reaching_the_database
    from bot.cli.restoring import require_room, restore_into
    from bot.clock import SystemClock
    from bot.settings import CommandSettings, read_settings

    settings = read_settings(CommandSettings)
    address = database_url(settings)
    with reaching_the_database():
        data = require_room(address, file, replace=force)
        if data:
            say(f"The database has data: {data}. It will be replaced, and kept beside under another name.")
            require_yes(f"Replace it by {file}?", yes=yes)
        with counting("restoring") as show:
            prover = Prover.of(settings, clock=SystemClock(), show=show)
            restored = restore_into(address, file, replace=force, prover=prover)
    _tell(restored, as_json=as_json)


def _tell(restored: "Restored", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "file": str(restored.file),
                "made_at": rfc3339(restored.made_at),
                "revision": restored.revision,
                "migrated_from": restored.migrated_from,
                "replaced": None if restored.kept is None else str(restored.kept),
                "accounts": restored.accounts,
                "entries": restored.entries,
            }
        )
    else:
        made = "" if restored.made_at is None else f", as of {readable_time(restored.made_at)}"
        ledger = ledger_in_words(restored.accounts, restored.entries)
        print_lines([f"Restored {ledger}{made}: everything holds."])
    if restored.made_at is None:
        say(f"{restored.file} has no seal of `tallyhook backup`: its pages and its ledger were checked, not every row.")
    if restored.migrated_from is not None:
        say(f"It was at revision {restored.migrated_from} and was brought to {restored.revision}.")
    if restored.kept is not None:
        say(f"What was there before is kept as {restored.kept}.")
