"""Telling GitHub's deliveries from everybody else's. Pure: headers and the raw body in, a delivery or a refusal out.

Order matters: nothing in a body is looked at before its signature is right, and a wrong signature is the answer
whatever else is wrong too. gidgethub's own check isn't used: it takes SHA-1, it takes unsigned bodies if the secret is
blank, and it fails with a bug's error on headers that only an attacker sends.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Never
from urllib.parse import parse_qsl

import msgspec
from multidict import MultiMapping

from bot.problems import Problem, ProblemError
from bot.webhooks import problems

SIGNATURE_HEADER: Final = "X-Hub-Signature-256"
EVENT_HEADER: Final = "X-GitHub-Event"
DELIVERY_HEADER: Final = "X-GitHub-Delivery"

PING: Final = "ping"
MARKETPLACE_PURCHASE: Final = "marketplace_purchase"

_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_EVENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_DELIVERY_ID: Final = re.compile(r"[!-~]{1,100}")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)\"?", re.IGNORECASE)
_UTF8_NAMES: Final = frozenset({"utf-8", "utf8"})
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FORM_FIELDS: Final = 16
_LONGEST_ACTION: Final = 100

DEEPEST: Final = 500
"""How many objects and lists may stand in each other. GitHub needs some ten. Every supported Python reads this many;
how many more differs from version to version."""

# A string is skipped whole; one that never ends, up to the end, so that the time taken stays in proportion.
_STRINGS_AND_BRACKETS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class Hook(StrEnum):
    """The two webhooks, which GitHub keeps apart: each has its own address and secrets, and its own events."""

    APP = "github"
    MARKETPLACE = "github_marketplace"

    def takes(self, event: str) -> bool:
        """Whether GitHub sends this event here. A ping comes to both."""
        return event == PING or (event == MARKETPLACE_PURCHASE) == (self is Hook.MARKETPLACE)


class UnverifiedDeliveryError(ProblemError):
    """It isn't certain that GitHub sent this."""


class MalformedDeliveryError(ProblemError):
    """GitHub's secret signed it, but it is no delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery that GitHub sent.

    Attributes:
        hook: the webhook that it came by.
        delivery_id: GitHub's id of the event; a redelivery has the same.
        event: the event's name.
        action: the payload's action; None if it has none.
        document: the payload as JSON text: UTF-8, well formed, an object.
    """

    hook: Hook
    delivery_id: str
    event: str
    action: str | None
    document: bytes


class _Envelope(msgspec.Struct):
    """The one thing in a payload that the edge looks at. Reading it still checks the whole text's form."""

    action: str | msgspec.UnsetType = msgspec.UNSET


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def read_delivery(headers: MultiMapping[str], body: bytes, *, hook: Hook, secrets: Sequence[bytes]) -> Delivery:
    """Verify a delivery and take it apart.

    Args:
        headers: all of the request's headers, doubled ones included; their names match in any case.
        body: the body as it came.
        hook: the webhook by whose address it came.
        secrets: the hook's secrets; during a rotation there are several.

    Raises:
        UnverifiedDeliveryError: none of the secrets signed this body.
        MalformedDeliveryError: one did, but it isn't a delivery of this hook.
    """
    verify_signature(headers, body, secrets)
    event = _single(headers, EVENT_HEADER, _EVENT, problems.EVENT_HEADER)
    delivery_id = _single(headers, DELIVERY_HEADER, _DELIVERY_ID, problems.DELIVERY_HEADER)
    document = _document(headers.get("Content-Type", ""), body)
    action = _read_action(document)
    if not hook.takes(event):
        raise MalformedDeliveryError(problems.EVENT_OF_THE_OTHER_ROUTE)
    return Delivery(hook=hook, delivery_id=delivery_id, event=event, action=action, document=document)


