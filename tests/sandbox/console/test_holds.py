"""Holds on the page: credits set aside, captured and released as the vendor's app does, and told where they count."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from sandbox.clock import VirtualClock
from sandbox.console.history import history_of
from sandbox.inspector import CustomerView, ExpiryView, GrantView, HoldView
from tests.sandbox.console.conftest import Console
from tests.sandbox.inspecting import customer


def holding(clock: VirtualClock, *holds: HoldView, debt: int = 0) -> CustomerView:
    """A customer on Pro with these holds on the plan's credits."""
    whole = customer(now=clock.now(), available=47)
    held = sum(hold.credits for hold in holds)
    plan, signup = whole.grants
    grants = (replace(plan, remaining=plan.remaining - held, held=held), signup)
    return replace(whole, available=47 - held, held=held, debt=debt, holds=holds, grants=grants)


def hold(clock: VirtualClock, number: int, count: int = 1) -> HoldView:
    """A hold that times out as many hours ahead as its number says."""
    return HoldView(id=number, credits=count, until=clock.now() + timedelta(hours=number))


async def test_holding_capturing_and_releasing_are_asked_of_the_product(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: holding(clock)})

    said = [
        await console.act("hold", account=acme.id, credits=2),
        await console.act("capture", account=acme.id, hold=7),
        await console.act("release", account=acme.id, hold=8),
        await console.act("hold", account=console.account("ada").id, credits=2),
    ]

    assert console.product.asked == [("hold", acme.id, 2), ("capture", acme.id, 7), ("release", acme.id, 8)]
    assert said == [
        (200, "hold of 2 is done."),
        (200, "capture of 7 is done."),
        (200, "release of 8 is done."),
        (409, "That can't be done: nobody knows the account."),
    ]


@pytest.mark.parametrize(
    ("action", "values"),
    [("hold", {"credits": 0}), ("capture", {}), ("release", {"hold": "all"}), ("capture", {"hold": 1.5})],
)
async def test_what_is_no_hold_is_refused(console: Console, action: str, values: dict[str, object]) -> None:
    acme = console.account("acme")
    async with console.session.post(f"{console.url}act/{action}", json={"account": acme.id, **values}) as answer:
        assert answer.status == 422

    assert console.product.asked == []


async def test_what_is_held_and_owed_is_told_beside_the_balance(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: holding(clock)})
    assert "held" not in await console.words("balance")
    console.product.show(customers={acme.id: holding(clock, hold(clock, 3, 2), debt=1)})
    words = await console.words("balance")
    assert "45 credits Pro active" in words
    assert "2 credits held for work under way; 1 credit owed" in words
    assert "40 of 60 2 held, plan" in words


async def test_open_holds_can_be_ended_and_the_rest_is_counted(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: holding(clock, *(hold(clock, number) for number in range(1, 9)))})

    desk = await console.words("desk")

    assert desk.count("Capture") == desk.count("Release") == 6
    assert "2 more; tallyhook credits holds has them." in desk


async def test_a_time_out_is_something_that_comes_next(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: holding(clock, hold(clock, 3))})

    assert "hold 3 of acme times out" in await console.words("clock")


async def test_a_time_out_that_nobody_has_booked_gives_back(console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    whole = holding(clock)
    came_back = replace(whole, available=49, expired=(ExpiryView(amount=-2, at=clock.now()),))
    console.product.show(customers={acme.id: came_back})

    assert "timed out since then; booked before the next entry +2 49 4 expire" in await console.words("ledger")
    last = history_of(came_back, clock.now()).past[-1]
    assert (last.balance, last.amount, last.what, last.is_expiry) == (49, 2, "a hold timed out, not booked yet", False)


async def test_a_grant_that_is_held_whole_expires_nothing(clock: VirtualClock) -> None:
    whole = holding(clock)
    all_held = GrantView(
        id="9", origin="plan", amount=3, remaining=0, held=3, expires_at=clock.now() + timedelta(days=1)
    )

    without, with_it = (
        history_of(replace(whole, grants=grants), clock.now()).future
        for grants in (whole.grants, (all_held, *whole.grants))
    )

    assert with_it == without


@pytest.mark.browser
async def test_a_newcomer_holds_captures_and_releases(page: Page, console: Console, clock: VirtualClock) -> None:
    acme = console.account("acme")
    console.product.show(customers={acme.id: holding(clock)})
    desk = page.locator("#desk")
    await desk.get_by_label("Credits").fill("2")
    await desk.get_by_role("button", name="Hold", exact=True).click()
    await expect(page.locator("#notice")).to_have_text("hold of 2 is done.")
    console.product.show(customers={acme.id: holding(clock, hold(clock, 3, 2), hold(clock, 4))})
    await expect(page.locator("#balance").get_by_text("3 credits held for work under way")).to_be_visible()
    await desk.get_by_role("button", name="Capture hold 3").click()
    await expect(page.locator("#notice")).to_have_text("capture of 3 is done.")
    await desk.get_by_role("button", name="Release hold 4").click()
    await expect(page.locator("#notice")).to_have_text("release of 4 is done.")
    assert console.product.asked == [("hold", acme.id, 2), ("capture", acme.id, 3), ("release", acme.id, 4)]
