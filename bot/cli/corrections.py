"""Corrections of a balance by hand: the same two commands for granting and revoking, each made once by its key."""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from billing.commands import Answered, Applied, GrantCredits, Note, Outcome, Refused, RevokeCredits
from billing.ledger.balance import available
from billing.standing import effective_plan
from billing.state import CustomerState
from billing.values import NEVER, Credits
from bot.cli.actors import actor_name
from bot.cli.database import Session, with_database
from bot.cli.failures import CommandError, WrongUseError
from bot.cli.output import credits_in_words, print_json, print_lines, readable_time, say
from bot.cli.questions import require_yes

if TYPE_CHECKING:
    from billing.commands import Command

ACTOR: Final = "operator"
SALT_BYTES: Final = 16
KEY_BYTES: Final = 8
LONGEST_REASON: Final = 1000
LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is to be corrected.

    Attributes:
        amount: in credits; negative to take back.
        key: "" for a new one.
        actor: "" for the machine's user.
    """

    reference: str
    amount: int
    reason: str
    key: str
    actor: str
    expires_at: datetime = NEVER


def last_moment_of(day: str) -> datetime:
    """Return when credits expire that can be used up to this day, the day included; never for "".

    Raises:
        WrongUseError: it isn't a day, such as 2027-03-31.
    """
    if not day:
        return NEVER
    try:
        following = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise WrongUseError(f"{day!r} isn't a day.", "Give it as year-month-day, such as 2027-03-31.") from error
    return datetime.combine(following, time(), tzinfo=UTC)


def carry_out(correction: Correction, *, yes: bool, as_json: bool) -> None:
    """Show whom it is about, ask, correct, and tell the new balance.

    Raises:
        CommandError: with the way out.
    """
    _check(correction)
    record = with_database(lambda session: _correct(session, correction, yes=yes))
    if as_json:
        print_json(record)
        return
    done = "granted" if correction.amount > 0 else "revoked"
    again = " before, by the same key; nothing was done now" if record["replayed"] else ""
    print_lines(
        [
            f"{credits_in_words(abs(correction.amount))} {done}{again}.",
            f"{credits_in_words(record['available'])} available now. The key was {record['key']}.",
        ]
    )


def _check(correction: Correction) -> None:
    """Refuse texts that can't be kept.

    Raises:
        WrongUseError: with the option that is wrong.
    """
    if not correction.reason.strip() or len(correction.reason) > LONGEST_REASON:
        raise WrongUseError(f"A reason has 1 to {LONGEST_REASON} characters.", "Say why by --reason.")
    if len(correction.key) > LONGEST_KEY or not correction.key.isprintable():
        raise WrongUseError(f"A key has up to {LONGEST_KEY} printable characters.", "Give another --key.")


async def _correct(session: Session, correction: Correction, *, yes: bool) -> dict[str, Any]:
    """Correct one customer's balance."""
    state = await session.customer(correction.reference)
    if correction.expires_at <= session.clock.now():
        raise WrongUseError("The day lies in the past.", "Give a later one by --expires.")
    for line in about(session, state):
        say(line)
    require_yes(_question(correction), yes=yes)
    key = correction.key or f"{ACTOR}:{secrets.token_hex(KEY_BYTES)}"
    say(f"key: {key} (the same command with --key {key} would do it only once)")
    async with session.billing() as billing:
        outcome = await billing.handle(_command(correction, state, key))
    done = applied(outcome)
    after = await session.customer(str(state.customer.id))
    return {
        "customer_id": state.customer.id,
        "amount": correction.amount,
        "key": key,
        "entries": list(done.entries),
        "replayed": done.replayed,
        "available": available(after, session.clock.now()).count,
    }


def about(session: Session, state: CustomerState) -> list[str]:
    """Say who was found."""
    customer = state.customer
    login = customer.github_login or "login unknown"
    balance = credits_in_words(available(state, session.clock.now()).count)
    return [
        f"customer {customer.id}: {login} ({customer.github_type or 'account'} {customer.github_account_id} at GitHub)",
        f"plan {effective_plan(state, session.plans).name}, {balance} available",
    ]


def _question(correction: Correction) -> str:
    """Ask for the correction in words."""
    if correction.amount < 0:
        return f"Take back {credits_in_words(-correction.amount)}?"
    until = readable_time(correction.expires_at, never="never")
    return f"Grant {credits_in_words(correction.amount)} (they expire: {until})?"


def _command(correction: Correction, state: CustomerState, key: str) -> "Command":
    """Return the correction as billing takes it."""
    note = Note(
        text=correction.reason.strip(),
        actor_name=actor_name(correction.actor),
        salt=secrets.token_bytes(SALT_BYTES),
    )
    amount = Credits(abs(correction.amount))
    if correction.amount < 0:
        return RevokeCredits(customer_id=state.customer.id, amount=amount, key=key, actor=ACTOR, note=note)
    return GrantCredits(
        customer_id=state.customer.id,
        amount=amount,
        expires_at=correction.expires_at,
        key=key,
        actor=ACTOR,
        note=note,
    )


def applied(outcome: Outcome) -> Applied:
    """Return what was done.

    Raises:
        BillingError: the refusal.
        CommandError: nothing was done.
    """
    match outcome:
        case Applied():
            return outcome
        case Refused():
            raise outcome.error
        case Answered():
            raise AssertionError("only comments are answered")
        case _:
            raise CommandError(f"Nothing was done: {outcome.reason}.", "Try again in a minute.")
