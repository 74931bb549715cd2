"""Why a delivery isn't taken, each with the way out. The order is the order in which they are looked for."""

from http import HTTPStatus
from typing import Final

from bot.problems import Problem

BODY_TOO_LARGE: Final = Problem(
    name="body-too-large",
    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    title="The body is too large",
    detail="Send at most 25 MiB, which is more than GitHub ever sends.",
)
LENGTH_REQUIRED: Final = Problem(
    name="length-required",
    status=HTTPStatus.LENGTH_REQUIRED,
    title="The body has neither a length nor chunks",
    detail="Send a Content-Length header, or chunks by Transfer-Encoding: chunked.",
)
BUSY: Final = Problem(
    name="busy",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="Too many bodies are under way",
    detail="Send it again after the seconds that the Retry-After header names.",
)
BODY_TOO_SLOW: Final = Problem(
    name="body-too-slow",
    status=HTTPStatus.REQUEST_TIMEOUT,
    title="The body took too long to arrive",
    detail="Send the whole body within 10 seconds.",
)
BODY_BROKEN_OFF: Final = Problem(
    name="body-broken-off",
    status=HTTPStatus.BAD_REQUEST,
    title="The body doesn't end as its headers say",
    detail="Send as many bytes as Content-Length says, or well-formed chunks.",
)

SIGNATURE_MISSING: Final = Problem(
    name="signature-missing",
    status=HTTPStatus.UNAUTHORIZED,
    title="The X-Hub-Signature-256 header is missing",
    detail="Set the webhook's secret at GitHub to that of this server. The SHA-1 header X-Hub-Signature isn't enough.",
)
SIGNATURE_DOUBLED: Final = Problem(
    name="signature-doubled",
    status=HTTPStatus.UNAUTHORIZED,
    title="The X-Hub-Signature-256 header is there more than once",
    detail="Send it once. A proxy on the way may have doubled it.",
)
SIGNATURE_MALFORMED: Final = Problem(
    name="signature-malformed",
    status=HTTPStatus.UNAUTHORIZED,
    title="The X-Hub-Signature-256 header isn't a signature",
    detail="Send sha256= and 64 lower-case hexadecimal digits: the HMAC-SHA-256 of the raw body under the secret.",
)
SIGNATURE_WRONG: Final = Problem(
    name="signature-wrong",
    status=HTTPStatus.UNAUTHORIZED,
    title="The signature doesn't fit the body and the secret",
    detail="Compare the webhook's secret at GitHub with this route's: App and Marketplace listing have one each. "
    "A proxy must pass the body on unchanged.",
)

EVENT_HEADER: Final = Problem(
    name="event-header",
    status=HTTPStatus.BAD_REQUEST,
    title="The X-GitHub-Event header is missing, doubled or no name",
    detail="Send it once, with the event's name, such as installation.",
)
DELIVERY_HEADER: Final = Problem(
    name="delivery-header",
    status=HTTPStatus.BAD_REQUEST,
    title="The X-GitHub-Delivery header is missing, doubled or no id",
    detail="Send it once, with the delivery's id of at most 100 visible ASCII characters.",
)
UNKNOWN_CHARSET: Final = Problem(
    name="unknown-charset",
    status=HTTPStatus.BAD_REQUEST,
    title="The body's charset isn't UTF-8",
    detail="Send UTF-8, and charset=utf-8 in Content-Type or none at all.",
)
FORM_WITHOUT_PAYLOAD: Final = Problem(
    name="form-without-payload",
    status=HTTPStatus.BAD_REQUEST,
    title="The form has no payload field, or more than one",
    detail="Send the JSON text in one field named payload, or set the webhook's content type to application/json.",
)
EMPTY_BODY: Final = Problem(
    name="empty-body",
    status=HTTPStatus.BAD_REQUEST,
    title="The body is empty",
    detail="Send the event's JSON object.",
)
NOT_UTF8: Final = Problem(
    name="not-utf8",
    status=HTTPStatus.BAD_REQUEST,
    title="The body isn't UTF-8 text",
    detail="Send UTF-8, uncompressed: a Content-Encoding isn't taken.",
)
NOT_JSON: Final = Problem(
    name="not-json",
    status=HTTPStatus.BAD_REQUEST,
    title="The body isn't JSON",
    detail="Send one JSON object, uncompressed.",
)
TOO_DEEP: Final = Problem(
    name="too-deep",
    status=HTTPStatus.BAD_REQUEST,
    title="The JSON is nested too deeply",
    detail="GitHub's events are nested some ten levels deep. Send at most 500.",
)
NOT_AN_OBJECT: Final = Problem(
    name="not-an-object",
    status=HTTPStatus.BAD_REQUEST,
    title="The JSON isn't an object",
    detail="Send the event as a JSON object.",
)
ACTION_NOT_A_NAME: Final = Problem(
    name="action-not-a-name",
    status=HTTPStatus.BAD_REQUEST,
    title="The action in the body isn't a name",
    detail="Send a short printable string as action, or leave it out.",
)
EVENT_OF_THE_OTHER_ROUTE: Final = Problem(
    name="event-of-the-other-route",
    status=HTTPStatus.BAD_REQUEST,
    title="This event belongs to the other webhook",
    detail="marketplace_purchase goes to /webhooks/github/marketplace, set on the Marketplace listing's Webhook page; "
    "everything else goes to /webhooks/github, set on the App's settings page.",
)

DATABASE_AWAY: Final = Problem(
    name="database-away",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="The delivery couldn't be recorded",
    detail="The database doesn't answer. Send it again after the seconds that the Retry-After header names.",
)
