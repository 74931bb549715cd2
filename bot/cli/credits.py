"""`tallyhook credits`: the statement, why the balance is what it is, and corrections by hand."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.correcting import correcting
from bot.cli.holding import holding
from bot.cli.options import AsJson, Limit, Reference, examples, group

credits_ = group(
    "Look at a customer's credits, and correct them.",
    "tallyhook credits statement github:@acme",
    "tallyhook credits explain github:@acme",
    'tallyhook credits grant github:@acme 5 --reason "sorry for the outage"',
)

# Their commands are this group's.
credits_.add_typer(correcting)
credits_.add_typer(holding)


@credits_.command(
    "statement",
    epilog=examples(
        "tallyhook credits statement github:@acme",
        "tallyhook credits statement 12 --limit 1000 --json",
        "tallyhook credits statement 12 --signed --format csv --output statement.csv",
    ),
)
def statement(
    reference: Reference,
    *,
    limit: Limit = 50,
    signed: Annotated[
        bool, typer.Option("--signed", help="All entries, signed: whoever has our key can check it.")
    ] = False,
    form: Annotated[str, typer.Option("--format", help="Of a signed one: json or csv.")] = "",
    output: Annotated[Path | None, typer.Option(help="Of a signed one: a new file to write it to.")] = None,
    first: Annotated[int, typer.Option("--from", min=1, metavar="ENTRY", help="Of a signed one: the first entry.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Print a customer's ledger.

    The last entries, the oldest first, each with the balance after it. With --signed, all that an entry's hash covers,
    for `credits check`.
    """
    from bot.cli.failures import WrongUseError

    if signed:
        from bot.cli.signed_statement import write_statement

        if as_json:
            raise WrongUseError("--json goes without --signed.", "Use --format json, which is the default.")
        write_statement(reference, form=form or "json", output=output, first=first)
        return
    if form or output or first > 1:
        raise WrongUseError("--format, --output and --from are for signed statements.", "Add --signed.")
    from bot.cli.statement import print_statement

    print_statement(reference, limit=limit, as_json=as_json)


@credits_.command(
    "check",
    epilog=examples(
        "tallyhook credits check statement.json --key ledger-key.json",
        "tallyhook credits check statement.csv --key TDxVh0lEoTgl7a… --json",
    ),
)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed statement, JSON or CSV.")],
    *,
    key: Annotated[
        str,
        typer.Option(metavar="KEY", help="The published key: base64, or a file with that, with PEM or with JSON."),
    ],
    as_json: AsJson = False,
) -> None:
    """Check a signed statement.

    Every entry's hash, the chain, the sums and the signature; needs no settings and no database. Exits with 1 and tells
    the first offence if something doesn't hold.
    """
    from bot.cli.signed_statement import print_check

    print_check(file, key, as_json=as_json)


@credits_.command(
    "explain",
    epilog=examples(
        "tallyhook credits explain github:@acme",
        "tallyhook credits explain 12 --at 2026-11-01",
        "tallyhook credits explain 12 --seq 31 --json",
    ),
)
def explain(
    reference: Reference,
    *,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="As it was then: a time with its zone, or a day, which is its 00:00Z.")
    ] = "",
    seq: Annotated[
        int | None, typer.Option(min=1, metavar="ENTRY", help="As it was behind this entry of the statement.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why the balance is what it is, or was.

    Every grant and what became of it, what is held, what is owed and since when, and why there isn't more.
    """
    from bot.cli.explaining import print_explanation
    from bot.cli.failures import WrongUseError
    from bot.cli.moments import moment_of

    if at and seq is not None:
        raise WrongUseError("--at and --seq are two ways to name a moment.", "Give one of them.")
    moment = moment_of(at, option="--at") if at else None
    print_explanation(reference, at=moment, seq=seq, as_json=as_json)
