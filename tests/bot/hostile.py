"""Every request that is no delivery, with the answer it has to get, in the order in which things are looked at."""

import gzip
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from bot.bodies import LARGEST_BODY_BYTES
from bot.webhooks.verify import DEEPEST, Hook
from tests.bot.deliveries import (
    APP_SECRET,
    FORM,
    INSTALLATION,
    JSON,
    MARKETPLACE_SECRET,
    PURCHASE,
    body_of,
    headers_of,
    sign,
)
from tests.bot.wire import in_chunks, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A webhook, and what is right and wrong for it."""

    hook: Hook
    path: str
    secret: str
    other_secret: str
    event: str
    other_event: str
    payload: dict[str, Any]


TARGETS = (
    Target(
        hook=Hook.APP,
        path="/webhooks/github",
        secret=APP_SECRET,
        other_secret=MARKETPLACE_SECRET,
        event="installation",
        other_event="marketplace_purchase",
        payload=INSTALLATION,
    ),
    Target(
        hook=Hook.MARKETPLACE,
        path="/webhooks/github/marketplace",
        secret=MARKETPLACE_SECRET,
        other_secret=APP_SECRET,
        event="marketplace_purchase",
        other_event="installation",
        payload=PURCHASE,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile request.

    Attributes:
        name: what is wrong, for people.
        request: its bytes. Those that are too slow stop in the middle.
        status, problem: the answer.
    """

    name: str
    request: bytes
    status: int
    problem: str


def good(target: Target) -> tuple[bytes, CIMultiDict[str]]:
    """A body and headers that would be taken."""
    body = body_of(target.payload)
    return body, headers_of(body, event=target.event, secret=target.secret)


def hostile_cases(target: Target) -> Iterator[Case]:
    """The whole table for one webhook."""
    yield from _methods(target)
    yield from _lengths(target)
    yield from _signatures(target)
    yield from _headers(target)
    yield from _bodies(target)


def _case(name: str, status: int, problem: str, request: bytes) -> Case:
    return Case(name=name, request=request, status=status, problem=problem)


def _methods(target: Target) -> Iterator[Case]:
    body, headers = good(target)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        request = request_of(target.path, body, headers.items(), method=method)
        yield _case(f"{method}, otherwise right", 405, "method-not-allowed", request)
    unsigned = request_of(target.path, b"", [("Content-Length", "99999999")], method="PUT", length=False)
    yield _case("PUT, too large and unsigned", 405, "method-not-allowed", unsigned)


def _lengths(target: Target) -> Iterator[Case]:
    body, headers = good(target)
    path = target.path
    for name, given in (("signed", headers), ("unsigned", CIMultiDict[str]())):
        declared = given.copy()
        declared["Content-Length"] = str(LARGEST_BODY_BYTES + 1)
        request = request_of(path, b"", declared.items(), length=False)
        yield _case(f"declared too large, {name}", 413, "body-too-large", request)
        declared["Expect"] = "100-continue"
        request = request_of(path, b"", declared.items(), length=False)
        yield _case(f"declared too large, {name}, asking first", 413, "body-too-large", request)

        chunked = given.copy()
        chunked["Transfer-Encoding"] = "chunked"
        head = request_of(path, b"", chunked.items(), length=False)
        too_large = head + in_chunks(b" " * (LARGEST_BODY_BYTES + 1), 1 << 20)
        yield _case(f"chunked too large, {name}", 413, "body-too-large", too_large)
        yield _case(f"too slow in chunks, {name}", 408, "body-too-slow", head + b"%x\r\n" % len(body) + body[:10])

        slow = given.copy()
        slow["Content-Length"] = str(len(body))
        request = request_of(path, body[:-1], slow.items(), length=False)
        yield _case(f"too slow, {name}", 408, "body-too-slow", request)

        request = request_of(path, b"", given.items(), length=False)
        yield _case(f"neither length nor chunks, {name}", 411, "length-required", request)


