"""`GET /api/v1/ledger/key` publishes the public halves, never the private one, or says that there is none."""

import base64
import json

from bot.signing import read_public_keys
from sandbox.clock import VirtualClock
from tests.bot.serving import Served, serving
from tests.bot.wire import Answer, Wire, request_of

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]


async def ask(served: Served, *, method: str = "GET") -> Answer:
    async with Wire.connect(served.port) as wire:
        return await wire.ask(request_of("/api/v1/ledger/key", b"", (), method=method))


async def test_the_key_is_published_with_those_before_it(sqlite_url: str, clock: VirtualClock) -> None:
    async with serving(sqlite_url, clock=clock, LEDGER_SIGNING_KEY=",".join(KEYS)) as served:
        answer = await ask(served)

    document = answer.document
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert list(document) == ["algorithm", "key_id", "public_key", "pem", "earlier"]
    assert document["algorithm"] == "Ed25519"
    assert [key.key_id for key in read_public_keys(json.dumps(document))] == [
        document["key_id"],
        document["earlier"][0]["key_id"],
    ]
    assert read_public_keys(document["pem"])[0].key_id == document["key_id"]
    assert not any(key in answer.body.decode() for key in KEYS)


async def test_without_a_key_it_is_a_problem(sqlite_url: str, clock: VirtualClock) -> None:
    async with serving(sqlite_url, clock=clock) as served:
        answer = await ask(served)
        posted = await ask(served, method="POST")

    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.document["type"] == "urn:tallyhook:problem:no-ledger-key"
    assert posted.status == 405
