"""`tallyhook serve` and `tallyhook work`: the server, with the worker inside or beside it."""

from typing import Annotated

import typer

from bot.cli.options import examples

SERVE_EXAMPLES = examples(
    "tallyhook serve",
    "tallyhook serve --host 0.0.0.0 --port 8080",
    "tallyhook serve --no-worker        beside tallyhook work, on PostgreSQL",
)
WORK_EXAMPLES = examples("tallyhook work")


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on, instead of HOST.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on, instead of PORT; 0: a free one.")
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave the work to `tallyhook work`; needs PostgreSQL.")
    ] = False,
) -> None:
    """Run the web server, and the worker inside it.

    Stops on SIGTERM or Ctrl-C, after finishing what is under way.
    """
    from bot.cli.serving import run_server

    run_server(host=host, port=port, has_worker=not no_worker)


def work() -> None:
    """Run a worker only, beside servers; needs PostgreSQL.

    As many as you like may run against one database. Stops on SIGTERM or Ctrl-C, after finishing what is under way.
    """
    from bot.cli.serving import run_worker

    run_worker()
