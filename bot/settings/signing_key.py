"""The key that checkpoints and statements are signed with, in the two shapes that people have it in."""

import base64
import binascii
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KEY_BYTES: Final = 32
"""Of an Ed25519 key (RFC 8032)."""

_BEGIN: Final = "-----BEGIN "


def read_signing_key(text: str) -> str:
    r"""Return the key as base64 of its 32 bytes.

    Takes that, or PEM text in PKCS 8 (its line ends may be the two characters `\n`, as `.env` files have them).

    Raises:
        ValueError: it is neither, or no Ed25519 key. The text repeats nothing of it.
    """
    text = text.strip()
    if text.startswith(_BEGIN):
        return base64.b64encode(_from_pem(text)).decode("ascii")
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is neither base64 nor PEM text") from None
    if len(content) != KEY_BYTES:
        raise ValueError(f"has {len(content)} bytes and needs {KEY_BYTES}")
    return base64.b64encode(content).decode("ascii")


def _from_pem(text: str) -> bytes:
    pem = text.replace("\\n", "\n").replace("\r\n", "\n").encode()
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("is protected by a passphrase, which nobody is there to type") from None
    except (ValueError, UnsupportedAlgorithm):
        problem = "is a public key; signing takes the private one" if "PUBLIC KEY" in text else "can't be read as a key"
        raise ValueError(problem) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("is a key of another kind than Ed25519")  # noqa: TRY004 - a setting is wrong, not a type
    return key.private_bytes_raw()
