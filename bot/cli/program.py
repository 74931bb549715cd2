"""The program's commands, and the one place where its failures become words and an exit code."""

from typing import Any, Final

import typer
from typer.core import TyperGroup
from typing_extensions import override

from bot.cli import backup, checkpoint, doctor, migrate, restore, serve, setup, verify
from bot.cli.alarms import alarms
from bot.cli.credits import credits_
from bot.cli.customers import customers
from bot.cli.deliveries import deliveries
from bot.cli.effects import effects
from bot.cli.failures import explained
from bot.cli.flags import flags
from bot.cli.options import HELP_NAMES, examples
from bot.cli.output import tell_failure
from bot.cli.sandbox_options import EXAMPLES as SANDBOX_EXAMPLES
from bot.cli.sandbox_options import sandbox


class Program(TyperGroup):
    """The root of all commands."""

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command; tell what a person can act on in words, and let a bug escape."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = explained(error)
            if known is None:
                raise
            tell_failure(known)
            raise typer.Exit(known.exit_code) from error


program: Final = typer.Typer(
    cls=Program,
    help="The billing back end of a GitHub App: plans and credits, from GitHub Marketplace to the last credit.",
    epilog=examples(
        "tallyhook sandbox                      try everything, with no account anywhere",
        "tallyhook setup                        register the GitHub App and write the settings",
        "tallyhook doctor                       check everything, and say what to do",
        "tallyhook credits explain github:@acme",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)
program.command(epilog=SANDBOX_EXAMPLES)(sandbox)
program.command(epilog=serve.SERVE_EXAMPLES)(serve.serve)
program.command(epilog=serve.WORK_EXAMPLES)(serve.work)
program.command(epilog=setup.EXAMPLES)(setup.setup)
program.command(epilog=doctor.EXAMPLES)(doctor.doctor)
program.command(epilog=migrate.EXAMPLES)(migrate.migrate)
program.add_typer(customers, name="customers")
program.add_typer(credits_, name="credits")
program.add_typer(deliveries, name="deliveries")
program.add_typer(effects, name="effects")
program.add_typer(alarms, name="alarms")
program.add_typer(flags, name="flags")
program.command(epilog=verify.EXAMPLES)(verify.verify)
program.command(epilog=checkpoint.EXAMPLES)(checkpoint.checkpoint)
program.command(epilog=backup.EXAMPLES)(backup.backup)
program.command(epilog=restore.EXAMPLES)(restore.restore)
