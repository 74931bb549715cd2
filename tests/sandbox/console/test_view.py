"""What the page shows of accounts, threads and balances."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.clock import VirtualClock
from sandbox.console.account_view import account_card, account_lines
from sandbox.console.cast import Cast, ready_accounts
from sandbox.console.focus import find_focus
from sandbox.console.talk_view import talk_of
from sandbox.console.words import (
    describe_price,
    describe_subject,
    ordinal,
    write_credits,
    write_signed,
    write_wait,
)
from sandbox.github.server import GitHubStandIn
from sandbox.inspector import CustomerView, ExpiryView, Snapshot
from tests.sandbox.console.conftest import Console
from tests.sandbox.inspecting import busy_snapshot, customer


def test_a_card_says_what_github_knows(github: GitHubStandIn, clock: VirtualClock) -> None:
    acme, _, _, grace = ready_accounts(github, Cast(github))
    assert not account_card(github, grace).has_plan
    github.buy(grace, "Plus")
    card = account_card(github, grace)
    assert card.has_plan
    assert (card.plan, card.on_free_trial, card.billing_day) == ("Plus, monthly", True, "15th")
    assert card.free_trial_ends_on == datetime(2026, 1, 24, tzinfo=UTC)
    github.buy(acme, "Team", units=3)
    github.change(acme, units=2)
    github.fail_payment(acme, hours=1)
    card = account_card(github, acme)
    assert (card.plan, card.scheduled, card.hidden) == ("Team, 3 seats, monthly", "becomes Team on 20 Jan 2026", True)
    github.retire_plan("Plus")
    card = account_card(github, acme)
    assert [(offer.name, offer.price, offer.is_for_sale) for offer in card.offers] == [
        ("Plus", "$999 a month", False),
        ("Pro", "$599 a month", True),
        ("Team", "$49 a seat and month", True),
        ("Free", "$0", True),
    ]
    assert [(offer.name, offer.other_cycle) for offer in card.offers if offer.is_current] == [("Team", "yearly")]
    assert describe_price(github.state.plan("Team")) == "$49 a seat and month"
    clock.advance(hours=1)
    assert not account_card(github, acme).hidden


def test_those_who_are_made_up_are_not_shown(github: GitHubStandIn) -> None:
    cast = Cast(github)
    globex = github.add_organization("globex")
    assert github.state.human(globex).login == "globex-owner"
    github.rename(globex, "globex-2")
    zoe = github.add_user("zoe")
    assert cast.shown_accounts() == [globex, zoe]
    assert cast.default_account() is globex
    cast.leave_out([zoe.id])
    assert cast.shown_accounts() == [globex]


def test_a_repository_has_people_of_every_kind(github: GitHubStandIn) -> None:
    cast = Cast(github)
    acme = ready_accounts(github, cast)[0]
    private, public = acme.repositories
    assert [(person.account.login, person.label) for person in cast.people(private)] == [
        ("ada", "owner"),
        ("mona", "maintainer"),
        ("walt", "writer"),
        ("rita", "reader"),
        ("helper[bot]", "bot"),
    ]
    assert [person.label for person in cast.people(public)] == [
        "owner",
        "maintainer",
        "writer",
        "reader",
        "outsider",
        "bot",
    ]


def test_one_of_the_people_may_own_a_repository_too(github: GitHubStandIn) -> None:
    cast = Cast(github)
    mona = github.state.account("mona")
    repository = cast.add_repository(mona, "own", private=True)
    assert [person.label for person in cast.people(repository)] == ["owner", "writer", "reader", "bot"]


@pytest.mark.parametrize(
    ("day", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd"), (31, "31st")],
)
def test_days_are_spoken(day: int, words: str) -> None:
    assert ordinal(day) == words


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (timedelta(seconds=3), "in a moment"),
        (timedelta(minutes=1), "in a minute"),
        (timedelta(minutes=29, seconds=40), "in 30 minutes"),
        (timedelta(hours=1, minutes=10), "in an hour"),
        (timedelta(days=1, hours=3), "in a day"),
        (timedelta(days=31), "in 31 days"),
    ],
)
def test_waits_are_spoken_roughly(wait: timedelta, words: str) -> None:
    assert write_wait(wait) == words


def test_amounts_have_a_real_minus() -> None:
    assert (write_signed(3), write_signed(-17), write_credits(1), write_credits(0)) == (
        "+3",
        "\u221217",
        "1 credit",
        "0 credits",
    )


def test_subjects_are_named_where_there_is_a_name(github: GitHubStandIn) -> None:
    acme = ready_accounts(github, Cast(github))[0]
    known = acme.repositories[1].id
    assert [
        describe_subject(subject, github)
        for subject in (f"account:{acme.id}", "account:5", f"thread:{known}:3", "thread:9:3", "unknown_plan:9", "")
    ] == ["acme", "account 5", "acme/website#3", "9#3", "unknown_plan:9", ""]


async def test_the_guide_ticks_off_what_is_done(console: Console, github: GitHubStandIn) -> None:
    acme = console.account("acme")
    assert (await console.words("guide")).count("Done:") == 0
    github.install(acme)
    assert (await console.words("guide")).count("Done:") == 1
    github.suspend(acme)
    assert "Unsuspend" in await console.words("guide")
    github.unsuspend(acme)
    github.buy(acme, "Pro")
    assert (await console.words("guide")).count("Done:") == 2
    github.comment(acme.repositories[0].threads[1], github.app_bot, "60 credits")
    words = await console.words("guide")
    assert words.startswith("That was the first minute.")
    assert "a jump to the billing date" in words


async def test_a_thread_is_shown_as_github_shows_it(
    console: Console, github: GitHubStandIn, clock: VirtualClock
) -> None:
    public = console.account("acme").repositories[1]
    thread = public.threads[1]
    query = f"?account={public.owner.id}&repository={public.id}"
    asked = github.comment(thread, "otto", "**/credits**, please")
    github.react(asked, github.app_bot, "confused")
    clock.advance(minutes=3)
    answer = github.comment(thread, github.app_bot, "| a | b |\n| - | - |\n| 1 | 2 |")
    clock.advance(minutes=3)
    github.edit_comment(answer, "Enough.")
    html = await console.region("thread", query)
    words = await console.words("thread", query)
    assert "Fix a typo on the front page #1 Open public" in words
    assert "mona opened this 10 Jan 12:00 maintainer" in words
    assert "<strong>/credits</strong>, please" in html
    assert "😕 1 tallyhook-sandbox[bot] reacted with confused" in words.replace("1tallyhook", "1 tallyhook")
    assert "tallyhook-sandbox bot commented 10 Jan 12:03 · edited" in words
    assert "Enough." in words
    assert "outsider" not in words.partition("otto")[2].partition("tallyhook")[0]
    github.lock(thread)
    assert "Unlock conversation" in await console.words("thread", query)


async def test_a_long_thread_shows_its_end(console: Console, github: GitHubStandIn) -> None:
    thread = console.account("acme").repositories[0].threads[1]
    for number in range(65):
        github.comment(thread, "mona", f"remark {number}.")
    words = await console.words("thread")
    assert "5 older comments aren't shown." in words
    assert "remark 4." not in words
    assert "remark 5." in words


async def test_the_writer_says_when_nobody_hears(console: Console, github: GitHubStandIn) -> None:
    acme = console.account("acme")
    assert "what is written here: it isn't installed on acme." in await console.words("writer")
    github.install(acme, repositories=["website"])
    assert "its installation doesn't see this repository." in await console.words("writer")
    query = f"?repository={acme.repositories[1].id}"
    assert "doesn't hear" not in await console.words("writer", query)
    github.suspend(acme)
    assert "its installation on acme is suspended." in await console.words("writer", query)


async def test_where_nothing_is_the_page_says_what_to_do(console: Console, github: GitHubStandIn) -> None:
    zoe = github.add_user("zoe")
    query = f"?account={zoe.id}"
    assert "has no repository yet. Add one below." in await console.words("places", query)
    assert await console.words("thread", query) == ""
    assert await console.words("writer", query) == ""
    assert "Install the App, or buy a plan." in await console.words("balance", query)
    assert "will be drawn here" in await console.words("plot", query)
    assert "The first comes with an installation" in await console.words("ledger", query)
    assert "Install the App on an account" in await console.words("deliveries", query)
    assert "Comment /credits in a thread" in await console.words("effects", query)
    github.add_repository(zoe, "empty")
    assert "Open an issue above" in await console.words("thread", query)


async def test_a_customer_is_shown_with_what_is_to_come(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(busy_snapshot(now=clock.now(), account_id=acme.id), {acme.id: customer(now=clock.now())})
    balance = await console.words("balance")
    assert balance.startswith("47 credits Pro active becomes Trial on 10 Jan 2026")
    assert "42 of 60 plan, until 20 Jan 12:00" in balance
    assert "5 of 5 signup, never expires" in balance
    assert "The period isn't a full one" in balance
    assert "acme Pro, not installed 47 credits" in await console.words("accounts")
    assert "Next: the delivery marketplace_purchase of acme is due" in await console.words("clock")
    assert "42 credits of acme expire, in 10 days" in await console.words("clock")
    assert "unknown plan 10 Jan 12:00, plan 9999 Add it to plans.toml." in await console.words("alarms")
    assert "1 alarm" in await console.words("alerts")


async def test_a_customer_without_expiry_or_change_is_shown_plainly(console: Console, clock: VirtualClock) -> None:
    acme, ada = console.account("acme"), console.account("ada")
    plain = CustomerView(id="1", plan="Trial", plan_state="none", available=1)
    ending = customer(now=clock.now())
    [subscription] = ending.subscriptions
    ending = replace(ending, subscriptions=(replace(subscription, pending_plan=None, ends=True, changes_at=None),))
    console.product.show(Snapshot(), {acme.id: plain, ada.id: ending})
    assert await console.words("balance") == "1 credit Trial"
    assert "47 credits Pro active ends" in await console.words("balance", f"?account={ada.id}")
    assert "will be drawn here" in await console.words("plot")


async def test_what_expired_since_the_last_entry_is_shown_above_it(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    whole = customer(now=clock.now())
    console.product.show(
        customers={acme.id: replace(whole, expired=(ExpiryView(amount=43, at=clock.now()),))},
    )
    ledger = await console.words("ledger")
    assert "expired since then; booked before the next entry \u221243 4 4 expire" in ledger
    console.product.show(customers={acme.id: whole})
    assert "since then" not in await console.words("ledger")


async def test_the_plot_is_told_in_words_too(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: customer(now=clock.now())})
    html = await console.region("plot")
    sentence = (
        "From 0 credits on 21 Dec 2025 to 47 now, at most 65 (21 Dec 2025)."
        " 42 of them expire on 20 Jan 2026 unless they are used."
    )
    assert re.findall(r'role="img" aria-label="([^"]+)"', html) == [f"Balance of acme over time. {sentence}"] * 2
    words = await console.words("plot")
    assert sentence in words
    assert "8 Jan 12:00 expired, of grant 2 47 20 Jan 12:00 \u221242, expires unless it is used 5" in words


def test_lists_say_what_is_chosen(github: GitHubStandIn) -> None:
    cast = Cast(github)
    acme, initech = ready_accounts(github, cast)[:2]
    assert [line.login for line in account_lines(github, cast, initech, {}) if line.is_chosen] == ["initech"]
    public = acme.repositories[1]
    github.open_issue(public, "mona", "Another one")
    talk = talk_of(github, cast, find_focus(cast, {"repository": str(public.id), "thread": "1"}))
    assert talk.deafness == "it isn't installed on acme"
    assert [place.label for place in talk.repositories if place.is_chosen] == ["website"]
    assert [(place.label, place.is_pull_request) for place in talk.threads if place.is_chosen] == [
        ("#1 Fix a typo on the front page", True)
    ]


def test_a_post_says_whose_it_is_and_that_it_changed(github: GitHubStandIn) -> None:
    cast = Cast(github)
    thread = ready_accounts(github, cast)[0].repositories[0].threads[1]
    answer = github.comment(thread, github.app_bot, "60 credits")
    github.react(answer, "mona", "hooray")
    beginning, before = talk_of(github, cast, find_focus(cast, {})).posts
    github.edit_comment(answer, "59 credits")
    talk = talk_of(github, cast, find_focus(cast, {}))
    after = talk.posts[1]
    assert (beginning.is_bot, before.is_bot, before.is_ours, talk.left_out) == (False, True, True, 0)
    assert before.stamp != after.stamp
    assert [(line.emoji, line.count) for line in after.reactions] == [("🎉", 1)]


def test_a_payment_can_fail_only_where_something_is_paid(github: GitHubStandIn) -> None:
    acme = ready_accounts(github, Cast(github))[0]
    github.buy(acme, "Free")
    assert not account_card(github, acme).is_paid
    github.change(acme, "Pro")
    card = account_card(github, acme)
    assert (card.is_paid, card.has_upgraded) == (True, True)
