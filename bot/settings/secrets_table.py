"""Each secret's format and least length, in one table that the settings, the doctor and the documentation share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_PRINTABLE: Final = re.compile(r"[ -~]+")
_WITHOUT_SPACES: Final = re.compile(r"[!-~]+")

_PLACEHOLDER: Final = re.compile(
    r"""
      \s*                              # nothing at all
    | change[-_ ]?me .*
    | your [-_\ ] .*
    | x{3,}
    | <.*>
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFormat:
    """What a secret has to look like.

    Attributes:
        name: the setting.
        format: what it may consist of, for people.
        least_length: how long it must be at least, in `unit`.
        unit: "characters", or "bits" or "bytes" of a key.
        way: how to get a right value.
        pattern: what each of its values must match whole; None where a key is read instead.
    """

    name: str
    format: str
    least_length: int
    unit: str = "characters"
    way: str
    pattern: re.Pattern[str] | None


SECRETS: Final[Mapping[str, SecretFormat]] = {
    secret.name: secret
    for secret in (
        SecretFormat(
            name="GITHUB_CLIENT_SECRET",
            format="printable ASCII without spaces",
            least_length=20,
            way="make one on the App's settings page under Client secrets, or run `tallyhook setup --existing`",
            pattern=_WITHOUT_SPACES,
        ),
        SecretFormat(
            name="GITHUB_PRIVATE_KEY",
            format="an RSA private key as PEM text, base64 of that text, or a path to it; without a passphrase",
            least_length=2048,
            unit="bits",
            way="make one on the App's settings page under Private keys; the .pem file that it downloads is the value",
            pattern=None,
        ),
        SecretFormat(
            name="GITHUB_WEBHOOK_SECRET",
            format="printable ASCII without a comma; several are separated by commas",
            least_length=20,
            way="make one by `openssl rand -hex 32` and set the same on the App's settings page under Webhook secret",
            pattern=_PRINTABLE,
        ),
        SecretFormat(
            name="GITHUB_MARKETPLACE_WEBHOOK_SECRET",
            format="printable ASCII without a comma; several are separated by commas",
            least_length=20,
            way="make one by `openssl rand -hex 32` and set the same on the Marketplace listing's Webhook page",
            pattern=_PRINTABLE,
        ),
        SecretFormat(
            name="SESSION_SECRET",
            format="printable ASCII without spaces",
            least_length=64,
            way="make one by `openssl rand -hex 32`, which prints 64 characters",
            pattern=_WITHOUT_SPACES,
        ),
        SecretFormat(
            name="LEDGER_SIGNING_KEY",
            format="base64 of 32 random bytes, or an Ed25519 private key as PEM text; several are separated by commas",
            least_length=32,
            unit="bytes",
            way="make one by `openssl rand -base64 32`, and keep a copy where the database isn't",
            pattern=None,
        ),
    )
}


def is_placeholder(text: str) -> bool:
    """Tell whether a value only holds the place of one: blank, `changeme`, `your-…`, `xxx`, `<…>`."""
    return _PLACEHOLDER.fullmatch(text.strip()) is not None


def fault_of(secret: SecretFormat, text: str) -> str:
    """Say what is wrong with one value of a secret, without the value; "" if nothing is."""
    if is_placeholder(text):
        return "is blank or a placeholder"
    if secret.pattern is not None and secret.pattern.fullmatch(text) is None:
        return f"has characters that it can't have; it is {secret.format}"
    if len(text) < secret.least_length:
        return f"has {len(text)} characters and needs at least {secret.least_length}"
    return ""
