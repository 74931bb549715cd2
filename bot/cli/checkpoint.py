"""`tallyhook checkpoint`: put the ledger under a signed digest now, and tell the digests there are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failures import CommandError
from bot.cli.options import AsJson, Limit, examples
from bot.cli.output import print_json, print_table, readable_time, rfc3339, say

if TYPE_CHECKING:
    from billing.ledger.checkpoints import Checkpoint
    from bot.cli.database import Session

EXAMPLES = examples("tallyhook checkpoint", "tallyhook checkpoint --list --limit 24", "tallyhook checkpoint --json")


def checkpoint(
    *,
    lists: Annotated[
        bool, typer.Option("--list", help="Make none; tell the newest ones there are, the newest first.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Put all that was booked under a signed digest.

    The server does so each hour. Keep a digest where the database isn't: `tallyhook verify --expect NUMBER:DIGEST`
    holds the ledger against it.
    """
    from bot.cli.database import with_database

    checkpoints = with_database(lambda session: _newest(session, limit) if lists else _make(session))
    if not (lists or checkpoints):
        say("Nothing was booked since the newest checkpoint; --list tells it.")
    if as_json:
        print_json([_record(each) for each in checkpoints])
    elif checkpoints or lists:
        _print(checkpoints)


async def _make(session: "Session") -> "Sequence[Checkpoint]":
    """Make as many as it takes.

    Raises:
        CommandError: there is no key to sign with.
    """
    from bot.checkpoints import CheckpointMaker
    from bot.settings import SECRETS
    from bot.signing import Signer

    signer = Signer.of(session.settings.ledger_signing_key)
    if signer is None:
        way = SECRETS["LEDGER_SIGNING_KEY"].way
        raise CommandError("LEDGER_SIGNING_KEY is absent, and a checkpoint is signed.", f"{way[0].upper()}{way[1:]}.")
    return await CheckpointMaker(session.database.checkpoints, signer, session.clock).make()


async def _newest(session: "Session", limit: int) -> "Sequence[Checkpoint]":
    """Return the newest ones."""
    return await session.database.checkpoints.latest(limit=limit)


def _print(checkpoints: "Sequence[Checkpoint]") -> None:
    """Print them for people."""
    cells = [
        (str(each.number), readable_time(each.made_at), str(each.accounts), each.key_id, each.digest.hex())
        for each in checkpoints
    ]
    columns = ("NUMBER", "MADE", "ACCOUNTS", "KEY", "DIGEST")
    print_table(columns, cells, empty="No checkpoint was made yet.", numbers=("NUMBER", "ACCOUNTS"))


def _record(checkpoint: "Checkpoint") -> dict[str, object]:
    """Return one for programs."""
    return {
        "number": checkpoint.number,
        "made_at": rfc3339(checkpoint.made_at),
        "accounts": checkpoint.accounts,
        "digest": checkpoint.digest.hex(),
        "key_id": checkpoint.key_id,
        "signature": checkpoint.signature.hex(),
    }
