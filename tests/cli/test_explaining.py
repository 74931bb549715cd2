"""The words for every reason and every end that a grant's credits can have."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.commands import AdjustCredits, Note
from billing.explain import (
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
)
from billing.state import Grant
from billing.values import NEVER, Category, Origin, Provider
from bot.cli.explaining import story_in_words
from bot.cli.reason_words import reason_in_words
from bot.cli.statement import PAGE_SIZE
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.cli.conftest import Settings
from tests.cli.running import invoke
from tests.cli.seeding import OCTOCAT, Seeding

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
MIDNIGHT = NOON.replace(hour=0)
GITHUB = Provider.GITHUB_MARKETPLACE


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (SignupAwaited(), "never installed"),
        (SignupWithheld(), "three organizations"),
        (PlanUnknown(provider=GITHUB, marketplace_plan_id=77), "plan 77, which isn't in the catalogue"),
        (PlanOnTrial(provider=GITHUB, plan="pro"), "pro is on its free trial"),
        (
            PlanUnconfirmed(provider=GITHUB, plan="pro", missing_since=NOON, ends_at=NOON + timedelta(days=1)),
            "hasn't shown the plan pro since 2026-01-10 12:00:00Z",
        ),
        (PlanEnded(provider=GITHUB, plan="pro", ended_at=NOON), "pro ended at 2026-01-10 12:00:00Z"),
        (
            PeriodProrated(provider=GITHUB, starts_at=NOON, ends_at=NOON, target=40, allowance=60),
            "40 of 60 credits",
        ),
        (
            PeriodAwaited(provider=GITHUB, ended_at=NOON, next_billing_date=NOON),
            "GitHub shows 2026-01-10 12:00:00Z as the next billing date",
        ),
        (PeriodAwaited(provider=GITHUB, ended_at=NOON, next_billing_date=None), "GitHub shows no date"),
        (
            PeriodAwaited(provider=GITHUB, ended_at=MIDNIGHT, next_billing_date=MIDNIGHT),
            "The period ended on 2026-01-10, and the next one isn't confirmed: GitHub shows 2026-01-10 as",
        ),
        (
            PeriodProrated(provider=GITHUB, starts_at=NOON, ends_at=MIDNIGHT, target=40, allowance=60),
            "from 2026-01-10 12:00:00Z to 2026-01-10 isn't a full one",
        ),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_each_reason_has_its_words(reason: Reason, words: str) -> None:
    assert words in reason_in_words(reason)


def told(grant: Grant, **parts: int) -> str:
    """The story of a grant; of what isn't named, nothing."""
    nothing = {"used": 0, "repaid": 0, "revoked": 0, "expired": 0, "held": 0, "left": 0, "owed": 0}
    return story_in_words(GrantStory(grant=grant, amount=grant.amount, **nothing | parts))


GRANT = Grant(
    number=1,
    origin=Origin.GOODWILL,
    category=Category.PROMOTIONAL,
    priority=50,
    amount=5,
    remaining=0,
    effective_at=NOON,
    expires_at=NEVER,
)


@pytest.mark.parametrize(
    ("story", "words"),
    [
        ({"left": 5}, "grant 1, 2026-01-10 12:00:00Z: 5 credits given by hand: 5 left"),
        (
            {"used": 1, "revoked": 1, "expired": 2, "left": 1},
            "5 credits given by hand: 1 used, 1 taken back, 2 expired, 1 left",
        ),
        ({"used": 2, "held": 3}, "2 used, 3 held"),
        ({"repaid": 4, "used": 1}, "1 used, 4 made up for debt"),
        ({"used": 5, "owed": 2}, "5 used; 2 of those used had to be given back, and became debt"),
    ],
)
def test_each_grant_has_its_story(story: dict[str, int], words: str) -> None:
    assert told(GRANT, **story).endswith(words)


def test_an_expiry_is_told_of_what_is_left() -> None:
    mortal = replace(GRANT, expires_at=NOON + timedelta(days=1))

    assert told(mortal, used=4, left=1).endswith("4 used, 1 left, expires 2026-01-11 12:00:00Z")
    assert told(mortal, used=5).endswith("5 used")


def write_a_long_journal(settings: Settings) -> None:
    """Three credits are owed by an entry, then sums come and go that change the debt, over more than one page."""

    async def write() -> None:
        clock = VirtualClock()
        database = Database.connect(settings["DATABASE_URL"], clock=clock)
        await database.open()
        seeding = Seeding(database, clock)
        customer_id = await seeding.customer(OCTOCAT)
        for number in range(PAGE_SIZE + 4):
            change = -8 if number == 0 else 2 if number % 2 else -2
            note = Note(text=f"reason {number}", actor_name="Ada", salt=b"salt")
            await seeding.carry_out(
                AdjustCredits(customer_id=customer_id, change=change, key=f"key {number}", actor="operator", note=note)
            )
        await database.close()

    asyncio.run(write())


def test_a_journal_of_many_pages_is_explained_whole_and_at_any_entry(seeded_sqlite: Settings) -> None:
    write_a_long_journal(seeded_sqlite)

    def explained(*options: str) -> dict[str, Any]:
        ended = invoke("credits", "explain", "github:@octocat", "--json", *options, settings=seeded_sqlite)
        assert ended.code == 0, ended.stderr
        record: dict[str, Any] = json.loads(ended.stdout)
        return record

    whole = explained()
    last = whole["entry"]
    assert last == PAGE_SIZE + 5
    assert [entry["entry"] for entry in whole["debt_entries"]] == list(range(2, last + 1))
    assert ["reason" in entry["text"] for entry in whole["debt_entries"]] == [True] * (last - 1)
    for seq in (PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, last):
        behind = explained("--seq", str(seq))
        assert (behind["entry"], behind["debt"]) == (seq, 1 if seq % 2 else 3)
        assert behind["debt_entries"] == whole["debt_entries"][: seq - 1]
        then = explained("--at", behind["at"])
        assert then["entry"] >= seq
        assert explained("--seq", str(then["entry"]))["debt_entries"] == then["debt_entries"]
    words = invoke("credits", "explain", "github:@octocat", "--seq", str(last + 1), settings=seeded_sqlite)
    assert (words.code, f"There is no entry {last + 1}." in words.stderr) == (1, True)
