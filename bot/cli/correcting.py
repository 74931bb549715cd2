"""`tallyhook credits grant|revoke|adjust|usage|reverse|backfill`: corrections by hand, each with its reason."""

import enum
import re
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand
from typing_extensions import override

from bot.cli.failures import WrongUseError
from bot.cli.options import Actor, AsJson, Reference, Yes, examples

correcting = typer.Typer()
"""Without a name: its commands are those of `tallyhook credits`."""

MOST: Final = 1_000_000_000
NEGATIVE: Final = re.compile(r"-[0-9].*", re.ASCII)


def _counted(amount: int) -> int:
    """Return a number of credits.

    Raises:
        WrongUseError: it is none.
    """
    if not 1 <= amount <= MOST:
        raise WrongUseError(
            f"{amount} is no number of credits.",
            f"Give N from 1 to {MOST}; `tallyhook credits revoke REF N` takes credits back,"
            " `tallyhook credits adjust REF -N` sets a balance right.",
        )
    return amount


Amount = Annotated[int, typer.Argument(metavar="N", callback=_counted, help="How many credits.")]
Reason = Annotated[str, typer.Option(help="Why, for the record. It can be erased later without harm to the ledger.")]
Key = Annotated[str, typer.Option(help="Makes it happen once: the same key again gives the same answer.")]

LONGEST_CHANGE = len("+999999999")


class Counting(TyperCommand):
    """A command that takes a number of credits: what begins with a minus and a digit is one, and no option."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        ctx.ignore_unknown_options = any(NEGATIVE.fullmatch(each) for each in args)
        return super().parse_args(ctx, args)


class GrantedAs(enum.StrEnum):
    """Where credits that are granted by hand come from."""

    GOODWILL = "goodwill"
    PURCHASE = "purchase"
    MIGRATION = "migration"


@correcting.command(
    "grant",
    cls=Counting,
    epilog=examples(
        'tallyhook credits grant github:@acme 5 --reason "sorry for the outage"',
        'tallyhook credits grant 12 20 --reason "pilot" --expires 2027-03-31 --key pilot-2027 --yes',
        'tallyhook credits grant 12 20 --reason "by wire" --origin purchase --reference payment:2026-114',
    ),
)
def grant(  # noqa: PLR0913 -- each is an option
    reference: Reference,
    amount: Amount,
    *,
    reason: Reason,
    expires: Annotated[
        str, typer.Option(metavar="DATE", help="The last day (UTC) on which they can be used; without it, for ever.")
    ] = "",
    origin: Annotated[
        GrantedAs,
        typer.Option(help="purchase: paid for some other way, and makes up for debt first. migration: brought along."),
    ] = GrantedAs.GOODWILL,
    about: Annotated[
        str, typer.Option("--reference", metavar="KIND:ID", help="What it is about, such as the payment of a purchase.")
    ] = "",
    key: Key = "",
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a customer credits.

    Out of goodwill, unless --origin says otherwise. Shows whom it found, and asks.
    """
    from billing.values import Origin
    from bot.cli.corrections import carry_out, granting, ids_only, last_moment_of, note_of

    if origin is GrantedAs.PURCHASE and not about:
        raise WrongUseError("A purchase goes with its payment.", "Name that by --reference, such as payment:4711.")
    correction = granting(
        reference,
        amount,
        origin=Origin(origin.value),
        about=ids_only(about),
        expires_at=last_moment_of(expires),
        key=key,
        note=note_of(reason, actor),
    )
    carry_out(correction, yes=yes, as_json=as_json)


