"""`credits statement --signed` and `credits check`: a statement that its reader need not take on trust."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from billing.ledger.statements import Statement
from bot.cli.database import Session, with_database
from bot.cli.failures import EXIT_FAILED, CommandError, WrongUseError
from bot.cli.output import print_json, print_lines, rfc3339, say
from bot.settings import SECRETS
from bot.signing import PublicKey, Signer, read_public_keys
from bot.statements.checking import StatementReport, check_statement
from bot.statements.csv_form import csv_form
from bot.statements.json_form import json_form
from bot.statements.making import StatementMaker
from bot.statements.values import Form

FORMS: Final[dict[str, Callable[[Statement, bytes], Form]]] = {"json": json_form, "csv": csv_form}

LARGEST_KEY_FILE_BYTES: Final = 64 * 1024


def write_statement(reference: str, *, form: str, output: Path | None, first: int) -> None:
    """Write a customer's signed statement to a file, or to stdout without one.

    Raises:
        WrongUseError: there is no such form.
        CommandError: there is no key to sign with, or the file can't be made.
    """
    if form not in FORMS:
        raise WrongUseError(f"There is no format {form!r}.", f"Name one of {', '.join(FORMS)}.")
    with_database(lambda session: _write(session, reference, FORMS[form], output, first))


async def _write(
    session: Session, reference: str, form_of: Callable[[Statement, bytes], Form], output: Path | None, first: int
) -> None:
    """Vouch for the journal, then write it page by page."""
    signer = Signer.of(session.settings.ledger_signing_key)
    if signer is None:
        way = SECRETS["LEDGER_SIGNING_KEY"].way
        raise CommandError("LEDGER_SIGNING_KEY is absent: nothing to sign with.", f"{way[0].upper()}{way[1:]}.")
    state = await session.customer(reference)
    maker = StatementMaker(session.database.reads, session.database.checkpoints, signer=signer, clock=session.clock)
    signed = await maker.make(state.customer, state.account, first=first)
    form = form_of(signed.statement, signed.signature)
    with _writing_to(output) as write:
        write(form.opening)
        between = ""
        async for entry in maker.entries(signed.statement):
            write(between + form.entry(entry))
            between = form.between
        write(form.closing)
    if output is not None:
        said = signed.statement
        say(f"{output}: entries {said.opening_entry + 1} to {said.closing_entry}, signed with key {said.key_id}.")


@contextmanager
def _writing_to(output: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield what writes text as it is, without a change to its line ends. A file that stayed unfinished is removed.

    Raises:
        CommandError: the file can't be made.
    """
    if output is None:
        yield lambda text: typer.echo(text.encode(), nl=False)
        return
    try:
        file = output.open("xb")
    except OSError as error:
        raise CommandError(f"{output} can't be made: {error.strerror}.", "Name another file by --output.") from error
    try:
        with file:
            yield lambda text: file.write(text.encode())
    except BaseException:
        output.unlink(missing_ok=True)
        raise


def print_check(path: Path, key: str, *, as_json: bool) -> None:
    """Say whether a signed statement holds.

    Raises:
        WrongUseError: the key is none.
        CommandError: the file can't be read.
        typer.Exit: it doesn't.
    """
    keys = _keys(key)
    try:
        report = check_statement(path.read_bytes(), keys)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.", "Name the statement's file.") from error
    if as_json:
        print_json(_record(report))
    else:
        print_lines(_words(report))
    if report.problem:
        raise typer.Exit(EXIT_FAILED)


def _keys(key: str) -> list[PublicKey]:
    """Return the key that is meant: a file that has it, or itself."""
    try:
        path = Path(key)
        is_file = path.is_file()
        text = path.read_text(encoding="utf-8") if is_file and path.stat().st_size <= LARGEST_KEY_FILE_BYTES else key
        return read_public_keys(text)
    except (OSError, ValueError):
        if _names_a_missing_file(key):
            raise WrongUseError(
                f"There is no file {key}, which --key names.",
                "Name the file that has the published key, or give the key.",
            ) from None
        raise WrongUseError(
            "--key takes a public Ed25519 key: base64, or a file with that, with PEM or with the server's JSON.",
            "Get it from GET /api/v1/ledger/key of the server that signed.",
        ) from None


def _names_a_missing_file(key: str) -> bool:
    """Tell whether what is no key is the name of a file that isn't there. PEM as it is has several lines."""
    try:
        return ("." in key or "/" in key) and key.isprintable() and not Path(key).exists()
    except OSError:
        return False


def _words(report: StatementReport) -> list[str]:
    """Return the finding for people."""
    if report.problem:
        return [f"Broken: {report.where + ':' if report.where else 'the statement'} {report.problem}."]
    said = report.statement
    assert said is not None
    lines = [
        f"The statement holds: {report.entries} entries, from {said.opening_entry + 1} to {said.closing_entry}.",
        f"Account {said.account_id} is that of customer {said.customer_id}, github:{said.github_account_id}.",
        f"Balance {said.closing_balance} ({said.unit}), held of it {said.closing_held}, debt {said.closing_debt}.",
        f"Signed with key {said.key_id}, as of {rfc3339(said.made_at)}.",
    ]
    if said.opening_entry:
        lines.append(f"It follows entry {said.opening_entry}, whose hash is {said.opening_hash.hex()}.")
    if said.checkpoint_number:
        digest = f"{said.checkpoint_number}:{said.checkpoint_digest.hex()}"
        lines.append(f"Checkpoint {digest} vouches for the journal up to entry {said.checkpoint_entry}.")
    return lines


def _record(report: StatementReport) -> dict[str, object]:
    """Return the finding for programs."""
    said = report.statement
    return {
        "holds": not report.problem,
        "entries": report.entries,
        "where": report.where or None,
        "problem": report.problem or None,
        "account_id": said.account_id if said else None,
        "last_entry": said.closing_entry if said else None,
        "balance": said.closing_balance if said else None,
        "key_id": said.key_id if said else None,
    }