def _signatures(target: Target) -> Iterator[Case]:
    body, headers = good(target)
    path = target.path
    right = sign(body, target.secret)
    digest = right.removeprefix("sha256=")
    sha1 = "sha1=" + hmac.new(target.secret.encode(), body, hashlib.sha1).hexdigest()

    def signed_by(*values: str | bytes) -> bytes:
        others = [(name, value) for name, value in headers.items() if name != "X-Hub-Signature-256"]
        return request_of(path, body, [*others, *(("X-Hub-Signature-256", value) for value in values)])

    without = [(name, value) for name, value in headers.items() if name != "X-Hub-Signature-256"]
    yield _case("no signature", 401, "signature-missing", signed_by())
    yield _case("SHA-1 only", 401, "signature-missing", request_of(path, body, [*without, ("X-Hub-Signature", sha1)]))
    yield _case("the right one twice", 401, "signature-doubled", signed_by(right, right))
    yield _case("a wrong one behind the right one", 401, "signature-doubled", signed_by(right, "sha256=" + "0" * 64))
    malformed: tuple[tuple[str, str | bytes], ...] = (
        ("blank", ""),
        ("no digits", "sha256="),
        ("no scheme", digest),
        ("SHA-1 under the name of SHA-256", sha1),
        ("another scheme", f"sha512={digest}{digest}"),
        ("upper case", f"sha256={digest.upper()}"),
        ("an upper-case scheme", f"SHA256={digest}"),
        ("one digit too few", right[:-1]),
        ("one digit too many", f"{right}0"),
        ("no hexadecimal", "sha256=" + "g" * 64),
        ("two in one header", f"{right}, {right}"),
        ("a space within", f"sha256= {digest}"),
        ("UTF-8 letters", f"sha256={'é' * 64}".encode()),
        ("full-width digits", b"sha256=" + "\uff10".encode() * 64),
        ("bytes that are no text", b"sha256=" + b"\xff" * 64),
    )
    for name, value in malformed:
        yield _case(f"malformed: {name}", 401, "signature-malformed", signed_by(value))
    wrong = (
        ("zeros", "sha256=" + "0" * 64),
        ("by the other webhook's secret", sign(body, target.other_secret)),
        ("by an empty secret", sign(body, "")),
        ("of another body", sign(body + b" ", target.secret)),
        ("of nothing", sign(b"", target.secret)),
    )
    for name, value in wrong:
        yield _case(f"wrong: {name}", 401, "signature-wrong", signed_by(value))
    yield from _wrong_whatever_else(target)


def _wrong_whatever_else(target: Target) -> Iterator[Case]:
    body = body_of(target.payload)
    others: tuple[tuple[str, bytes, dict[str, str]], ...] = (
        ("empty", b"", {}),
        ("no JSON", b"{", {}),
        ("no UTF-8", b"\xff\xfe", {}),
        ("no object", b"[]", {}),
        ("too deep", b"[" * 100_000, {}),
        ("unknown charset", body, {"Content-Type": f"{JSON}; charset=klingon"}),
        ("a form without a payload", b"a=b", {"Content-Type": FORM}),
        ("of the other webhook", body, {"X-GitHub-Event": target.other_event}),
        ("a blank event", body, {"X-GitHub-Event": ""}),
        ("a blank delivery", body, {"X-GitHub-Delivery": ""}),
        ("a ping", body, {"X-GitHub-Event": "ping"}),
    )
    for name, content, changes in others:
        headers = headers_of(content, event=target.event, secret="not-the-secret-of-anyone")
        headers.update(changes)
        yield _case(f"wrong, and {name}", 401, "signature-wrong", request_of(target.path, content, headers.items()))
    for name in ("X-GitHub-Event", "X-GitHub-Delivery"):
        headers = headers_of(body, event=target.event, secret="not-the-secret-of-anyone")
        headers.add(name, "again")
        yield _case(f"wrong, and {name} twice", 401, "signature-wrong", request_of(target.path, body, headers.items()))


def _headers(target: Target) -> Iterator[Case]:
    body, headers = good(target)
    path = target.path
    for name, problem in (("X-GitHub-Event", "event-header"), ("X-GitHub-Delivery", "delivery-header")):
        others = [(other, value) for other, value in headers.items() if other != name]
        values: tuple[tuple[str, list[str | bytes]], ...] = (
            ("missing", []),
            ("doubled", [headers[name], headers[name]]),
            ("doubled with another", [headers[name], "another"]),
            ("blank", [""]),
            ("beyond ASCII", ["é".encode()]),
            ("no text", [b"\xff"]),
            ("too long", ["a" * 101]),
            ("two words", ["two words"]),
        )
        for what, given in values:
            request = request_of(path, body, [*others, *((name, value) for value in given)])
            yield _case(f"{name} {what}", 400, problem, request)
    for charset in ("klingon", "latin-1", "utf-16", "", '"utf-7"', "utf-8; charset=utf-16"):
        changed = headers.copy()
        changed["Content-Type"] = f"{JSON}; charset={charset}"
        request = request_of(path, body, changed.items())
        yield _case(f"charset {charset!r}", 400, "unknown-charset", request)
    wrong_event = headers.copy()
    wrong_event["X-GitHub-Event"] = target.other_event
    request = request_of(path, body, wrong_event.items())
    yield _case("an event of the other webhook", 400, "event-of-the-other-route", request)