@correcting.command(
    "revoke",
    cls=Counting,
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
    from bot.cli.corrections import carry_out, note_of, revoking

    carry_out(revoking(reference, amount, key=key, note=note_of(reason, actor)), yes=yes, as_json=as_json)


@correcting.command(
    "adjust",
    cls=Counting,
    epilog=examples(
        'tallyhook credits adjust github:@acme +3 --reason "counted twice on 3 March"',
        'tallyhook credits adjust 12 -3 --reason "three fixes were never counted" --key ticket-10',
    ),
)
def adjust(
    reference: Reference,
    change: Annotated[str, typer.Argument(metavar="+N|-N", help="How many credits more, or fewer.")],
    *,
    reason: Reason,
    key: Key = "",
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set a balance right, whatever there is.

    More credits make up for debt first; the rest is granted out of goodwill. Fewer are taken as far as there are any;
    the rest is owed. Shows whom it found, and asks.
    """
    from bot.cli.corrections import adjusting, carry_out, note_of

    correction = adjusting(reference, _change(change), key=key, note=note_of(reason, actor))
    carry_out(correction, yes=yes, as_json=as_json)


@correcting.command(
    "usage",
    cls=Counting,
    epilog=examples(
        "tallyhook credits usage 12 1 --at 2026-11-20T14:05Z --reference repository:7#12 --key repository:7#12"
        ' --reason "delivered while we were away"',
    ),
)
def usage(  # noqa: PLR0913 -- each is an option
    reference: Reference,
    amount: Amount,
    *,
    at: Annotated[str, typer.Option(metavar="TIME", help="When it was used: a day, or a time with its zone.")],
    about: Annotated[
        str, typer.Option("--reference", metavar="KIND:ID", help="What it was used for, such as repository:7#12.")
    ],
    key: Annotated[str, typer.Option(help="Makes it happen once: the same key again gives the same answer.")],
    reason: Reason,
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Book what was used already, up to 30 days ago.

    At its own time, and never refused: paid by credits that could have been used then, and what is missing is owed.
    Shows whom it found, and asks.
    """
    from bot.cli.corrections import carry_out, ids_only, note_of, using
    from bot.cli.moments import moment_of

    correction = using(
        reference,
        amount,
        occurred_at=moment_of(at, option="--at"),
        about=ids_only(about),
        key=key,
        note=note_of(reason, actor),
    )
    carry_out(correction, yes=yes, as_json=as_json)


@correcting.command(
    "reverse",
    epilog=examples(
        'tallyhook credits reverse 12:5 --reason "the fix was counted for the wrong account"',
        'tallyhook credits reverse github:@acme:5 --reason "booked twice" --yes',
    ),
)
def reverse(
    entry: Annotated[
        str, typer.Argument(metavar="ENTRY", help="REF:NUMBER, the number as the statement shows it: 12:5.")
    ],
    *,
    reason: Reason,
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take one entry back, as it was booked.

    By a new entry that moves the same credits the other way round, once for ever. Shows whom and what it found, and
    asks.
    """
    from bot.cli.corrections import note_of
    from bot.cli.reversing import reverse as take_back

    take_back(entry, note=note_of(reason, actor), yes=yes, as_json=as_json)


@correcting.command(
    "backfill",
    epilog=examples(
        "tallyhook credits backfill --dry-run",
        "tallyhook credits backfill github:@acme --dry-run --json",
        'tallyhook credits backfill --reason "the outage of 3 March" --yes',
    ),
)
def backfill(
    reference: Annotated[
        str, typer.Argument(metavar="[REF]", help="A customer id, github:<account id> or github:@<login>; else all.")
    ] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be granted, and why.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record; without --dry-run it is needed.")] = "",
    actor: Actor = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Grant what was due and never granted.

    By what is known of each customer: sign-up credits, and what the plan's running period lacks. Tells what is missing,
    and asks. Each grant is the one that should have been made, so that none is made twice.
    """
    from bot.cli.backfilling import backfill as make_up
    from bot.cli.corrections import note_of

    make_up(reference, note=None if dry_run else note_of(reason, actor), yes=yes, as_json=as_json)


def _change(text: str) -> int:
    """Return a change of a balance.

    Raises:
        WrongUseError: it is none.
    """
    is_change = text[:1] in ("+", "-") and text[1:].isascii() and text[1:].isdigit()
    if not is_change or len(text) > LONGEST_CHANGE or not int(text):
        raise WrongUseError(
            f"{text!r} is no change of a balance.", "Give +N or -N, such as +3; N is at most 999999999."
        )
    return int(text)
