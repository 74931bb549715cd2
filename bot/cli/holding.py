"""`tallyhook credits holds|release`: what is set aside for work under way."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import AsJson, Limit, Reference, examples
from bot.cli.output import print_json, print_table, readable_time

if TYPE_CHECKING:
    from billing.state import Hold

holding = typer.Typer()
"""Without a name: its commands are those of `tallyhook credits`."""


@holding.command(
    "holds", epilog=examples("tallyhook credits holds github:@acme", "tallyhook credits holds 12 --all --json")
)
def holds(
    reference: Reference,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were captured or released, or timed out.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List a customer's holds, the newest first."""
    from bot.cli.hold_words import hold_record, holds_of

    found = holds_of(reference, everything=everything, limit=limit)
    if as_json:
        print_json([hold_record(hold) for hold in found])
        return
    columns = ("HOLD", "MADE", "STATE", "CREDITS", "PAID", "WAIVED", "CAPTURED", "UNTIL", "REFERENCE")
    numbers = ("HOLD", "CREDITS", "PAID", "WAIVED", "CAPTURED")
    print_table(
        columns,
        [_cells(hold) for hold in found],
        empty="None was ever made." if everything else "None is open; --all tells those that have ended.",
        numbers=numbers,
    )


def _cells(hold: "Hold") -> tuple[str, ...]:
    """Return a hold as a line of the table."""
    figures = (hold.credits, hold.paid_units, hold.waived_units, hold.captured)
    return (
        str(hold.id),
        readable_time(hold.made_at),
        hold.state.value,
        *map(str, figures),
        readable_time(hold.expires_at),
        hold.reference or "-",
    )
