"""What GitHub sends is durable before it is answered, once, and passed on as it came."""

import asyncio
import json
import zlib

import pytest

from bot.bodies import LARGEST_BODY_BYTES
from bot.webhooks.verify import Hook
from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from storage.deliveries import DeliveryRow
from tests.bot.deliveries import FORM, INSTALLATION, body_of, form_of, headers_of
from tests.bot.hostile import TARGETS, Target, good
from tests.bot.receiving import http_receiver
from tests.bot.serving import Served, serving
from tests.bot.wire import Answer, Wire, in_chunks, request_of
from tests.bot.working import until, until_true
from tests.postgres import Postgres

pytestmark = pytest.mark.usefixtures("clean_log")

APP = TARGETS[0]


def delivery(target: Target = APP, *, delivery_id: str = "d-1") -> bytes:
    body, headers = good(target)
    headers["X-GitHub-Delivery"] = delivery_id
    return request_of(target.path, body, headers.items())


async def ask(served: Served, request: bytes) -> Answer:
    async with Wire.connect(served.port) as wire:
        return await wire.ask(request)


async def body_kept(served: Served, row: DeliveryRow) -> bytes:
    shown = await served.database.inbox.show(row.id)
    assert shown is not None
    assert shown.body is not None
    return zlib.decompress(shown.body)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.hook))
async def test_a_delivery_is_kept_and_accepted(target: Target, database_url: str) -> None:
    async with serving(database_url) as served:
        answer = await ask(served, delivery(target))

        assert (answer.status, answer.document) == (202, {"delivery": "recorded"})
        (row,) = await served.deliveries()
        assert (row.route, row.delivery_id, row.event) == (target.hook, "d-1", target.event)
        assert (row.action, row.partition) == (target.payload["action"], "github:6811672")
        assert row.received_at == row.run_at
        assert await body_kept(served, row) == body_of(target.payload)


async def test_a_repeat_is_accepted_and_kept_once(database_url: str) -> None:
    async with serving(database_url) as served:
        answers = [await ask(served, delivery()) for _ in range(3)]

        assert [(answer.status, answer.document["delivery"]) for answer in answers] == [
            (202, "recorded"),
            (202, "repeat"),
            (202, "repeat"),
        ]
        assert len(await served.deliveries()) == 1
        assert served.counted() == {"recorded": 1, "repeat": 2}


async def test_the_two_webhooks_have_ids_of_their_own(sqlite_url: str) -> None:
    # GitHub gives one event one id, whichever webhooks it goes to.
    async with serving(sqlite_url) as served:
        for target in TARGETS:
            assert (await ask(served, delivery(target))).document == {"delivery": "recorded"}

        assert [row.route for row in await served.deliveries()] == ["github", "github_marketplace"]


async def test_all_that_come_at_once_are_kept(database_url: str) -> None:
    async with serving(database_url) as served:
        answers = await asyncio.gather(
            *(ask(served, delivery(delivery_id=f"d-{number % 100}")) for number in range(200))
        )

        assert {answer.status for answer in answers} == {202}
        assert sorted(row.delivery_id for row in await served.deliveries()) == sorted(f"d-{n}" for n in range(100))
        assert served.counted() == {"recorded": 100, "repeat": 100}


async def test_a_form_is_kept_as_the_json_in_it(sqlite_url: str) -> None:
    payload = INSTALLATION | {"note": "Grüße & 100 %"}
    form = form_of(payload)
    async with serving(sqlite_url) as served:
        request = request_of(APP.path, form, headers_of(form, content_type=FORM).items())

        assert (await ask(served, request)).status == 202

        (row,) = await served.deliveries()
        assert json.loads(await body_kept(served, row)) == payload


