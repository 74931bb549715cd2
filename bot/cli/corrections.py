"""Corrections of a balance by hand: whom it is about is shown, it is asked, and it is made once by its key."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from billing.commands import (
    AdjustCredits,
    Answered,
    Applied,
    Backfilled,
    GrantCredits,
    KeyedCommand,
    Note,
    Outcome,
    RecordUsage,
    Refused,
    RevokeCredits,
)
from billing.ledger.balance import standing
from billing.standing import effective_plan
from billing.state import CustomerState
from billing.values import NEVER, AccountId, Credits, CustomerId, EntryKind, Origin, Place
from bot.cli.actors import actor_name
from bot.cli.database import Session, with_database
from bot.cli.failures import CommandError, WrongUseError
from bot.cli.output import balance_in_words, credits_in_words, print_json, print_lines, readable_time, say
from bot.cli.questions import require_yes

ACTOR: Final = "operator"
SALT_BYTES: Final = 16
KEY_BYTES: Final = 8
LONGEST_REASON: Final = 1000
LONGEST_KEY: Final = 200

_IDS: Final = re.compile(r"[a-z_]+:[A-Za-z0-9._/-]+(#[0-9]+)?")

Make = Callable[[CustomerId, str], KeyedCommand]
"""Makes the command of the customer's id and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is to be corrected, and how that is told.

    Attributes:
        reference: whose balance.
        amount: in credits; negative to take away.
        question: asked before.
        done: told afterwards, without a full stop.
        key: "" for a new one.
        make: makes the command.
    """

    reference: str
    amount: int
    question: str
    done: str
    key: str
    make: Make


def granting(
    reference: str,
    amount: int,
    *,
    origin: Origin,
    about: str,
    expires_at: datetime,
    key: str,
    note: Note,
) -> Correction:
    """Return the correction that gives credits."""

    def make(customer_id: CustomerId, chosen_key: str) -> KeyedCommand:
        return GrantCredits(
            customer_id=customer_id,
            amount=Credits(amount),
            expires_at=expires_at,
            key=chosen_key,
            actor=ACTOR,
            note=note,
            origin=origin,
            reference=about,
        )

    until = readable_time(expires_at, never="never")
    of_what = "" if origin is Origin.GOODWILL else f" as {origin.value}"
    return Correction(
        reference=reference,
        amount=amount,
        question=f"Grant {credits_in_words(amount)}{of_what} (they expire: {until})?",
        done=f"{credits_in_words(amount)} granted",
        key=key,
        make=make,
    )


def revoking(reference: str, amount: int, *, key: str, note: Note) -> Correction:
    """Return the correction that takes credits back, if there are so many."""

    def make(customer_id: CustomerId, chosen_key: str) -> KeyedCommand:
        return RevokeCredits(customer_id=customer_id, amount=Credits(amount), key=chosen_key, actor=ACTOR, note=note)

    return Correction(
        reference=reference,
        amount=-amount,
        question=f"Take back {credits_in_words(amount)}?",
        done=f"{credits_in_words(amount)} revoked",
        key=key,
        make=make,
    )


def adjusting(reference: str, change: int, *, key: str, note: Note) -> Correction:
    """Return the correction that sets a balance right, whatever there is."""

    def make(customer_id: CustomerId, chosen_key: str) -> KeyedCommand:
        return AdjustCredits(customer_id=customer_id, change=change, key=chosen_key, actor=ACTOR, note=note)

    count = credits_in_words(abs(change))
    question = (
        f"Add {count} (debt is made up for first)?"
        if change > 0
        else f"Take {count} away (what there isn't becomes debt)?"
    )
    done = f"{count} {'added' if change > 0 else 'taken away'}"
    return Correction(reference=reference, amount=change, question=question, done=done, key=key, make=make)


def using(reference: str, amount: int, *, occurred_at: datetime, about: str, key: str, note: Note) -> Correction:
    """Return the correction that books usage late, at its own time."""

    def make(customer_id: CustomerId, chosen_key: str) -> KeyedCommand:
        return RecordUsage(
            customer_id=customer_id,
            amount=Credits(amount),
            key=chosen_key,
            actor=ACTOR,
            reference=about,
            occurred_at=occurred_at,
            note=note,
        )

    count = credits_in_words(amount)
    return Correction(
        reference=reference,
        amount=-amount,
        question=f"Book {count} as used at {readable_time(occurred_at)} (what there wasn't then becomes debt)?",
        done=f"{count} booked as used",
        key=key,
        make=make,
    )


def note_of(reason: str, actor: str) -> Note:
    """Return why, and who says so; "" is the machine's user.

    Raises:
        WrongUseError: it is no reason.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise WrongUseError(f"A reason has 1 to {LONGEST_REASON} characters.", "Say why by --reason.")
    return Note(text=reason.strip(), actor_name=actor_name(actor), salt=secrets.token_bytes(SALT_BYTES))


