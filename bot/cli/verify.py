"""`tallyhook verify`: is the ledger whole?"""

from typing import TYPE_CHECKING

import typer

from bot.cli.failures import EXIT_FAILED
from bot.cli.options import AsJson, examples
from bot.cli.output import counting, print_json, print_lines

if TYPE_CHECKING:
    from bot.cli.database import Session
    from bot.cli.verifying import Report

EXAMPLES = examples("tallyhook verify", "tallyhook verify --json")


def verify(*, as_json: AsJson = False) -> None:
    """Check every hash chain, balance and grant.

    Goes through the whole journal, page by page, beside a running server, and tells the first offence; exits with 1 if
    there is one.
    """
    from bot.cli.database import with_database

    report = with_database(_verify)
    offence = report.offence
    if as_json:
        print_json(_record(report))
    elif offence is None:
        print_lines([f"{report.accounts} accounts with {report.entries} entries: everything holds."])
    else:
        where = f"entry {offence.seq}" if offence.seq else "the account"
        print_lines(
            [
                f"Broken: customer {report.customer_id}, account {offence.account_id}, {where}: {offence.problem}.",
                "Nothing was changed. Compare with a backup before anything is booked on this account.",
            ]
        )
    if offence is not None:
        raise typer.Exit(EXIT_FAILED)


async def _verify(session: "Session") -> "Report":
    """Go through everything, and show how far that is."""
    from bot.cli.verifying import Verification

    with counting("verifying") as show:
        return await Verification(
            session.database.reads,
            on_progress=lambda report: show(f"{report.accounts} accounts, {report.entries} entries"),
        ).run()


def _record(report: "Report") -> dict[str, object]:
    """Return the report for programs."""
    offence = report.offence
    return {
        "accounts": report.accounts,
        "entries": report.entries,
        "offence": None
        if offence is None
        else {
            "account_id": offence.account_id,
            "customer_id": report.customer_id,
            "entry": offence.seq or None,
            "problem": offence.problem,
        },
    }
