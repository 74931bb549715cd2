"""From a signed webhook over real HTTP to the ledger, and what GitHub's troubles do to it on the way."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from billing.state import Subscription
from billing.values import Provider
from sandbox.clock import VirtualClock
from sandbox.github.model import Account
from storage import migrating
from tests.bot.receiving import http_receiver
from tests.bot.working import until, until_true
from tests.factories import PRO, TRIAL, Customers, Deployment, deployed
from tests.postgres import Postgres

ACCOUNTS = "/marketplace_listing/accounts/*"


@pytest.fixture
async def deployment(database_url: str, clock: VirtualClock) -> AsyncIterator[Deployment]:
    async with deployed(database_url, clock) as running:
        # Who the App is has been asked by then, so that no test meets that request.
        await until_true(lambda: running.contract.exchanges)
        yield running


@pytest.fixture
def customers(deployment: Deployment) -> Customers:
    return Customers(at=deployment)


async def subscription(deployment: Deployment, account: Account) -> Subscription | None:
    state = await deployment.customer(account)
    return None if state is None else state.subscription(Provider.GITHUB_MARKETPLACE)


async def posted(deployment: Deployment, account: Account) -> int:
    state = await deployment.customer(account)
    return 0 if state is None else state.account.posted


async def test_a_purchase_becomes_a_balance_at_once(deployment: Deployment, clock: VirtualClock) -> None:
    account, started = deployment.github.add_user("octocat", billing_day=15), clock.now()
    deployment.github.buy(account, PRO)

    async def has_credits() -> bool:
        return await posted(deployment, account) == 26

    await until(has_credits)
    # Nobody looked by the clock: the webhook woke the worker.
    assert clock.now() == started
    [delivery] = await deployment.deliveries()
    assert (delivery.route, delivery.event, delivery.action) == (
        "github_marketplace",
        "marketplace_purchase",
        "purchased",
    )
    assert (delivery.state, delivery.attempts) == ("done", 1)
    asked = [each.path for each in deployment.contract.exchanges]
    assert asked == ["/app", f"/marketplace_listing/accounts/{account.id}"]


async def test_a_webhook_sent_twice_counts_once(deployment: Deployment) -> None:
    deployment.github.webhook_faults.duplicate(times=None, copies=3)
    account = deployment.github.add_user("octocat", billing_day=15)
    deployment.github.install(account)
    deployment.github.buy(account, PRO)
    await deployment.settle()
    assert await posted(deployment, account) == 31
    assert len(await deployment.deliveries()) == 2


async def test_webhooks_in_the_wrong_order_end_in_what_holds(deployment: Deployment) -> None:
    account = deployment.github.add_user("octocat", billing_day=15)
    deployment.github.webhook_faults.hold()
    deployment.github.buy(account, TRIAL)
    deployment.github.change(account, PRO)
    deployment.github.install(account)
    deployment.github.uninstall(account)
    deployment.github.install(account)
    await deployment.settle()
    deployment.github.courier.release(reverse=True)
    await deployment.settle()
    for _ in range(5):
        await deployment.advance(seconds=1000)
    found = await subscription(deployment, account)
    assert found is not None
    assert (found.plan, found.state) == ("pro", "active")
    state = await deployment.customer(account)
    assert state is not None
    assert sorted(each.state for each in state.installations) == ["active", "deleted"]
    assert {row.state for row in await deployment.deliveries()} == {"done"}


async def test_an_answer_that_contradicts_its_delivery_is_asked_for_again_four_times(deployment: Deployment) -> None:
    account = deployment.github.add_user("octocat")
    deployment.github.webhook_faults.hold(action="purchased")
    deployment.github.buy(account, TRIAL)
    deployment.github.cancel(account)
    deployment.github.courier.release()
    await deployment.settle()
    purchased = next(row for row in await deployment.deliveries() if row.action == "purchased")
    for repeats, seconds in ((1, 10), (2, 60), (3, 300), (4, 900)):
        row = await deployment.database.inbox.show(purchased.id)
        assert row is not None
        assert (row.state, row.repeats, row.run_at - deployment.clock.now()) == (
            "received",
            repeats,
            timedelta(seconds=seconds),
        )
        await deployment.advance(seconds=seconds)
    row = await deployment.database.inbox.show(purchased.id)
    assert row is not None
    assert row.state == "ignored"
    assert await subscription(deployment, account) is None


async def test_an_outage_of_github_delays_and_loses_nothing(deployment: Deployment, customers: Customers) -> None:
    account = await customers.both()
    deployment.github.faults.fail(502, times=None)
    other = customers.account()
    deployment.github.buy(other, PRO)
    deployment.github.change(account, TRIAL)
    await deployment.settle()
    for _ in range(10):
        await deployment.advance(hours=1)
    found = await subscription(deployment, account)
    assert found is not None
    assert (found.plan, found.state, found.pending_plan) == ("pro", "active", "")
    assert await deployment.customer(other) is None
    waiting = [row for row in await deployment.deliveries() if row.state == "received"]
    assert {row.error for row in waiting} == {"GitHub answered 502"}
    assert len(waiting) == 2

    deployment.github.faults.clear()
    await deployment.advance(hours=2)
    found = await subscription(deployment, account)
    assert found is not None
    assert found.pending_plan == "trial"
    assert await posted(deployment, other) == 26
    assert await deployment.database.alarms.list() == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_listing_that_is_away_takes_no_plan(deployment: Deployment, customers: Customers, status: int) -> None:
    account = await customers.both()
    deployment.github.faults.fail(404, path=ACCOUNTS, times=None)
    deployment.github.faults.fail(status, path="/marketplace_listing/plans", times=None)
    deployment.github.change(account, TRIAL)
    await deployment.settle()
    await deployment.advance(hours=5)
    found = await subscription(deployment, account)
    assert found is not None
    assert (found.state, found.missing_since) == ("active", None)


async def test_a_rate_limit_puts_everything_off_and_nobody_asks_meanwhile(deployment: Deployment) -> None:
    accounts = [deployment.github.add_user(f"user-{number}", billing_day=15) for number in range(20)]
    deployment.github.faults.limit(429, retry_after_seconds=600)
    for account in accounts:
        deployment.github.buy(account, PRO)
    await deployment.settle()
    # Those under way when the first was refused may have been asked too.
    asked = len(deployment.contract.exchanges)
    await deployment.advance(seconds=599)
    assert len(deployment.contract.exchanges) == asked
    await deployment.advance(seconds=600)
    assert [await posted(deployment, account) for account in accounts] == [26] * 20
    assert max(row.attempts for row in await deployment.deliveries()) == 2


async def test_lost_answers_change_nothing(deployment: Deployment) -> None:
    account = deployment.github.add_user("octocat", billing_day=15)
    deployment.github.faults.lose_answer(times=4)
    deployment.github.buy(account, PRO)
    deployment.github.install(account)
    await deployment.settle()
    for _ in range(4):
        await deployment.advance(seconds=60)
    assert await posted(deployment, account) == 31


async def test_without_a_marketplace_it_is_never_asked(database_url: str, clock: VirtualClock) -> None:
    async with deployed(database_url, clock, marketplace="off") as deployment:
        account = deployment.github.add_user("octocat")
        deployment.github.buy(account, PRO)
        deployment.github.install(account)
        await deployment.settle()
        assert await subscription(deployment, account) is None
        assert await posted(deployment, account) == 5
        assert [row.event for row in await deployment.deliveries()] == ["installation"]
        assert not [each for each in deployment.contract.exchanges if "marketplace" in each.path]


async def test_deliveries_are_passed_on_as_they_were_signed(database_url: str, clock: VirtualClock) -> None:
    async with http_receiver() as receiver, deployed(database_url, clock, forward_url=receiver.url) as deployment:
        deployment.github.install(deployment.github.add_user("octocat"))
        await deployment.settle()
        # Two pings and the installation.
        await until_true(lambda: len(receiver.requests) == 3)
        secrets = [deployment.github.webhook_secret, deployment.github.marketplace_webhook_secret]
        for headers, body in receiver.requests:
            signature = dict(headers)[b"X-Hub-Signature-256"].decode()
            signatures = ["sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
            assert signature in signatures


async def test_a_database_that_comes_back_is_worked_with_again(durable_postgres: Postgres, clock: VirtualClock) -> None:
    url = durable_postgres.url(durable_postgres.create_database())
    await asyncio.to_thread(migrating.upgrade, url)
    async with deployed(url, clock) as deployment:
        account = deployment.github.add_user("octocat", billing_day=15)
        deployment.github.install(account)
        await deployment.settle()
        await asyncio.to_thread(durable_postgres.kill)
        deployment.github.buy(account, PRO)
        await deployment.github.settle()
        [failed] = [each for each in deployment.github.state.deliveries["marketplace"] if each.status_code == 503]
        # The worker looks once a second of the clock, and finds nobody.
        for _ in range(5):
            clock.advance(seconds=1)
        await asyncio.to_thread(durable_postgres.relaunch)
        deployment.github.courier.redeliver("marketplace", failed.id)

        async def has_credits() -> bool:
            clock.advance(seconds=1)
            return await posted(deployment, account) == 31

        await until(has_credits)