async def test_chunks_are_as_good_as_a_length(sqlite_url: str) -> None:
    body, headers = good(APP)
    headers["Transfer-Encoding"] = "chunked"
    request = request_of(APP.path, in_chunks(body, 7), headers.items(), length=False)
    async with serving(sqlite_url) as served:
        assert (await ask(served, request)).status == 202

        (row,) = await served.deliveries()
        assert await body_kept(served, row) == body


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_of_exactly_25_mib_is_taken(sqlite_url: str, *, is_chunked: bool) -> None:
    start = body_of(INSTALLATION)[:-1] + b', "padding": "'
    body = start + b"x" * (LARGEST_BODY_BYTES - len(start) - 2) + b'"}'
    assert len(body) == LARGEST_BODY_BYTES
    headers = headers_of(body)
    if is_chunked:
        headers["Transfer-Encoding"] = "chunked"
    content = in_chunks(body, 1 << 20) if is_chunked else body
    request = request_of(APP.path, content, headers.items(), length=not is_chunked)
    async with serving(sqlite_url) as served:
        assert (await ask(served, request)).status == 202

        (row,) = await served.deliveries()
        assert await body_kept(served, row) == body


async def test_either_secret_is_right_during_a_rotation(sqlite_url: str) -> None:
    old, new = "the-old-secret-of-the-hook", "the-new-secret-of-the-hook"
    body = body_of(INSTALLATION)

    async def status(served: Served, secret: str) -> int:
        return (await ask(served, request_of(APP.path, body, headers_of(body, secret=secret).items()))).status

    async with serving(sqlite_url, GITHUB_WEBHOOK_SECRET=f"{new},{old}") as served:
        assert [await status(served, secret) for secret in (old, new, APP.secret)] == [202, 202, 401]
    async with serving(sqlite_url, GITHUB_WEBHOOK_SECRET=new) as served:
        assert [await status(served, secret) for secret in (old, new)] == [401, 202]


async def test_a_ping_is_answered_and_its_time_kept(database_url: str, clock: VirtualClock) -> None:
    body = body_of({"zen": "Keep it logically awesome.", "hook_id": 7})
    async with serving(database_url, clock=clock) as served:
        for target in TARGETS:
            headers = headers_of(body, event="ping", secret=target.secret)
            answer = await ask(served, request_of(target.path, body, headers.items()))
            assert (answer.status, answer.document) == (200, {"delivery": "ping"})

        pings = await served.database.inbox.pings()
        assert {route: ping.at for route, ping in pings.items()} == dict.fromkeys(Hook, clock.now())
        assert await served.deliveries() == []


@pytest.mark.parametrize("event", ["issue_comment", "push", "never_heard_of", "star"])
async def test_what_cannot_matter_is_accepted_and_not_kept(event: str, sqlite_url: str) -> None:
    body = body_of({"action": "created", "comment": {"body": "somebody's conversation"}})
    request = request_of(APP.path, body, headers_of(body, event=event).items())
    async with serving(sqlite_url) as served:
        answer = await ask(served, request)

        assert (answer.status, answer.document) == (202, {"delivery": "ignored"})
        assert await served.deliveries() == []
        assert served.counted() == {"ignored": 1}


async def test_without_a_marketplace_purchases_cannot_matter(sqlite_url: str) -> None:
    async with serving(sqlite_url, GITHUB_MARKETPLACE="off") as served:
        assert (await ask(served, delivery(TARGETS[1]))).document == {"delivery": "ignored"}


async def test_every_delivery_is_passed_on_as_it_came_each_time_it_comes(sqlite_url: str) -> None:
    body, headers = good(APP)
    form = form_of(INSTALLATION)
    other = body_of({"action": "created", "comment": {"body": "/unknown"}})
    ping = body_of({"zen": "Design for failure."})
    sent = [
        (APP.path, body, headers),
        (APP.path, body, headers),
        (APP.path, form, headers_of(form, delivery_id="form", content_type=FORM)),
        (APP.path, other, headers_of(other, delivery_id="other", event="issue_comment")),
        (APP.path, ping, headers_of(ping, delivery_id="ping", event="ping")),
        (TARGETS[1].path, *good(TARGETS[1])),
    ]
    async with (
        http_receiver() as receiver,
        serving(sqlite_url, has_worker=True, GITHUB_FORWARD_URL=receiver.url) as served,
    ):
        for path, content, given in sent:
            assert (await ask(served, request_of(path, content, given.items()))).status in {200, 202}
        await until_true(lambda: len(receiver.requests) == len(sent))

    def seen(headers: dict[str, str], content: bytes) -> tuple[bytes, dict[str, str]]:
        return content, {name.lower(): value for name, value in headers.items()}

    passed_on = [
        seen({name.decode(): value.decode() for name, value in raw}, content) for raw, content in receiver.requests
    ]
    for _, content, given in sent:
        expected = seen(dict(given), content)
        found = [got for got in passed_on if got[0] == expected[0] and expected[1].items() <= got[1].items()]
        assert found
        passed_on.remove(found[0])
    assert passed_on == []


