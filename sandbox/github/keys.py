"""Who is asking: the App's signed tokens, and the installation tokens that are made from them."""

import base64
import functools
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.github.errors import ApiError
from sandbox.github.model import AppRegistration, Installation

CLOCK_SKEW_SECONDS = 60
"""How far a token's `iat` may lie in the future; GitHub advises to set it 60 s into the past."""
APP_TOKEN_SECONDS = 600
"""The longest life of an App's token (GitHub documentation, "Generating a JSON Web Token (JWT) for a GitHub App")."""
INSTALLATION_TOKEN_LIFE = timedelta(hours=1)
YOUNG_TOKEN_LIFE = timedelta(seconds=5)
"""While a token is younger than this, replicas that haven't heard of it may refuse it."""
_TOKEN_BYTES = 378
"""Makes tokens of about 520 characters, the longer of GitHub's two formats."""

_UNDECODABLE = "A JSON web token could not be decoded"


def new_private_key() -> str:
    """Make an RSA private key in PEM, which takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode("ascii")


@functools.cache
def process_private_key() -> str:
    """Return a private key that is made once for each process."""
    return new_private_key()


@functools.lru_cache(maxsize=16)
def _public_key(private_key_pem: str) -> rsa.RSAPublicKey:
    """Return the public half that GitHub would keep."""
    key = serialization.load_pem_private_key(private_key_pem.encode("ascii"), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("an App's key is an RSA key")
    return key.public_key()


def check_app_token(token: str, *, app: AppRegistration, now: datetime) -> None:
    """Accept an App's JSON web token, judged by the stand-in's clock.

    Raises:
        ApiError: 401 with GitHub's words for what is wrong.
    """
    try:
        claims = jwt.decode(
            token,
            _public_key(app.private_key_pem),
            algorithms=["RS256"],
            # Times are judged below, by the clock that can be moved.
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_iss": False,
            },
        )
    except jwt.PyJWTError as error:
        raise ApiError(401, _UNDECODABLE) from error
    if str(claims.get("iss")) not in {str(app.id), app.client_id}:
        raise ApiError(401, "'Issuer' claim ('iss') must be an Integer")
    issued, expires = claims.get("iat"), claims.get("exp")
    seconds = now.timestamp()
    if type(issued) is not int or issued > seconds + CLOCK_SKEW_SECONDS:
        raise ApiError(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if type(expires) is not int or expires <= seconds:
        raise ApiError(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
            "assertion expires",
        )
    if expires > seconds + APP_TOKEN_SECONDS or expires > issued + APP_TOKEN_SECONDS + CLOCK_SKEW_SECONDS:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")


@dataclass(slots=True, kw_only=True, eq=False)
class InstallationToken:
    """A token by which the App acts on one installation.

    Attributes:
        refusals_left: How often it is still refused while it is young.
    """

    token: str
    installation: Installation
    created_at: datetime
    expires_at: datetime
    permissions: dict[str, str]
    repository_ids: tuple[int, ...] | None
    refusals_left: int = 0


def token_text(app_id: int, *, seed: int, number: int) -> str:
    """Return the text of the next installation token: opaque, long, and the same again for the same seed."""
    noise = hashlib.shake_256(f"{seed}:{app_id}:{number}".encode()).digest(_TOKEN_BYTES)
    text = base64.urlsafe_b64encode(noise).decode("ascii")
    return f"ghs_{app_id}_{text[:36]}.{text[36:460]}.{text[460:]}"


class TokenVault:
    """The installation tokens that are out."""

    def __init__(self, *, seed: int) -> None:
        """Start without any."""
        self._seed = seed
        self._tokens: dict[str, InstallationToken] = {}
        self._minted = 0
        self._young_refusals = 0

    @property
    def minted(self) -> int:
        """How many were ever made; a test of caching counts them."""
        return self._minted

    def refuse_young(self, times: int) -> None:
        """Let the next token that is made be refused this often while it is young."""
        self._young_refusals = times

    def mint(
        self,
        app: AppRegistration,
        installation: Installation,
        *,
        now: datetime,
        permissions: dict[str, str],
        repository_ids: tuple[int, ...] | None,
    ) -> InstallationToken:
        """Make a token that lives for an hour."""
        self._minted += 1
        token = InstallationToken(
            token=token_text(app.id, seed=self._seed, number=self._minted),
            installation=installation,
            created_at=now,
            # GitHub tells the end in whole seconds.
            expires_at=now.replace(microsecond=0) + INSTALLATION_TOKEN_LIFE,
            permissions=permissions,
            repository_ids=repository_ids,
            refusals_left=self._young_refusals,
        )
        self._young_refusals = 0
        self._tokens[token.token] = token
        return token

    def check(self, text: str, *, now: datetime) -> InstallationToken:
        """Return the token that a request carries.

        Raises:
            ApiError: 401 for one that is unknown, expired, revoked or too young; 403 for a suspended installation.
        """
        token = self._tokens.get(text)
        if token is None or now >= token.expires_at or token.installation.deleted_at is not None:
            raise ApiError(401, "Bad credentials")
        if token.refusals_left > 0 and now - token.created_at < YOUNG_TOKEN_LIFE:
            token.refusals_left -= 1
            raise ApiError(401, "Bad credentials")
        if token.installation.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        return token

    def revoke_all(self) -> None:
        """Forget every token, as GitHub does when a key leaks; whoever caches one meets a 401."""
        self._tokens.clear()
