"""Deliveries as GitHub sends them: a body, its signature and its headers."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

from multidict import CIMultiDict

APP_SECRET = "the-secret-of-the-app-hook-1"
MARKETPLACE_SECRET = "the-secret-of-the-listing-1"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def sign(body: bytes, secret: str = APP_SECRET) -> str:
    """The value of the `X-Hub-Signature-256` header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def body_of(payload: Any) -> bytes:
    """The JSON text as GitHub sends it."""
    return json.dumps(payload).encode()


def form_of(payload: Any) -> bytes:
    """The form as GitHub sends it if the webhook's content type is set so."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def headers_of(
    body: bytes,
    *,
    event: str = "installation",
    delivery_id: str = "0b989ba4-242f-11e5-81e1-c7b6966d2516",
    secret: str = APP_SECRET,
    content_type: str = JSON,
) -> CIMultiDict[str]:
    """The headers of a good delivery."""
    return CIMultiDict(
        {
            "Content-Type": content_type,
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery_id,
            "X-GitHub-Hook-ID": "292430182",
            "X-Hub-Signature-256": sign(body, secret),
        }
    )


MARKER = "only-in-a-body-4711"
"""Stands in every payload, so that a body is known wherever it turns up."""

INSTALLATION = {
    "action": "created",
    "installation": {"id": 2, "account": {"login": "octo-org", "id": 6811672, "type": "Organization"}},
    "sender": {"login": "octocat", "id": 583231, "type": "User", "email": "octocat@example.com", "bio": MARKER},
}
PURCHASE = {
    "action": "purchased",
    "effective_date": "2026-11-22T00:00:00+00:00",
    "sender": {"login": "octocat", "id": 583231, "type": "User", "email": "octocat@example.com", "bio": MARKER},
    "marketplace_purchase": {
        "account": {
            "type": "Organization",
            "id": 6811672,
            "login": "octo-org",
            "organization_billing_email": "billing@example.com",
        },
        "billing_cycle": "monthly",
        "unit_count": 1,
        "plan": {"id": 1313, "name": "Pro"},
    },
}
