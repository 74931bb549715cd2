"""Why a balance is what it is, in words: what billing took apart, told grant by grant and reason by reason."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

from billing.commands import Note
from billing.errors import UnknownCustomerError
from billing.explain import (
    Explanation,
    GrantStory,
    PeriodAwaited,
    PeriodProrated,
    PlanEnded,
    PlanOnTrial,
    PlanUnconfirmed,
    PlanUnknown,
    Reason,
    SignupAwaited,
    SignupWithheld,
    explain,
)
from billing.ledger.entries import Entry
from billing.state import CustomerState, Grant
from billing.values import NEVER, EntryKind, Origin
from bot.cli.customer_record import grant_record
from bot.cli.database import Session, with_database
from bot.cli.output import credits_in_words, print_json, print_lines, readable_day, readable_time, rfc3339
from bot.cli.statement import PAGE_SIZE


def print_explanation(reference: str, *, as_json: bool) -> None:
    """Explain a customer's balance."""
    state, explanation = with_database(lambda session: _explain(session, reference))
    if as_json:
        print_json(explanation_record(state, explanation))
    else:
        print_lines(explanation_lines(state, explanation))


async def _explain(session: Session, reference: str) -> tuple[CustomerState, Explanation]:
    """Take a customer's balance apart, as it stood at one moment beside a server that goes on writing."""
    state = await session.customer(reference)
    reads = session.database.reads
    book = await reads.book(state.account.id)
    if book is None:
        raise UnknownCustomerError(reference)
    entries: list[Entry] = []
    seq, version = 0, book.account.version
    while seq < version and (page := await reads.entries(book.account.id, after_seq=seq, limit=PAGE_SIZE)):
        entries.extend(entry for entry in page.entries if entry.seq <= version)
        seq = page.entries[-1].seq
    state = replace(state, account=book.account, grants=tuple(grant for grant in book.grants if grant.remaining))
    return state, explain(state, book.grants, entries, session.plans, session.clock.now())


def explanation_record(state: CustomerState, explanation: Explanation) -> dict[str, Any]:
    """Return an explanation for programs."""
    following = _next_to_expire(explanation)
    return {
        "customer_id": state.customer.id,
        "available": explanation.available,
        "plan": explanation.plan.id,
        "grants": [
            {
                **grant_record(story.grant),
                "effective_at": rfc3339(story.grant.effective_at),
                "spent": story.spent,
                "revoked": story.revoked,
                "expired": story.expired + story.due,
                "left": story.left,
                "text": story_in_words(story),
            }
            for story in explanation.stories
        ],
        "next_to_expire": None
        if following is None
        else {"grant": following.grant.number, "amount": following.left, "at": rfc3339(following.grant.expires_at)},
        "reasons": [{"reason": _kind(reason), "text": reason_in_words(reason)} for reason in explanation.reasons],
    }


def explanation_lines(state: CustomerState, explanation: Explanation) -> list[str]:
    """Return an explanation for people."""
    who = state.customer.github_login or str(state.customer.github_account_id)
    balance = credits_in_words(explanation.available)
    lines = [f"{who} has {balance} to spend, on the plan {explanation.plan.name}.", ""]
    lines += [f"  {story_in_words(story)}" for story in explanation.stories] or ["  Nothing was ever granted."]
    following = _next_to_expire(explanation)
    if following is not None:
        when = readable_time(following.grant.expires_at)
        lines += ["", f"Next to expire: {credits_in_words(following.left)}, at {when}."]
    if explanation.reasons:
        lines += ["", "Why there isn't more:"]
        lines += [f"  {reason_in_words(reason)}" for reason in explanation.reasons]
    return lines


