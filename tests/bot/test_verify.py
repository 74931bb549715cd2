"""Which deliveries are GitHub's. Pure: no server runs here."""

import gzip
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bot.problems import ProblemError
from bot.webhooks import problems
from bot.webhooks.verify import (
    DEEPEST,
    Delivery,
    Hook,
    MalformedDeliveryError,
    UnverifiedDeliveryError,
    read_delivery,
    verify_signature,
)
from tests.bot.deliveries import APP_SECRET, FORM, INSTALLATION, JSON, PURCHASE, body_of, form_of, headers_of, sign


def read(
    body: bytes,
    headers: CIMultiDict[str] | None = None,
    *,
    hook: Hook = Hook.APP,
    secrets: tuple[str, ...] = (APP_SECRET,),
) -> Delivery:
    """Read a delivery that is right but for what the test changes."""
    return read_delivery(
        headers_of(body) if headers is None else headers,
        body,
        hook=hook,
        secrets=[secret.encode() for secret in secrets],
    )


def test_the_vector_that_github_publishes() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = CIMultiDict({"X-Hub-Signature-256": signature})

    verify_signature(headers, b"Hello, World!", [b"It's a Secret to Everybody"])

    with pytest.raises(UnverifiedDeliveryError):
        verify_signature(headers, b"Hello, World?", [b"It's a Secret to Everybody"])


@pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f'{JSON}; charset="UTF-8"', "", "text/plain"])
def test_a_plain_delivery(content_type: str) -> None:
    body = body_of(INSTALLATION)

    delivery = read(body, headers_of(body, content_type=content_type))

    assert (delivery.event, delivery.action, delivery.document) == ("installation", "created", body)
    assert delivery.delivery_id == "0b989ba4-242f-11e5-81e1-c7b6966d2516"


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8"])
def test_a_form_is_signed_raw_and_holds_the_same_delivery(content_type: str) -> None:
    payload = INSTALLATION | {"comment": "Grüße + 100 % & mehr = 🎉"}
    form = form_of(payload)

    delivery = read(form, headers_of(form, content_type=content_type))

    assert bytes(delivery.document) == body_of(payload)
    assert delivery.action == "created"


def test_a_form_may_hold_letters_beyond_ascii() -> None:
    form = b"payload=" + '{"action": "gelöscht", "x": "%C3%BC"}'.encode()

    assert read(form, headers_of(form, content_type=FORM)).document == '{"action": "gelöscht", "x": "ü"}'.encode()


def test_several_secrets_are_valid_during_a_rotation() -> None:
    body = body_of(INSTALLATION)
    old, new, strange = "the-old-secret-of-the-hook", "the-new-secret-of-the-hook", "nobody-ever-told-us-this-one"

    for secret in (old, new):
        assert read(body, headers_of(body, secret=secret), secrets=(old, new)).event == "installation"

    with pytest.raises(UnverifiedDeliveryError):
        read(body, headers_of(body, secret=strange), secrets=(old, new))
    with pytest.raises(UnverifiedDeliveryError):
        read(body, headers_of(body, secret=old), secrets=(new,))


def test_json_may_escape_half_a_character() -> None:
    # Such a text is valid JSON, and no GitHub user may make a delivery unreadable by what they write.
    assert read(b'{"action": "created", "title": "\\ud83d"}').action == "created"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST,
        b'{"a": ' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}",
        b'{"a": [' + b"{}," * 5000 + b"[]]}",
        b'{"a": "' + b"[{" * 5000 + b'\\"[[", "b": "\\\\"}',
    ],
)
def test_depth_is_counted_and_not_brackets(body: bytes) -> None:
    assert read(body).document == body


def test_how_long_looking_for_depth_takes_grows_with_the_text_only() -> None:
    # Were each quotation mark looked at from its own place to the end, this would take hours.
    body = b'{"a": "' + b'\\"' * 2_000_000 + b"[" * 1000

    with pytest.raises(MalformedDeliveryError):
        read(body)


def test_no_action_is_none() -> None:
    assert read(b"{}").action is None


@pytest.mark.parametrize(
    ("event", "right"),
    [("marketplace_purchase", Hook.MARKETPLACE), ("installation", Hook.APP), ("unheard_of", Hook.APP)],
)
def test_each_event_has_one_route(event: str, right: Hook) -> None:
    body = body_of(PURCHASE)
    for hook in Hook:
        if hook is right:
            assert read(body, headers_of(body, event=event), hook=hook).event == event
        else:
            with pytest.raises(MalformedDeliveryError) as refusal:
                read(body, headers_of(body, event=event), hook=hook)
            assert refusal.value.problem is problems.EVENT_OF_THE_OTHER_ROUTE
        assert read(body, headers_of(body, event="ping"), hook=hook).event == "ping"


def test_a_compressed_body_is_no_json_even_if_signed() -> None:
    body = gzip.compress(body_of(INSTALLATION))

    with pytest.raises(MalformedDeliveryError):
        read(body)


def test_a_wrong_signature_is_the_answer_whatever_else_is_wrong() -> None:
    bodies = (b"", b"[]", b"\xff", b"{", body_of(PURCHASE), b"[" * 100_000)
    for body in bodies:
        headers = headers_of(
            body, event="marketplace_purchase", content_type=f"{JSON}; charset=klingon", secret="other"
        )
        headers.add("X-GitHub-Event", "doubled")
        del headers["X-GitHub-Delivery"]

        with pytest.raises(UnverifiedDeliveryError) as refusal:
            read(body, headers)

        assert refusal.value.problem is problems.SIGNATURE_WRONG


@given(
    body=st.binary(max_size=200),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery", "Content-Type"]),
            st.one_of(st.text(max_size=80), st.sampled_from([FORM, "ping", "sha256=" + "0" * 64, "sha1=" + "0" * 40])),
        ),
        max_size=6,
    ),
    is_signed=st.booleans(),
)
def test_nothing_but_the_two_refusals_ever_comes_out(
    body: bytes, headers: list[tuple[str, str]], *, is_signed: bool
) -> None:
    given_headers = CIMultiDict(headers)
    if is_signed:
        given_headers["X-Hub-Signature-256"] = sign(body)
    refusals: tuple[type[ProblemError], ...] = (MalformedDeliveryError,) if is_signed else (UnverifiedDeliveryError,)
    delivery = None

    with suppress(*refusals):
        delivery = read(body, given_headers)

    assert delivery is None or (is_signed and delivery.document.strip().startswith(b"{"))