async def test_what_is_refused_is_passed_on_to_nobody(sqlite_url: str) -> None:
    body, headers = good(APP)
    headers["X-Hub-Signature-256"] = "sha256=" + "0" * 64
    async with serving(sqlite_url, GITHUB_FORWARD_URL="http://127.0.0.1:9/hook") as served:
        assert (await ask(served, request_of(APP.path, body, headers.items()))).status == 401

        assert await served.database.outbox.list() == []


async def test_a_delivery_and_its_passing_on_are_kept_in_one_commit(sqlite_url: str) -> None:
    async with serving(sqlite_url, GITHUB_FORWARD_URL="http://127.0.0.1:9/hook") as served:
        await ask(served, delivery())
        await ask(served, delivery())

        (row,) = await served.deliveries()
        effects = await served.database.outbox.list()
        assert [effect.key for effect in effects] == ["forward:github:d-1"] * 2
        assert len({effect.dedupe_key for effect in effects}) == 2
        assert row.delivery_id == "d-1"


async def test_while_the_database_is_away_nothing_is_accepted(durable_postgres: Postgres) -> None:
    url = durable_postgres.url(durable_postgres.create_database())
    await asyncio.to_thread(migrating.upgrade, url)
    ping = body_of({"zen": "Responsive is better than fast."})
    async with serving(url) as served:
        assert (await ask(served, delivery(delivery_id="before"))).status == 202
        durable_postgres.stop()

        for request in (
            delivery(delivery_id="while-away"),
            request_of(APP.path, ping, headers_of(ping, event="ping").items()),
        ):
            answer = await ask(served, request)
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.document["type"] == "urn:tallyhook:problem:database-away"
        ready = await ask(served, request_of("/readyz", b"", [], method="GET"))
        assert ready.status == 503
        assert not ready.document["checks"]["database"]["ok"]
        assert (await ask(served, request_of("/healthz", b"", [], method="GET"))).status == 200

        durable_postgres.relaunch()
        await until(lambda: is_accepted(served, delivery(delivery_id="while-away")))
        assert sorted(row.delivery_id for row in await served.deliveries()) == ["before", "while-away"]


async def is_accepted(served: Served, request: bytes) -> bool:
    return (await ask(served, request)).status == 202


async def test_a_closed_writer_is_a_database_that_is_away(sqlite_url: str) -> None:
    async with serving(sqlite_url) as served:
        await served.database.close()

        answer = await ask(served, delivery())

        assert answer.status == 503
        assert answer.document["type"] == "urn:tallyhook:problem:database-away"


async def test_a_dead_delivery_that_is_sent_again_is_handled_again(sqlite_url: str, clock: VirtualClock) -> None:
    async with serving(sqlite_url, clock=clock) as served:
        await ask(served, delivery())
        await bury_all(served.database)

        assert (await ask(served, delivery())).document == {"delivery": "requeued"}

        (row,) = await served.deliveries()
        assert row.state.value == "received"


async def bury_all(database: Database) -> None:
    for claimed in await database.inbox.claim(partitions=64, deliveries=64, lease_seconds=60):
        await database.inbox.bury(claimed, error="on purpose")
        await database.inbox.release([claimed.lease])
