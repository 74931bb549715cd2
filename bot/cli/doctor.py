"""`tallyhook doctor`: is everything as it should be, and what to do about what isn't."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failures import EXIT_FAILED, CommandError, WrongUseError
from bot.cli.options import AsJson, examples

if TYPE_CHECKING:
    from billing.plans import PlanCatalog
    from billing.ports import Clock
    from bot.cli.checks import Check
    from bot.settings import CommandSettings

EXAMPLES = examples(
    "tallyhook doctor",
    "tallyhook doctor --json",
    "tallyhook doctor --settings-only",
    "tallyhook doctor --settings-only --file secret.json        of kubectl get secret -o json",
)


def doctor(
    *,
    settings_only: Annotated[
        bool, typer.Option("--settings-only", help="Only formats and lengths of the settings; touches nothing else.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="A settings file to check instead: .env, or a Kubernetes secret as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check everything, and say what to do about what fails.

    Settings, database, tables, webhooks, GitHub, the plans' links, mail and open alarms, one line each; exit 1 if any
    fails. No value of a setting is ever shown.
    """
    from bot.cli.checks import tell
    from bot.cli.checks_settings import check_settings

    if file is not None and not settings_only:
        raise WrongUseError("--file goes with --settings-only.", "Add --settings-only.")
    if settings_only:
        from bot.settings import read_settings_file

        checks = check_settings(None if file is None else read_settings_file(file))
    else:
        checks = _everything()
    if not tell(checks, as_json=as_json):
        raise typer.Exit(EXIT_FAILED)


def _everything() -> list["Check"]:
    """Check one thing after the other; what needs a thing that failed is left out, and says so."""
    import asyncio

    from bot.cli.checks import Verdict, failed, skipped
    from bot.cli.checks_database import check_schema
    from bot.cli.checks_settings import check_settings
    from bot.clock import SystemClock
    from bot.logs import set_up_logs
    from bot.settings import CommandSettings, SettingsError, read_settings

    checks = check_settings()
    try:
        settings = read_settings(CommandSettings)
    except SettingsError:
        return [*checks, skipped("database", "the settings have to be right first")]
    set_up_logs(level="error", form="console")
    plans, plans_check = _plans(settings)
    schema = check_schema(settings)
    checks += [plans_check, schema]
    clock = SystemClock()
    try:
        checks += asyncio.run(_outside(settings, plans, has_tables=schema.verdict is Verdict.OK, clock=clock))
    except CommandError as error:
        checks.append(failed("program", error.what, error.way_out))
    return checks


def _plans(settings: "CommandSettings") -> tuple["PlanCatalog | None", "Check"]:
    """Read the plan catalogue."""
    from billing.errors import InvalidPlanCatalogError
    from bot.cli.checks import failed, ok
    from bot.plans_file import read_plans

    try:
        plans = read_plans(settings.plans_file)
    except InvalidPlanCatalogError as error:
        return None, failed("plans", str(error), "Put it right in the file that PLANS_FILE names.")
    return plans, ok("plans", f"{len(plans.plans)} plans in {settings.plans_file}")


async def _outside(
    settings: "CommandSettings", plans: "PlanCatalog | None", *, has_tables: bool, clock: "Clock"
) -> list["Check"]:
    """Check what takes a connection."""
    from bot.cli.checks import skipped
    from bot.cli.checks_database import DatabaseFindings, check_content
    from bot.cli.checks_github import check_github
    from bot.cli.checks_mail import check_mail
    from bot.settings import ServerSettings, SettingsError, read_settings

    try:
        server = read_settings(ServerSettings)
    except SettingsError:
        server = None
    found = DatabaseFindings(checks=(skipped("database.content", "the tables have to be right first"),))
    if has_tables:
        has_marketplace = server is None or server.has_marketplace
        found = await check_content(settings, has_marketplace=has_marketplace, clock=clock)
    if server is None:
        return [*found.checks, skipped("github", "the settings have to be right first")]
    hook_is_used = "github" in found.routes_in_use
    return [
        *found.checks,
        *await check_github(server, plans, hook_is_used=hook_is_used, clock=clock),
        await check_mail(server),
    ]
