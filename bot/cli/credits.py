"""`tallyhook credits`: the statement, why the balance is what it is, and corrections by hand."""

from typing import Annotated

import typer

from bot.cli.options import Actor, AsJson, Limit, Reference, Yes, examples, group

credits_ = group(
    "Look at a customer's credits, and correct them.",
    "tallyhook credits statement github:@acme",
    "tallyhook credits explain github:@acme",
    'tallyhook credits grant github:@acme 5 --reason "sorry for the outage"',
)

Amount = Annotated[int, typer.Argument(metavar="N", min=1, max=1_000_000_000, help="How many credits.")]
Reason = Annotated[str, typer.Option(help="Why, for the record. It can be erased later without harm to the ledger.")]
Key = Annotated[str, typer.Option(help="Makes it happen once: the same key again gives the same answer.")]


@credits_.command(
    "statement",
    epilog=examples(
        "tallyhook credits statement github:@acme",
        "tallyhook credits statement 12 --limit 1000 --json",
    ),
)
def statement(reference: Reference, *, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Print a customer's ledger.

    The last entries, the oldest first, each with the balance after it.
    """
    from bot.cli.statement import print_statement

    print_statement(reference, limit=limit, as_json=as_json)


@credits_.command(
    "explain", epilog=examples("tallyhook credits explain github:@acme", "tallyhook credits explain 12 --json")
)
def explain(reference: Reference, *, as_json: AsJson = False) -> None:
    """Say why the balance is what it is.

    Every grant, what became of it, and why there isn't more.
    """
    from bot.cli.explaining import print_explanation

    print_explanation(reference, as_json=as_json)


@credits_.command(
    "grant",
    epilog=examples(
        'tallyhook credits grant github:@acme 5 --reason "sorry for the outage"',
        'tallyhook credits grant 12 20 --reason "pilot" --expires 2027-03-31 --key pilot-2027 --yes',
    ),
)
def grant(
    reference: Reference,
    amount: Amount,
    *,
    reason: Reason,
    expires: Annotated[
        str, typer.Option(metavar="DATE", help="The last day (UTC) on which they can be used; without it, for ever.")
    ] = "",
    key: Key = "",
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a customer credits, out of goodwill.

    Shows whom it found, and asks.
    """
    from bot.cli.corrections import Correction, carry_out, last_moment_of

    carry_out(
        Correction(
            reference=reference,
            amount=amount,
            reason=reason,
            key=key,
            actor=actor,
            expires_at=last_moment_of(expires),
        ),
        yes=yes,
        as_json=as_json,
    )


@credits_.command(
    "revoke",
    epilog=examples('tallyhook credits revoke github:@acme 5 --reason "granted twice by hand" --key ticket-9'),
)
def revoke(
    reference: Reference,
    amount: Amount,
    *,
    reason: Reason,
    key: Key = "",
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take credits back.

    In the order in which they would be used; refused if fewer are left. Shows whom it found, and asks.
    """
    from bot.cli.corrections import Correction, carry_out

    carry_out(
        Correction(reference=reference, amount=-amount, reason=reason, key=key, actor=actor),
        yes=yes,
        as_json=as_json,
    )
