"""The words for every reason and every end that a grant's credits can have."""

from datetime import UTC, datetime, timedelta

import pytest

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
from bot.cli.explaining import reason_in_words, story_in_words

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


@pytest.mark.parametrize(
    ("origin", "story", "words"),
    [
        (Origin.SIGNUP, {"left": 5}, "grant 1, 2026-01-10 12:00:00Z: 5 credits for signing up: 5 left"),
        (
            Origin.GOODWILL,
            {"spent": 1, "revoked": 1, "expired": 1, "due": 1, "left": 1},
            "5 credits given by hand: 1 used, 1 taken back, 2 expired, 1 left",
        ),
        (Origin.PLAN, {"spent": 5}, "5 credits of the plan, for the period from 2026-01-10 12:00:00Z: 5 used"),
    ],
)
def test_each_grant_has_its_story(origin: Origin, story: dict[str, int], words: str) -> None:
    grant = Grant(
        number=1,
        origin=origin,
        category=Category.PAID,
        priority=50,
        amount=5,
        remaining=story.get("left", 0),
        effective_at=NOON,
        expires_at=NEVER,
        provider=GITHUB if origin is Origin.PLAN else "",
        period_starts_at=NOON if origin is Origin.PLAN else None,
    )
    parts = {"spent": 0, "revoked": 0, "expired": 0, "due": 0, "left": 0} | story

    assert story_in_words(GrantStory(grant=grant, amount=5, **parts)).endswith(words)


def test_an_expiry_is_told_of_what_is_left() -> None:
    grant = Grant(
        number=2,
        origin=Origin.GOODWILL,
        category=Category.PROMOTIONAL,
        priority=50,
        amount=1,
        remaining=1,
        effective_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    story = GrantStory(grant=grant, amount=1, spent=0, revoked=0, expired=0, due=0, left=1)

    assert story_in_words(story).endswith("1 credit given by hand: 1 left, expires 2026-01-11 12:00:00Z")
