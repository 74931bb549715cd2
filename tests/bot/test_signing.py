"""Signatures: made by one key, checked by anybody who has its public half, in whatever shape that is published."""

import base64
import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from bot.signing import PublicKey, Signer, by_id, read_public_keys
from tests.bot.test_settings import RSA_KEY

SEEDS = (bytes(range(32)), bytes(32))
DIGEST = bytes(range(32))


def signer() -> Signer:
    made = Signer.of([SecretStr(base64.b64encode(seed).decode()) for seed in SEEDS])
    assert made is not None
    return made


def test_the_first_key_signs_and_all_verify() -> None:
    ours = signer()

    signature = ours.sign(DIGEST)

    assert ours.public.has_signed(DIGEST, signature)
    assert not ours.earlier[0].has_signed(DIGEST, signature)
    assert ours.publics == (ours.public, *ours.earlier)
    assert by_id(ours.publics)[ours.key_id] is ours.public
    assert Signer.of([]) is None


def test_no_other_digest_and_no_other_signature_passes() -> None:
    ours = signer()
    signature = ours.sign(DIGEST)

    for place in range(64):
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        assert not ours.public.has_signed(DIGEST, changed)
    assert not ours.public.has_signed(DIGEST[::-1], signature)
    assert not ours.public.has_signed(DIGEST, b"")


def test_the_signature_is_the_standard_one() -> None:
    """RFC 8032, section 7.1, test 2: one byte is signed there, and it is no other than ours over a digest."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    made = Signer.of([SecretStr(base64.b64encode(seed).decode())])

    assert made is not None
    assert made.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert made.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540")
    assert made.key_id == sha256(made.public.raw).hexdigest()[:16]


@pytest.mark.parametrize("shape", ["base64", "pem", "json"])
def test_a_published_key_is_read_in_each_shape(shape: str) -> None:
    ours = signer()
    record = ours.public.record()
    text = {"base64": f" {record['public_key']}\n", "pem": record["pem"], "json": json.dumps(record)}[shape]

    assert [key.raw for key in read_public_keys(text)] == [ours.public.raw]
    assert record["algorithm"] == "Ed25519"
    assert record["key_id"] == ours.key_id


def test_earlier_keys_are_read_with_the_present_one() -> None:
    ours = signer()
    answer = ours.public.record() | {"earlier": [key.record() for key in ours.earlier]}

    assert [key.key_id for key in read_public_keys(json.dumps(answer))] == [key.key_id for key in ours.publics]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        base64.b64encode(bytes(31)).decode(),
        "ü" * 44,
        "{}",
        "{",
        '{"public_key": 5}',
        '{"public_key": "AAAA", "earlier": 5}',
        '{"a":' * 100_000,
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no public Ed25519 key"):
        read_public_keys(text)


def test_a_key_is_told_by_its_own_bytes() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEEDS[0]).public_key()

    assert PublicKey(key).key_id == "56475aa75463474c"