def verify_signature(headers: MultiMapping[str], body: bytes, secrets: Sequence[bytes]) -> None:
    """Make sure that one of the secrets signed the raw body by HMAC-SHA-256. Compares in constant time.

    Raises:
        UnverifiedDeliveryError: the signature is missing, doubled, malformed or wrong.
    """
    values = headers.getall(SIGNATURE_HEADER, [])
    if not values:
        raise UnverifiedDeliveryError(problems.SIGNATURE_MISSING)
    if len(values) > 1:
        raise UnverifiedDeliveryError(problems.SIGNATURE_DOUBLED)
    signature = _SIGNATURE.fullmatch(values[0])
    if signature is None:
        raise UnverifiedDeliveryError(problems.SIGNATURE_MALFORMED)
    given = bytes.fromhex(signature[1])
    # Every secret is tried, so that the time taken doesn't tell which of them fits.
    fits = [hmac.compare_digest(given, hmac.digest(secret, body, hashlib.sha256)) for secret in secrets]
    if not any(fits):
        raise UnverifiedDeliveryError(problems.SIGNATURE_WRONG)


def _single(headers: MultiMapping[str], name: str, form: re.Pattern[str], problem: Problem) -> str:
    values = headers.getall(name, [])
    if len(values) != 1 or form.fullmatch(values[0]) is None:
        raise MalformedDeliveryError(problem)
    return values[0]


def _document(content_type: str, body: bytes) -> bytes:
    """Return the JSON text of a body. GitHub sends it plainly or as a form's one field, as the webhook is set."""
    if any(name.lower() not in _UTF8_NAMES for name in _CHARSET.findall(content_type)):
        raise MalformedDeliveryError(problems.UNKNOWN_CHARSET)
    document = body
    if content_type.partition(";")[0].strip().lower() == _FORM:
        document = _form_payload(body)
    if not document or document.isspace():
        raise MalformedDeliveryError(problems.EMPTY_BODY)
    if not document.isascii():
        # msgspec doesn't look into the strings that it skips.
        try:
            document.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedDeliveryError(problems.NOT_UTF8) from None
    return document


def _form_payload(body: bytes) -> bytes:
    if not body:
        return b""
    try:
        # Latin-1 both ways keeps every byte as it is; whether they are UTF-8 is asked of the JSON text.
        fields = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_MOST_FORM_FIELDS
        )
    except ValueError:
        raise MalformedDeliveryError(problems.FORM_WITHOUT_PAYLOAD) from None
    payloads = [value for name, value in fields if name == "payload"]
    if len(payloads) != 1:
        raise MalformedDeliveryError(problems.FORM_WITHOUT_PAYLOAD)
    return payloads[0].encode("latin-1")


def _is_too_deep(document: bytes) -> bool:
    if document.count(b"{") + document.count(b"[") <= DEEPEST:
        # Most deliveries: nothing can be nested deeper than there are brackets.
        return False
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(document):
        found = match[0]
        if found in {b"{", b"["}:
            depth += 1
            if depth > DEEPEST:
                return True
        elif found in {b"}", b"]"}:
            depth -= 1
    return False


def _read_action(document: bytes) -> str | None:
    if _is_too_deep(document):
        raise MalformedDeliveryError(problems.TOO_DEEP)
    try:
        action = _ENVELOPE.decode(document).action
    except msgspec.DecodeError:
        # Also its ValidationError. The slow way tells what is wrong, and reads unpaired surrogates, which JSON allows.
        return _read_action_slowly(document)
    return None if action is msgspec.UNSET else _checked(action)


def _read_action_slowly(document: bytes) -> str | None:
    try:
        # As text: of bytes, the standard library would also take UTF-16.
        value = json.loads(document.decode("utf-8"), parse_constant=_refuse_constant)
    except ValueError:
        raise MalformedDeliveryError(problems.NOT_JSON) from None
    if not isinstance(value, dict):
        raise MalformedDeliveryError(problems.NOT_AN_OBJECT)
    return _checked(value["action"]) if "action" in value else None


def _refuse_constant(name: str) -> Never:
    """Refuse NaN and Infinity, which the standard library reads and JSON doesn't have."""
    raise ValueError(name)


def _checked(action: object) -> str:
    # Printable, since it is stored and shown: PostgreSQL stores no zero byte, and no database an unpaired surrogate.
    if not isinstance(action, str) or len(action) > _LONGEST_ACTION or not action.isprintable():
        raise MalformedDeliveryError(problems.ACTION_NOT_A_NAME)
    return action
