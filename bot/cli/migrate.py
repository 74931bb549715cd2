"""`tallyhook migrate`: the database's tables, forward, back, and where they stand."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failures import EXIT_FAILED, CommandError, WrongUseError
from bot.cli.options import AsJson, Yes, examples
from bot.cli.output import print_json, print_lines, say
from bot.cli.questions import require_yes

if TYPE_CHECKING:
    from storage.migrating import SchemaStatus

EXAMPLES = examples(
    "tallyhook migrate",
    "tallyhook migrate --status",
    "tallyhook migrate --down base --yes        drop every table",
)


def migrate(
    *,
    status: Annotated[bool, typer.Option("--status", help="Only tell the revision; exit 1 if it is old.")] = False,
    down: Annotated[str, typer.Option(metavar="REVISION", help="Go back to this revision; base drops all.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the newest tables.

    What it holds is kept. A server that runs on the same SQLite file has to be stopped before. On PostgreSQL the new
    tables take effect at once, and servers of the older version go on until they are replaced.
    """
    from bot.cli.reaching import database_url, reaching_the_database
    from bot.settings import CommandSettings, read_settings
    from storage import migrating

    if status and down:
        raise WrongUseError("--status and --down don't go together.", "Leave one of them out.")
    url = database_url(read_settings(CommandSettings))
    with reaching_the_database():
        if status:
            _tell(migrating.status(url), as_json=as_json)
        elif down:
            _go_back(url, down, yes=yes, as_json=as_json)
        else:
            before = migrating.status(url)
            after = migrating.upgrade(url) if not before.is_newer else before
            say("The tables were up to date." if before.current == after.current else "The tables are migrated.")
            _tell(after, as_json=as_json)


def _go_back(url: str, revision: str, *, yes: bool, as_json: bool) -> None:
    """Go back to a revision, after a yes."""
    from alembic.util import CommandError as AlembicError

    from storage import migrating

    now = migrating.status(url)
    say(f"The database is at revision {now.current or 'base'}. Going back drops what later revisions hold.")
    require_yes(f"Go back to {revision}?", yes=yes)
    try:
        _tell(migrating.downgrade(url, revision), as_json=as_json, may_be_old=True)
    except AlembicError as error:
        raise CommandError(
            f"Revision {revision}: {error}.", "Name one of this version's revisions, or base."
        ) from error


def _tell(status: "SchemaStatus", *, as_json: bool, may_be_old: bool = False) -> None:
    """Print where the tables stand; exit with 1 where this version can't run on them."""
    if as_json:
        print_json(
            {
                "current": status.current,
                "head": status.head,
                "is_current": status.is_current,
                "is_newer": status.is_newer,
            }
        )
    else:
        print_lines([f"revision {status.current or 'base'}; this version needs {status.head}"])
    if not status.is_current and not may_be_old:
        say("Run the version that made them." if status.is_newer else "Run `tallyhook migrate`.")
        raise typer.Exit(EXIT_FAILED)
