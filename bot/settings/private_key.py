"""The App's private key, in the three shapes that people have it in."""

import base64
import binascii
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.settings.secrets_table import SECRETS

_BEGIN: Final = "-----BEGIN "
_LARGEST_FILE_BYTES: Final = 64 * 1024


def read_private_key(text: str) -> str:
    r"""Return the key as PEM text.

    Takes PEM text (its line ends may be the two characters `\n`, as `.env` files have them), base64 of it, or a path.

    Raises:
        ValueError: it is none of these, or not an RSA key that is long enough. The text repeats nothing of it.
    """
    pem = _as_pem(text.strip())
    try:
        # Proving that its numbers are prime takes longer than the rest of the start, and GitHub would tell at once.
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise ValueError("is protected by a passphrase; GitHub's keys are not") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_why_unreadable(pem)) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is not an RSA key, and GitHub's are")  # noqa: TRY004 - a setting is wrong, not a type
    least_bits = SECRETS["GITHUB_PRIVATE_KEY"].least_length
    if key.key_size < least_bits:
        raise ValueError(f"has {key.key_size} bits and needs at least {least_bits}")
    return pem


def _as_pem(text: str) -> str:
    if text.startswith(_BEGIN):
        return text.replace("\\n", "\n").replace("\r\n", "\n").strip() + "\n"
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        decoded = ""
    if decoded.startswith(_BEGIN):
        return decoded.replace("\r\n", "\n") + "\n"
    return _from_file(text)


def _from_file(text: str) -> str:
    try:
        path = Path(text)
        is_key = path.is_file() and path.stat().st_size <= _LARGEST_FILE_BYTES
        content = path.read_text(encoding="ascii").strip() if is_key else ""
    except PermissionError:
        raise ValueError("names a file that this user may not read") from None
    except (OSError, ValueError):
        # Too long for a path, a zero byte in it, or a file that isn't text.
        content = ""
    if not content.startswith(_BEGIN):
        raise ValueError("is neither PEM text, nor base64 of it, nor a path to a file that holds it")
    return content + "\n"


def _why_unreadable(pem: str) -> str:
    if "PUBLIC KEY" in pem:
        return "is a public key; the App signs with its private one"
    if "CERTIFICATE" in pem:
        return "is a certificate; the App signs with its private key"
    return "can't be read as a private key: it is cut off, or changed in copying"
