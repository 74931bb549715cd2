"""What isn't a delivery is refused, each kind with its own answer, and leaves no trace but a count and a line."""

from collections import Counter

import pytest

from bot.edge import SAFETY_HEADERS
from tests.bot.hostile import TARGETS, Case, Target, good, hostile_cases
from tests.bot.serving import Served, serving
from tests.bot.wire import Answer, Wire, request_of

pytestmark = pytest.mark.usefixtures("clean_log")

# Enough for loopback on a busy machine; what is too slow stays so for ever.
DEADLINE_SECONDS = 1.0


def faults(case: Case, answer: Answer) -> list[str]:
    """What is wrong with an answer."""
    found = []
    if answer.status != case.status:
        found.append(f"answered {answer.status} instead of {case.status}")
    if answer.headers.get("Content-Type") != "application/problem+json":
        found.append("isn't a problem document")
    if not SAFETY_HEADERS.keys() <= answer.headers.keys():
        found.append("lacks headers of safety")
    if case.status == 405 and answer.headers.get("Allow") != "POST":
        found.append("doesn't say what is allowed")
    if case.request.startswith(b"HEAD "):
        return found
    document = answer.document
    if document.get("type") != f"urn:tallyhook:problem:{case.problem}":
        found.append(f"told {document.get('type')} instead of {case.problem}")
    if document.get("status") != answer.status or not document.get("title") or not document.get("detail"):
        found.append("doesn't say how to get out")
    if document.get("request_id") != answer.headers.get("X-Request-Id"):
        found.append("doesn't name the request")
    return found


async def ask(served: Served, case: Case) -> Answer:
    async with Wire.connect(served.port) as wire:
        return await wire.ask(case.request)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.hook))
async def test_every_hostile_request_gets_its_answer_and_nothing_in(target: Target, sqlite_url: str) -> None:
    cases = list(hostile_cases(target))
    wrong = {}
    async with serving(sqlite_url, deadline_seconds=DEADLINE_SECONDS) as served:
        for case in cases:
            if found := faults(case, await ask(served, case)):
                wrong[case.name] = found

        assert wrong == {}
        assert await served.deliveries() == []
        assert await served.database.inbox.pings() == {}
        assert served.counted(target.hook) == Counter(case.problem for case in cases)

        # The table is about what is wrong: without it, the same request is taken.
        body, headers = good(target)
        async with Wire.connect(served.port) as wire:
            assert (await wire.ask(request_of(target.path, body, headers.items()))).status == 202
        assert len(await served.deliveries()) == 1


async def test_a_refusal_that_read_the_body_keeps_the_connection(sqlite_url: str) -> None:
    target = TARGETS[0]
    cases = [case for case in hostile_cases(target) if case.status in {400, 401, 411}]
    body, headers = good(target)
    async with serving(sqlite_url) as served, Wire.connect(served.port) as wire:
        for case in cases:
            assert (await wire.ask(case.request)).status == case.status

        assert (await wire.ask(request_of(target.path, body, headers.items()))).status == 202


async def test_a_body_that_is_asked_for_is_sent_only_if_its_length_is_right(sqlite_url: str) -> None:
    target = TARGETS[0]
    body, headers = good(target)
    headers["Expect"] = "100-continue"
    request = request_of(target.path, body, headers.items())
    head, _, content = request.partition(b"\r\n\r\n")
    async with serving(sqlite_url) as served, Wire.connect(served.port) as wire:
        await wire.send(head + b"\r\n\r\n")
        assert await wire.is_continued()
        assert (await wire.ask(content)).status == 202


async def test_what_isnt_http_is_refused_by_a_line_without_its_bytes(sqlite_url: str) -> None:
    async with serving(sqlite_url) as served:
        for request in (
            b"not http at all\r\n\r\n",
            b"POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            b"POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ):
            async with Wire.connect(served.port) as wire:
                assert (await wire.ask(request)).status == 400

        assert await served.deliveries() == []


async def test_chunks_that_are_none_are_refused(sqlite_url: str) -> None:
    _, headers = good(TARGETS[0])
    headers["Transfer-Encoding"] = "chunked"
    head = request_of(TARGETS[0].path, b"", headers.items(), length=False)
    async with serving(sqlite_url) as served, Wire.connect(served.port) as wire:
        await wire.send(head)
        await wire.send(b"5\r\nabcde\r\n")
        assert (await wire.ask(b"zz\r\n")).status == 400
        assert await wire.is_closed()