def story_in_words(story: GrantStory) -> str:
    """Tell where a grant came from and what became of it."""
    parts = [
        f"{count} {word}"
        for count, word in (
            (story.spent, "used"),
            (story.revoked, "taken back"),
            (story.expired + story.due, "expired"),
            (story.left, "left"),
        )
        if count
    ]
    until = readable_time(story.grant.expires_at, never="never")
    expiry = f", expires {until}" if story.left and story.grant.expires_at != NEVER else ""
    when = readable_time(story.grant.effective_at)
    return f"grant {story.grant.number}, {when}: {origin_in_words(story.grant)}: {', '.join(parts)}{expiry}"


def origin_in_words(grant: Grant) -> str:
    """Tell why a grant was made."""
    amount = credits_in_words(grant.amount)
    match grant.origin:
        case Origin.SIGNUP:
            return f"{amount} for signing up"
        case Origin.PLAN:
            return f"{amount} of the plan, for the period from {readable_day(grant.period_starts_at)}"
        case Origin.GOODWILL:
            return f"{amount} given by hand"
        case _:
            assert_never(grant.origin)


def entry_in_words(entry: Entry, grants: Mapping[int, Grant], note: Note | None) -> str:
    """Tell where an entry of the ledger came from.

    Args:
        entry: the entry.
        grants: the account's, by number, used-up ones too.
        note: the entry's, unless it has none or was erased.
    """
    of_grants = " and ".join(f"grant {move.grant_number}" for move in entry.moves)
    match entry.kind:
        case EntryKind.GRANT:
            text = origin_in_words(grants[entry.moves[0].grant_number])
        case EntryKind.SPEND:
            text = f"used, of {of_grants}"
        case EntryKind.EXPIRE:
            text = f"expired, of {of_grants}"
        case EntryKind.REVOKE:
            text = f"taken back, of {of_grants}"
        case _:
            assert_never(entry.kind)
    return f"{text}: {note.text}" if note else text


def reason_in_words(reason: Reason) -> str:
    """Tell why there aren't more credits."""
    match reason:
        case SignupAwaited():
            return "The App was never installed on the account; sign-up credits come with the first installation."
        case SignupWithheld():
            return (
                "Sign-up credits are withheld: whoever installed the App had them for three organizations within"
                " thirty days. They come with a payment method."
            )
        case PlanUnknown(marketplace_plan_id=number):
            return (
                f"GitHub shows plan {number}, which isn't in the catalogue: nothing is granted for it until"
                " marketplace_plan_ids names it; then it is caught up by itself."
            )
        case PlanOnTrial(plan=plan):
            return f"The plan {plan} is on its free trial; its monthly credits come with the first paid period."
        case PlanUnconfirmed(plan=plan, missing_since=since, ends_at=ends_at):
            return (
                f"GitHub hasn't shown the plan {plan} since {readable_time(since)}: no new credits meanwhile, and it"
                f" ends if that lasts until {readable_time(ends_at)}."
            )
        case PlanEnded(plan=plan, ended_at=ended_at):
            return f"The plan {plan} ended at {readable_time(ended_at)}; its credits live until they expire."
        case PeriodProrated():
            return (
                f"The period from {readable_day(reason.starts_at)} to {readable_day(reason.ends_at)} isn't a full"
                f" one: {reason.target} of {credits_in_words(reason.allowance)}, as GitHub charged in proportion."
            )
        case PeriodAwaited(ended_at=ended_at, next_billing_date=date):
            shown = f"GitHub shows {readable_day(date)} as the next billing date" if date else "GitHub shows no date"
            return f"The period ended on {readable_day(ended_at)}, and the next one isn't confirmed: {shown}."
        case _:
            assert_never(reason)


def _kind(reason: Reason) -> str:
    """Return a reason's name for programs, such as `plan_unknown`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(reason).__name__).lower()


def _next_to_expire(explanation: Explanation) -> GrantStory | None:
    """Return the grant that expires next, None if nothing does."""
    mortal = (story for story in explanation.stories if story.left and story.grant.expires_at != NEVER)
    return min(mortal, key=lambda story: story.grant.expires_at, default=None)