def ids_only(reference: str) -> str:
    """Return what an entry is about, if it is in ids: the journal keeps it for ever, and no name may stand there.

    Raises:
        WrongUseError: it isn't.
    """
    if reference and (len(reference) > LONGEST_KEY or _IDS.fullmatch(reference) is None):
        raise WrongUseError(
            f"{reference!r} isn't an id.", "Give it as KIND:ID, such as payment:4711; what is to be said is the reason."
        )
    return reference


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
    if len(correction.key) > LONGEST_KEY or not correction.key.isprintable():
        raise WrongUseError(f"A key has up to {LONGEST_KEY} printable characters.", "Give another --key.")
    record = with_database(lambda session: _correct(session, correction, yes=yes))
    if as_json:
        print_json(record)
        return
    again = " before, by the same key; nothing was done now" if record["replayed"] else ""
    repaid = f" Of that, {record['repaid']} made up for what was owed." if record["repaid"] else ""
    print_lines(
        [
            f"{correction.done}{again}.{repaid}",
            f"{balance_in_words(record)} now. The key was {record['key']}.",
        ]
    )


async def _correct(session: Session, correction: Correction, *, yes: bool) -> dict[str, Any]:
    """Correct one customer's balance."""
    state = await session.customer(correction.reference)
    key = correction.key or f"{ACTOR}:{secrets.token_hex(KEY_BYTES)}"
    command = correction.make(state.customer.id, key)
    if isinstance(command, GrantCredits) and command.expires_at <= session.clock.now():
        raise WrongUseError("The day lies in the past.", "Give a later one by --expires.")
    for line in about(session, state):
        say(line)
    require_yes(correction.question, yes=yes)
    say(f"key: {key} (the same command with --key {key} would do it only once)")
    done = await carried_out(session, command)
    return {
        "customer_id": state.customer.id,
        "amount": correction.amount,
        "key": key,
        "entries": list(done.entries),
        "replayed": done.replayed,
        "repaid": await _repaid(session, state.account.id, done.entries),
        **await balance_record(session, state.customer.id),
    }


async def _repaid(session: Session, account_id: AccountId, entries: Sequence[int]) -> int:
    """Return how much debt these entries made up for, which follow each other; what repays by itself stands behind."""
    if not entries:
        return 0
    page = await session.database.reads.entries(account_id, after_seq=entries[0] - 1, limit=len(entries) + 1)
    booked = [entry for entry in page.entries if entry.seq in entries or entry.kind is EntryKind.REPAY]
    return sum(move.amount for entry in booked for move in entry.moves if move.credit == Place.DEBT)


async def carried_out(session: Session, command: KeyedCommand) -> Applied:
    """Have billing carry the command out.

    Raises:
        BillingError: the refusal.
        CommandError: nothing was done.
    """
    async with session.billing() as billing:
        return applied(await billing.handle(command))


async def balance_record(session: Session, customer_id: CustomerId) -> dict[str, int]:
    """Return a customer's balance as it stands now."""
    balance = standing(await session.customer(str(customer_id)), session.clock.now())
    return {"available": balance.available, "held": balance.held, "debt": balance.debt}


def about(session: Session, state: CustomerState) -> list[str]:
    """Say who was found."""
    customer = state.customer
    login = customer.github_login or "login unknown"
    balance = standing(state, session.clock.now())
    told = balance_in_words({"available": balance.available, "held": balance.held, "debt": balance.debt})
    return [
        f"customer {customer.id}: {login} ({customer.github_type or 'account'} {customer.github_account_id} at GitHub)",
        f"plan {effective_plan(state, session.plans).name}, {told}",
    ]


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
        case Answered() | Backfilled():
            raise AssertionError("corrections aren't answered so")
        case _:
            raise CommandError(f"Nothing was done: {outcome.reason}.", "Try again in a minute.")
