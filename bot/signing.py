"""Ed25519 signatures over digests (RFC 8032): what only this ledger's keeper can make, and anybody can check.

A key's id is the first 16 hexadecimal digits of the SHA-256 of its public half's 32 bytes, so that whoever has the key
can tell which of several is meant, and nobody has to keep a list.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import SecretStr

ALGORITHM: Final = "Ed25519"
KEY_ID_DIGITS: Final = 16
_KEY_BYTES: Final = 32
_BEGIN: Final = "-----BEGIN "


@dataclass(frozen=True)
class PublicKey:
    """A key's public half, which checks signatures."""

    key: Ed25519PublicKey

    @cached_property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return self.key.public_bytes_raw()

    @cached_property
    def key_id(self) -> str:
        """The id by which it is told from others."""
        return sha256(self.raw).hexdigest()[:KEY_ID_DIGITS]

    def has_signed(self, digest: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature over this digest."""
        try:
            self.key.verify(signature, digest)
        except InvalidSignature:
            return False
        return True

    def record(self) -> dict[str, str]:
        """The key as it is published."""
        return {
            "algorithm": ALGORITHM,
            "key_id": self.key_id,
            "public_key": base64.b64encode(self.raw).decode("ascii"),
            "pem": self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii"),
        }


class Signer:
    """Signs with one key, and knows the earlier ones too.

    Attributes:
        public: the public half of the key that signs.
        earlier: those of the keys that signed before it, and whose signatures still count.
    """

    def __init__(self, keys: Sequence[Ed25519PrivateKey]) -> None:
        self._key = keys[0]
        self.public, *earlier = (PublicKey(key.public_key()) for key in keys)
        self.earlier = tuple(earlier)

    @classmethod
    def of(cls, secrets: Sequence[SecretStr]) -> Self | None:
        """The signer with these keys, as LEDGER_SIGNING_KEY has them; None without any."""
        keys = [Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.get_secret_value())) for secret in secrets]
        return cls(keys) if keys else None

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        return self.public.key_id

    @property
    def publics(self) -> tuple[PublicKey, ...]:
        """All keys whose signatures count."""
        return (self.public, *self.earlier)

    def sign(self, digest: bytes) -> bytes:
        """The signature over a digest, 64 bytes."""
        return self._key.sign(digest)


def by_id(keys: Iterable[PublicKey]) -> dict[str, PublicKey]:
    """The keys by their ids."""
    return {key.key_id: key for key in keys}


def read_public_keys(text: str) -> list[PublicKey]:
    """Read published keys: base64 of 32 bytes, PEM text, or the JSON that `GET /api/v1/ledger/key` answers.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    try:
        if text.startswith("{"):
            return _from_json(json.loads(text))
        return [_from_pem(text) if text.startswith(_BEGIN) else _from_base64(text)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnsupportedAlgorithm):
        raise ValueError("is no public Ed25519 key, neither base64 of 32 bytes, nor PEM text, nor JSON") from None


def _from_json(document: Any) -> list[PublicKey]:  # noqa: ANN401 - JSON that anybody may have written
    return [_from_base64(each["public_key"]) for each in (document, *document.get("earlier", ()))]


def _from_pem(text: str) -> PublicKey:
    key = load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("another kind of key")  # noqa: TRY004 - the text is wrong, not a type
    return PublicKey(key)


def _from_base64(text: str) -> PublicKey:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if len(raw) != _KEY_BYTES:
        raise ValueError("not a key's length")
    return PublicKey(Ed25519PublicKey.from_public_bytes(raw))
