"""Deliveries passed on to a real receiver: the very bytes and headers, and what its answers mean."""

import zlib
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from billing.errors import TemporaryFailureError
from bot.forwarding import FORWARD_TOPIC, ForwardedDelivery, Forwarder
from bot.posting import Poster
from storage.effects import ClaimedEffect
from tests.bot.receiver import HttpReceiver
from tests.bot.receiving import http_receiver

BODY = b'{"action": "created",  "odd":\t"\xc3\xbcber"}\n'

HEADERS = (
    (b"Host", b"bot.example"),
    (b"Content-Length", b"44"),
    (b"connection", b"close"),
    (b"Transfer-Encoding", b"chunked"),
    (b"User-Agent", b"GitHub-Hookshot/044aadd"),
    (b"Accept", b"*/*"),
    (b"X-GitHub-Event", b"issue_comment"),
    (b"X-GitHub-Delivery", b"0b989ba4-242f-11e5-81e1-c7b6966d2516"),
    (b"X-Hub-Signature-256", b"sha256=00"),
    (b"Content-Type", b"application/json"),
    (b"X-Twice", b"one"),
    (b"X-Twice", "zwei ü".encode()),
    (b"X-Odd", b"\xff\xfe"),
)


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as started:
        yield started


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def an_effect(body: bytes = BODY) -> ClaimedEffect:
    payload = ForwardedDelivery.of(HEADERS, zlib.compress(body, 1)).packed()
    return ClaimedEffect(id=1, topic=FORWARD_TOPIC, key="forward", payload=payload, attempts=1, lease_number=1)


def forwarder(session: aiohttp.ClientSession, url: str, *, timeout_seconds: float = 5) -> Forwarder:
    return Forwarder(Poster(session, url=url, setting="GITHUB_FORWARD_URL", timeout_seconds=timeout_seconds))


async def test_body_and_headers_arrive_unchanged(receiver: HttpReceiver, session: aiohttp.ClientSession) -> None:
    assert await forwarder(session, receiver.url).send(an_effect()) == ""
    [(headers, body)] = receiver.requests
    assert body == BODY
    received = [(name.lower(), value) for name, value in headers]
    sent = [(name.lower(), value) for name, value in HEADERS[4:-1]]
    assert [each for each in received if each in sent] == sent
    assert {name for name, _ in received} - {name for name, _ in sent} == {b"host", b"content-length", b"x-odd"}


async def test_the_largest_body_arrives(receiver: HttpReceiver, session: aiohttp.ClientSession) -> None:
    body = b"x" * (25 * 1024 * 1024)
    await forwarder(session, receiver.url).send(an_effect(body))
    assert receiver.requests[0][1] == body


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_receipt(receiver: HttpReceiver, session: aiohttp.ClientSession, status: int) -> None:
    receiver.fail(status)
    assert await forwarder(session, receiver.url).send(an_effect()) == ""


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_a_temporary_failure(
    receiver: HttpReceiver, session: aiohttp.ClientSession, status: int
) -> None:
    receiver.fail(status, headers={"Location": receiver.url})
    with pytest.raises(TemporaryFailureError, match=f"GITHUB_FORWARD_URL answered {status}") as failure:
        await forwarder(session, receiver.url).send(an_effect())
    assert failure.value.retry_after_seconds is None
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0", 0), ("999999", 3600), ("soon", None), ("-1", None), ("²", None)]
)
async def test_the_wait_that_is_asked_for_is_told(
    receiver: HttpReceiver, session: aiohttp.ClientSession, text: str, seconds: float | None
) -> None:
    receiver.fail(503, headers={"Retry-After": text})
    with pytest.raises(TemporaryFailureError) as failure:
        await forwarder(session, receiver.url).send(an_effect())
    assert failure.value.retry_after_seconds == seconds


async def test_a_broken_connection_is_a_temporary_failure(
    receiver: HttpReceiver, session: aiohttp.ClientSession
) -> None:
    receiver.break_off()
    with pytest.raises(TemporaryFailureError, match="can't be reached"):
        await forwarder(session, receiver.url).send(an_effect())


async def test_a_receiver_that_never_answers_is_a_temporary_failure(
    receiver: HttpReceiver, session: aiohttp.ClientSession
) -> None:
    receiver.hold_back()
    with pytest.raises(TemporaryFailureError, match="TimeoutError"):
        await forwarder(session, receiver.url, timeout_seconds=0.1).send(an_effect())
    receiver.let_go()


async def test_nobody_there_is_a_temporary_failure(session: aiohttp.ClientSession, unused_tcp_port: int) -> None:
    with pytest.raises(TemporaryFailureError, match="can't be reached"):
        await forwarder(session, f"http://127.0.0.1:{unused_tcp_port}/").send(an_effect())


def test_a_payload_of_another_making_is_a_bug() -> None:
    with pytest.raises(msgspec.MsgspecError):
        ForwardedDelivery.unpacked(b"{}")
