"""Bodies that nobody has vouched for share a bounded memory, and give it back."""

import asyncio
import tracemalloc
from contextlib import AsyncExitStack

import pytest

from bot.app import READER
from bot.webhooks.reading import MEMORY_BUDGET_BYTES, MemoryBudget
from tests.bot.hostile import TARGETS, good
from tests.bot.serving import Served, serving
from tests.bot.wire import Answer, Wire, request_of
from tests.bot.working import until_true

pytestmark = pytest.mark.usefixtures("clean_log")

MIB = 1024 * 1024
PIECE = b"x" * 64 * 1024
PIECES = 32
BODY_BYTES = PIECES * len(PIECE)
SENDERS = 48
"""Half as many again as fit."""
SLACK_BYTES = 24 * MIB
"""What everything else may take: the program itself, sockets, this test's own end of them."""
LONG_SECONDS = 100.0

APP = TARGETS[0]
SIGNED_BY_NOBODY = ("X-Hub-Signature-256", "sha256=" + "0" * 64)


async def good_one(served: Served) -> Answer:
    body, headers = good(APP)
    async with Wire.connect(served.port) as wire:
        return await wire.ask(request_of(APP.path, body, headers.items()))


async def test_bodies_that_come_at_once_never_take_more_than_their_share(sqlite_url: str) -> None:
    head = request_of(APP.path, b"", [SIGNED_BY_NOBODY, ("Content-Length", str(BODY_BYTES + 1))], length=False)

    async def send_most(wire: Wire) -> None:
        await wire.send(head)
        for _ in range(PIECES):
            await wire.send(PIECE)

    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(sqlite_url, deadline_seconds=LONG_SECONDS))
        budget = served.app[READER].budget
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        wires = [await stack.enter_async_context(Wire.connect(served.port)) for _ in range(SENDERS)]
        async with asyncio.TaskGroup() as group:
            for wire in wires:
                group.create_task(send_most(wire))
        # Each body has either arrived but for its last byte, or was refused for want of memory.
        await until_true(lambda: budget.used_bytes >= (SENDERS - served.counted().get("busy", 0)) * BODY_BYTES)

        assert budget.used_bytes <= MEMORY_BUDGET_BYTES
        assert served.counted()["busy"] >= SENDERS - MEMORY_BUDGET_BYTES // BODY_BYTES
        _, peak_bytes = tracemalloc.get_traced_memory()
        assert peak_bytes < MEMORY_BUDGET_BYTES + SLACK_BYTES

        answers = [await wire.ask(b"x") for wire in wires]
        assert {answer.status for answer in answers} == {401, 503}
        for answer in answers:
            if answer.status == 503:
                assert answer.document["type"] == "urn:tallyhook:problem:busy"
                assert int(answer.headers["Retry-After"]) > 0
        assert budget.used_bytes == 0
        assert (await good_one(served)).status == 202


async def test_an_announcement_takes_nothing(sqlite_url: str) -> None:
    head = request_of(APP.path, b"", [SIGNED_BY_NOBODY, ("Content-Length", str(25 * MIB))], length=False)
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(sqlite_url, deadline_seconds=LONG_SECONDS))
        for _ in range(10):
            wire = await stack.enter_async_context(Wire.connect(served.port))
            await wire.send(head)

        assert (await good_one(served)).status == 202


@pytest.mark.parametrize("ending", ["answered", "slow", "gone", "too large"])
async def test_however_a_body_ends_its_memory_is_given_back(ending: str, sqlite_url: str) -> None:
    body, headers = good(APP)
    whole = request_of(APP.path, body, headers.items())
    chunked = request_of(APP.path, b"", [("Transfer-Encoding", "chunked")], length=False)
    deadline_seconds = 0.5 if ending == "slow" else LONG_SECONDS
    async with serving(sqlite_url, deadline_seconds=deadline_seconds) as served:
        budget = served.app[READER].budget
        async with Wire.connect(served.port) as wire:
            match ending:
                case "answered":
                    assert (await wire.ask(whole)).status == 202
                case "slow":
                    assert (await wire.ask(whole[:-1])).status == 408
                case "gone":
                    await wire.send(whole[:-1])
                    await until_true(lambda: budget.used_bytes)
                case _:
                    piece = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB)
                    assert (await wire.ask(chunked + piece * 26)).status == 413
        await until_true(served.counted)
        await until_true(lambda: budget.used_bytes == 0)


async def test_a_body_cut_off_by_its_sender_is_counted_and_not_kept(sqlite_url: str) -> None:
    body, headers = good(APP)
    async with serving(sqlite_url) as served:
        async with Wire.connect(served.port) as wire:
            await wire.send(request_of(APP.path, body, headers.items())[:-1])
            await until_true(lambda: served.app[READER].budget.used_bytes)
        await until_true(lambda: served.counted() == {"body-broken-off": 1})

        assert await served.deliveries() == []


def test_a_reservation_takes_no_more_than_there_is() -> None:
    budget = MemoryBudget(limit_bytes=10)
    with budget.reserve() as first, budget.reserve() as second:
        assert first.take(6)
        assert second.take(4)
        assert not first.take(1)
        assert budget.used_bytes == 10

    assert budget.used_bytes == 0
