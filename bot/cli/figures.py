"""An account's choice whether figures are shown in its public repositories (rule 34)."""

from typing import Any

from billing.commands import ShowFigures
from bot.cli.corrections import about, applied
from bot.cli.database import Session, with_database
from bot.cli.output import print_json, print_lines, say


def choose(reference: str, *, shown: bool, as_json: bool) -> None:
    """Say whom it is about, and take note of the choice.

    Raises:
        CommandError: with the way out.
    """
    record = with_database(lambda session: _choose(session, reference, shown=shown))
    if as_json:
        print_json(record)
        return
    told = "figures are shown" if shown else "no figures are shown"
    as_before = "" if record["changed"] else ", as before"
    print_lines([f"In public repositories {told}{as_before}. Answers that stand there are left as they are."])


async def _choose(session: Session, reference: str, *, shown: bool) -> dict[str, Any]:
    """Take note of one customer's choice."""
    state = await session.customer(reference)
    for line in about(session, state):
        say(line)
    async with session.billing() as billing:
        applied(await billing.handle(ShowFigures(customer_id=state.customer.id, shown=shown)))
    return {
        "customer_id": state.customer.id,
        "figures_in_public": shown,
        "changed": state.customer.shows_figures is not shown,
    }
