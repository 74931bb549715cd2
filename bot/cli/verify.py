"""`tallyhook verify`: is the ledger whole?"""

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot.cli.failures import EXIT_FAILED, WrongUseError
from bot.cli.options import AsJson, examples
from bot.cli.output import counting, ledger_in_words, print_json, print_lines, so_many

if TYPE_CHECKING:
    from billing.ledger.checkpoints import Checkpoint, CheckpointOffence, Expectation
    from billing.ledger.verify import Offence
    from bot.cli.database import Session
    from bot.cli.verifying import Report

EXAMPLES = examples("tallyhook verify", "tallyhook verify --expect 812:9f2c…", "tallyhook verify --json")

EXPECTED: Final = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})", re.ASCII)

Expected = Annotated[
    list[str],
    typer.Option(
        "--expect",
        metavar="NUMBER:DIGEST",
        help="A checkpoint's digest that was kept outside; it must still be that. May be given several times.",
    ),
]


def verify(*, expect: Expected = [], as_json: AsJson = False) -> None:  # noqa: B006 - typer copies its defaults
    """Check every hash chain, balance, grant and checkpoint.

    Goes through the whole journal, page by page, beside a running server, and through all checkpoints; tells the first
    offence, and exits with 1 if there is one.
    """
    from bot.cli.database import with_database

    expected = [_expectation(text) for text in expect]
    report = with_database(lambda session: _verify(session, expected))
    offence = report.offence
    if as_json:
        print_json(_record(report))
    elif offence is None:
        print_lines(_praise(report))
    else:
        print_lines(
            [f"Broken: {report.where}: {offence.problem}.", f"Nothing was changed. {_way_out(offence)}"],
        )
    if offence is not None:
        raise typer.Exit(EXIT_FAILED)


def _way_out(offence: "Offence | CheckpointOffence") -> str:
    """Return what to do about an offence; its likeliest cause, where that is harmless."""
    from billing.ledger.checkpoints import CheckpointOffence

    if not isinstance(offence, CheckpointOffence) or offence.account_id is not None:
        return "Compare with a backup before anything is booked on this account."
    if offence.has_unknown_key:
        return (
            "If the key was changed, append the old one: LEDGER_SIGNING_KEY=NEW,OLD. If it never was, ask who signed."
        )
    if offence.is_expected:
        return (
            "See that number and digest belong to this database, and that no older backup of it was put back;"
            " `tallyhook checkpoint --list` tells the checkpoints there are."
        )
    return "Compare with a backup before anything is booked."


def _expectation(text: str) -> "Expectation":
    """Return a checkpoint's number and digest as they are given.

    Raises:
        WrongUseError: they are not.
    """
    from billing.ledger.checkpoints import Expectation

    parts = EXPECTED.fullmatch(text)
    if parts is None:
        raise WrongUseError(
            "--expect takes NUMBER:DIGEST, the digest as 64 hexadecimal digits.",
            "Copy both from a line ledger_checkpoint of the log, or from `tallyhook checkpoint --list`.",
        )
    return Expectation(number=int(parts[1]), digest=bytes.fromhex(parts[2]))


async def _verify(session: "Session", expected: "list[Expectation]") -> "Report":
    """Go through everything, and show how far that is."""
    from bot.cli.verifying import Verification
    from bot.signing import Signer

    signer = Signer.of(session.settings.ledger_signing_key)
    with counting("verifying") as show:
        return await Verification(
            session.database.reads,
            session.database.audits,
            on_progress=lambda report: show(
                f"{report.accounts} accounts, {report.entries} entries, {report.checkpoints} checkpoints"
            ),
            keys=signer.publics if signer else (),
            expected=expected,
        ).run()


def _praise(report: "Report") -> list[str]:
    """Return that everything holds, and how far that goes."""
    newest = report.newest
    ledger = ledger_in_words(report.accounts, report.entries)
    lines = [f"{ledger}, {so_many(report.checkpoints, 'checkpoint')}: everything holds."]
    if newest is None:
        lines.append("No checkpoint was made yet: entries that were cut off the end of a journal would not be missed.")
        return lines
    lines.append(f"Newest checkpoint: {newest.number}:{newest.digest.hex()}")
    if not report.are_signatures_checked:
        lines.append("LEDGER_SIGNING_KEY is absent: the checkpoints' signatures were not checked.")
    return lines


def _record(report: "Report") -> dict[str, object]:
    """Return the report for programs."""
    return {
        "accounts": report.accounts,
        "entries": report.entries,
        "checkpoints": report.checkpoints,
        "signatures_checked": report.are_signatures_checked,
        "newest_checkpoint": _newest(report.newest),
        "offence": None if report.offence is None else _offence(report, report.offence),
    }


def _newest(checkpoint: "Checkpoint | None") -> dict[str, object] | None:
    """Return the newest checkpoint for programs."""
    return None if checkpoint is None else {"number": checkpoint.number, "digest": checkpoint.digest.hex()}


def _offence(report: "Report", offence: "Offence | CheckpointOffence") -> dict[str, object]:
    """Return the offence for programs."""
    from billing.ledger.checkpoints import CheckpointOffence

    return {
        "checkpoint": offence.number if isinstance(offence, CheckpointOffence) else None,
        "account_id": offence.account_id,
        "customer_id": report.customer_id,
        "entry": offence.seq or None,
        "problem": offence.problem,
    }
