"""What the log says, and what it never does."""

import io
import json
import logging
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars
from typing_extensions import override

from bot.logs import REDACTED, Redactor, set_up_logs
from tests.bot.deliveries import INSTALLATION, body_of, headers_of
from tests.bot.serving import serving
from tests.bot.wire import Wire, request_of
from tests.bot.working import until_true

log = structlog.get_logger()
SECRET = "correct-horse-battery-staple"


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    """The log's lines as JSON objects, so that each line is one."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    set_up_logs(level="info", secrets=[SECRET, "short"], stream=stream)
    return stream


def test_a_line_is_one_object_with_the_ids_that_are_bound(stream: io.StringIO) -> None:
    with bound_contextvars(delivery_id="d-1"):
        log.info("delivery_handled", entries=2, ids=[1, 2], detail={"plan": "pro"}, done=True, rate=0.5, nothing=None)
    log.warning("other")
    log.debug("below_the_level")

    first, second = lines_of(stream)
    assert first.pop("at").endswith("Z")
    assert first == {
        "event": "delivery_handled",
        "level": "info",
        "delivery_id": "d-1",
        "entries": 2,
        "ids": [1, 2],
        "detail": {"plan": "pro"},
        "done": True,
        "rate": 0.5,
        "nothing": None,
    }
    assert (second["event"], second["level"]) == ("other", "warning")
    assert "delivery_id" not in second


def test_libraries_speak_in_the_same_lines(stream: io.StringIO) -> None:
    with bound_contextvars(delivery_id="d-1"):
        logging.getLogger("any.library").info("number %s", "0001")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    logging.getLogger("alembic.runtime.migration").info("Context impl")
    logging.getLogger("any").debug("below the level")

    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["delivery_id"]) == ("number 0001", "info", "d-1")
    assert line["logger"] == "any.library"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"the secret {SECRET}!", f"the secret {REDACTED}!"),
        ("ghs_16C7e42F292c6912E7710c838347Ae178B4a", REDACTED),
        ("token=ghp_16C7e42F292c6912E7710c838347Ae17", f"token={REDACTED}"),
        ("github_pat_11ABCDEFG0_abcdef", REDACTED),
        ("Authorization: Bearer abcdefghijkl.mnop", f"Authorization: {REDACTED}"),
        ("Basic dXNlcjpwYXNzd29yZA==", REDACTED),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl", REDACTED),
        ("sk_live_abcdefgh1234 whsec_abcdefgh1234", f"{REDACTED} {REDACTED}"),
        ("sha256=" + "0" * 64, REDACTED),
        ("postgresql://user:password@host/name", f"postgresql://{REDACTED}@host/name"),
        ("write to octocat@example.com, now", f"write to {REDACTED}, now"),
        ("<Grüße.müller+tag@sub.example.co.uk>", f"<{REDACTED}>"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", REDACTED),
        ("cut off -----BEGIN RSA PRIVATE KEY-----\nMIIE", f"cut off {REDACTED}"),
        ("plan@once github:@octocat 12 short", "plan@once github:@octocat 12 short"),
        ("0b989ba4-242f-11e5-81e1-c7b6966d2516", "0b989ba4-242f-11e5-81e1-c7b6966d2516"),
    ],
)
def test_what_must_not_be_there_is_dropped(text: str, cleaned: str) -> None:
    assert Redactor([SECRET, "short"]).clean(text) == cleaned


def test_it_is_dropped_wherever_it_stands(stream: io.StringIO) -> None:
    class Teller:
        @override
        def __str__(self) -> str:
            return f"told by {SECRET}"

    nested = {SECRET: [("octocat@example.com",), {"deep": {"deeper": {"deepest": {"down": SECRET}}}}]}
    log.info(SECRET, nested=nested, thing=Teller(), raw=SECRET.encode())
    logging.getLogger("any").warning("secret: %s", SECRET)
    try:
        int(f"octocat@example.com used {SECRET}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("any").exception("failed too")

    assert len(lines_of(stream)) == 4
    assert SECRET not in stream.getvalue()
    assert "octocat@" not in stream.getvalue()
    assert stream.getvalue().count("ValueError") >= 2


def test_a_line_that_cannot_be_written_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    stream.close()

    logging.getLogger("any").warning("into the void")

    told = capsys.readouterr().err
    assert "couldn't be written: ValueError" in told
    assert "into the void" not in told


def test_for_people_it_is_text() -> None:
    stream = io.StringIO()
    set_up_logs(form="console", stream=stream, secrets=[SECRET])

    log.info("server_listening", address="http://127.0.0.1:8000", key=SECRET)

    assert "server_listening" in stream.getvalue()
    assert "http://127.0.0.1:8000" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_setting_up_again_writes_each_line_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up_logs(stream=first)
    set_up_logs(stream=second)

    log.info("once")
    logging.getLogger("any").warning("once too")

    assert first.getvalue() == ""
    assert [line["event"] for line in lines_of(second)] == ["once", "once too"]


async def test_every_line_about_a_delivery_has_its_id(clean_log: io.StringIO, sqlite_url: str) -> None:
    body = body_of(INSTALLATION)
    async with serving(sqlite_url, has_worker=True) as served, Wire.connect(served.port) as wire:
        answer = await wire.ask(request_of("/webhooks/github", body, headers_of(body, delivery_id="d-77").items()))
        assert answer.status == 202
        # Nothing answers where GitHub should be, so the worker tries and puts it off.
        await until_true(lambda: "delivery_put_off" in clean_log.getvalue())

    lines = {line["event"]: line for line in lines_of(clean_log)}
    assert lines["delivery_taken"]["delivery_id"] == "d-77"
    assert lines["delivery_taken"]["request_id"] == answer.headers["X-Request-Id"]
    assert lines["delivery_put_off"]["delivery_id"] == "d-77"


async def test_a_refusal_is_one_line_with_the_reason(clean_log: io.StringIO, sqlite_url: str) -> None:
    body = body_of(INSTALLATION)
    headers = headers_of(body, delivery_id="d-78", secret="not-the-secret-of-anyone")
    async with serving(sqlite_url) as served, Wire.connect(served.port) as wire:
        answer = await wire.ask(request_of("/webhooks/github?token=query-word", body, headers.items()))

    lines = [line for line in lines_of(clean_log) if line.get("request_id") == answer.headers["X-Request-Id"]]
    assert [(line["event"], line["problem"], line["status"]) for line in lines] == [
        ("delivery_refused", "signature-wrong", 401)
    ]
    # Not yet known to be GitHub's, so nothing of what it says is believed.
    assert "d-78" not in clean_log.getvalue()
    assert "query-word" not in clean_log.getvalue()


async def test_what_isnt_http_is_told_without_its_bytes(clean_log: io.StringIO, sqlite_url: str) -> None:
    async with serving(sqlite_url) as served:
        for request in (b"some-secret-bytes \x01\x02 and more\r\n\r\n", b"GET /\x00some-secret-bytes HTTP/1.1\r\n\r\n"):
            async with Wire.connect(served.port) as wire:
                assert (await wire.ask(request)).status == 400

    assert "http_malformed" in clean_log.getvalue()
    assert "some-secret-bytes" not in clean_log.getvalue()
    assert "Traceback" not in clean_log.getvalue()
