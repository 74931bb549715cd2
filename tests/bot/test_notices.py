"""Low balances, told to the vendor: what arrives, once as far as its id tells, and why nothing does."""

import json
from datetime import timedelta

import aiohttp
import pytest

from billing.errors import TemporaryFailureError, UnknownCustomerError
from billing.records import LowBalance
from billing.values import AccountId, CustomerId
from bot.notices import NoticeSender
from bot.posting import Poster
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.effects import ClaimedEffect
from storage.low_balances import LOW_BALANCE_TOPIC, pack_low_balance
from tests.bot.receiving import http_receiver
from tests.cli.seeding import ACME, Seeding


async def low_balance(database: Database, clock: VirtualClock, **changes: int) -> ClaimedEffect:
    """Acme's balance has crossed a threshold."""
    seeding = Seeding(database, clock)
    await seeding.install(ACME)
    record = LowBalance(
        customer_id=CustomerId(changes.get("customer_id", await seeding.customer(ACME))),
        account_id=AccountId(7),
        threshold=changes.get("threshold", 10),
        balance=changes.get("balance", 3),
        seq=31,
        at=clock.now() - timedelta(minutes=1),
    )
    return ClaimedEffect(
        id=1,
        topic=LOW_BALANCE_TOPIC,
        key="account:7",
        payload=pack_low_balance(record),
        attempts=1,
        lease_number=1,
    )


async def test_the_vendor_learns_whose_balance_and_how_low(database: Database, clock: VirtualClock) -> None:
    effect = await low_balance(database, clock)
    async with http_receiver() as vendor, aiohttp.ClientSession() as session:
        poster = Poster(session, url=vendor.url, setting="ALERT_WEBHOOK_URL")
        for _ in range(2):
            assert await NoticeSender(reads=database.reads, poster=poster).send(effect) == ""

    documents = [json.loads(body) for _, body in vendor.requests]
    assert documents[0] == documents[1]
    assert documents[0] == {
        "id": "low_balance:7:10:31",
        "kind": "low_balance",
        "customer_id": documents[0]["customer_id"],
        "github_account_id": ACME.id,
        "github_login": "acme",
        "balance": 3,
        "threshold": 10,
        "entry": 31,
        "at": "2026-11-02T09:29:00Z",
        "text": "Tallyhook: acme has 3 credits left.",
    }
    assert (b"Content-Type", b"application/json") in vendor.requests[0][0]


@pytest.mark.parametrize(("balance", "words"), [(0, "acme has no credits left."), (1, "acme has 1 credit left.")])
async def test_it_is_told_in_words(database: Database, clock: VirtualClock, balance: int, words: str) -> None:
    effect = await low_balance(database, clock, balance=balance, threshold=balance)
    async with http_receiver() as vendor, aiohttp.ClientSession() as session:
        poster = Poster(session, url=vendor.url, setting="ALERT_WEBHOOK_URL")
        await NoticeSender(reads=database.reads, poster=poster).send(effect)

    assert json.loads(vendor.requests[0][1])["text"].endswith(words)


async def test_without_an_address_nobody_is_told(database: Database, clock: VirtualClock) -> None:
    effect = await low_balance(database, clock)

    assert await NoticeSender(reads=database.reads, poster=None).send(effect) == "no ALERT_WEBHOOK_URL is set"


async def test_what_was_not_received_is_tried_again(database: Database, clock: VirtualClock) -> None:
    effect = await low_balance(database, clock)
    async with http_receiver() as vendor, aiohttp.ClientSession() as session:
        vendor.fail(503)
        poster = Poster(session, url=vendor.url, setting="ALERT_WEBHOOK_URL")
        with pytest.raises(TemporaryFailureError, match="ALERT_WEBHOOK_URL answered 503"):
            await NoticeSender(reads=database.reads, poster=poster).send(effect)


async def test_a_customer_that_there_is_not_is_a_bug(database: Database, clock: VirtualClock) -> None:
    effect = await low_balance(database, clock, customer_id=999_999)
    async with http_receiver() as vendor, aiohttp.ClientSession() as session:
        poster = Poster(session, url=vendor.url, setting="ALERT_WEBHOOK_URL")
        with pytest.raises(UnknownCustomerError):
            await NoticeSender(reads=database.reads, poster=poster).send(effect)

    assert vendor.requests == []
