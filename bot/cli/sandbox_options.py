"""`tallyhook sandbox`: everything on this machine, with no account anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import examples

EXAMPLES = examples(
    "tallyhook sandbox",
    "tallyhook sandbox --port 9000 --console-port 9001",
    "tallyhook sandbox --database var/sandbox.db        keep what happened",
)


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on; loopback only.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="PORT", help="The server's port; 0: a free one.")
    ] = 8000,
    console_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="The console's port; 0: a free one; without it, the one after --port, or any if there is none.",
        ),
    ] = None,
    database: Annotated[
        Path | None, typer.Option(help="Keep the database in this SQLite file; without it, it goes with the sandbox.")
    ] = None,
    plans: Annotated[
        Path | None, typer.Option(help="The plan catalogue; without it, plans.toml, here or as it was shipped.")
    ] = None,
    log_level: Annotated[str, typer.Option(envvar="LOG_LEVEL", help="debug, info, warning or error.")] = "warning",
) -> None:
    """Try everything on this machine, with no account anywhere.

    Runs the server on an embedded database, a stand-in for GitHub that it talks to, and a console page on which
    accounts install, buy, change and cancel, people ask in threads and are answered, time can be moved, and things go
    wrong. Nothing leaves this machine, and no setting of yours is read but PORT and LOG_LEVEL.
    """
    from bot.cli.sandbox import SandboxOptions, run_sandbox

    run_sandbox(
        SandboxOptions(
            host=host, port=port, console_port=console_port, database=database, plans=plans, log_level=log_level
        )
    )