def _bodies(target: Target) -> Iterator[Case]:
    body = body_of(target.payload)
    contents = (
        ("empty", b"", "empty-body"),
        ("blank", b" \r\n\t", "empty-body"),
        ("cut off", body[:-1], "not-json"),
        ("two values", body + b"{}", "not-json"),
        ("a trailing comma", b'{"a": 1,}', "not-json"),
        ("single quotes", b"{'a': 1}", "not-json"),
        ("NaN", b'{"a": NaN}', "not-json"),
        ("a wrong escape where nobody looks", b'{"a": {"b": "\\q"}}', "not-json"),
        ("a control character in a string", b'{"a": "\x01"}', "not-json"),
        ("a byte order mark", b"\xef\xbb\xbf" + body, "not-json"),
        ("compressed", gzip.compress(body), "not-utf8"),
        ("no UTF-8 where nobody looks", b'{"a": {"b": "\xff"}}', "not-utf8"),
        ("UTF-16", body.decode().encode("utf-16"), "not-utf8"),
        ("a level too deep", b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "too-deep"),
        ("too deep in a list", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
        ("too deep in objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too-deep"),
        ("too deep and never closed", b"[" * 100_000, "too-deep"),
        ("a list", b"[]", "not-an-object"),
        ("a list with a delivery in it", b"[" + body + b"]", "not-an-object"),
        ("a string", b'"action"', "not-an-object"),
        ("a number", b"1", "not-an-object"),
        ("null", b"null", "not-an-object"),
        ("action a number", b'{"action": 1}', "action-not-a-name"),
        ("action null", b'{"action": null}', "action-not-a-name"),
        ("action a list", b'{"action": ["created"]}', "action-not-a-name"),
        ("action an object", b'{"action": {}}', "action-not-a-name"),
        ("action true", b'{"action": true}', "action-not-a-name"),
        ("action twice, once a number", b'{"action": "created", "action": 1}', "action-not-a-name"),
        ("action with a zero byte", b'{"action": "a\\u0000b"}', "action-not-a-name"),
        ("action half a character", b'{"action": "\\ud800"}', "action-not-a-name"),
        ("action too long", b'{"action": "%s"}' % (b"a" * 101), "action-not-a-name"),
        ("more digits than anything reads", b'{"action": 1, "n": %s}' % (b"9" * 5000), "not-json"),
    )
    for name, content, problem in contents:
        headers = headers_of(content, event=target.event, secret=target.secret)
        request = request_of(target.path, content, headers.items())
        yield _case(f"body {name}", 400, problem, request)
    encoded = gzip.compress(body)
    headers = headers_of(encoded, event=target.event, secret=target.secret)
    headers["Content-Encoding"] = "gzip"
    yield _case("compressed and said so", 400, "not-utf8", request_of(target.path, encoded, headers.items()))
    headers = headers_of(body, event=target.event, secret=target.secret)
    headers["Content-Encoding"] = "gzip"
    yield _case(
        "signed before it was compressed", 401, "signature-wrong", request_of(target.path, encoded, headers.items())
    )
    headers = headers_of(b"", event=target.event, secret=target.secret)
    headers["Transfer-Encoding"] = "chunked"
    empty = request_of(target.path, in_chunks(b""), headers.items(), length=False)
    yield _case("empty in chunks", 400, "empty-body", empty)
    for name, form in (
        ("without a payload", b"a=b"),
        ("with two payloads", b"payload=%7B%7D&payload=%7B%7D"),
        ("with too many fields", b"&".join(b"a=b" for _ in range(1000)) + b"&payload=%7B%7D"),
    ):
        headers = headers_of(form, event=target.event, secret=target.secret, content_type=FORM)
        request = request_of(target.path, form, headers.items())
        yield _case(f"a form {name}", 400, "form-without-payload", request)
    headers = headers_of(b"", event=target.event, secret=target.secret, content_type=FORM)
    yield _case("an empty form", 400, "empty-body", request_of(target.path, b"", headers.items()))
    # msgspec skips the number, the handlers' slow way of reading what doesn't fit its model stumbles over it.
    unreadable = b'{"action": "created", "installation": 1, "marketplace_purchase": 1, "n": %s}' % (b"9" * 5000)
    headers = headers_of(unreadable, event=target.event, secret=target.secret)
    request = request_of(target.path, unreadable, headers.items())
    yield _case("a number that no handler can read", 400, "not-json", request)
    headers = headers_of(b"payload=", event=target.event, secret=target.secret, content_type=FORM)
    request = request_of(target.path, b"payload=", headers.items())
    yield _case("a form with an empty payload", 400, "empty-body", request)
