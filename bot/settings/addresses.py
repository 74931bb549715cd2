"""Addresses in settings: which are well formed, and which may be spoken to without encryption."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_INSIDE_SUFFIXES: Final = (".internal", ".local", ".localhost", ".svc", ".svc.cluster.local")

_POSTGRESQL: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_SQLITE: Final = frozenset({"sqlite", "sqlite+aiosqlite"})
_SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
# What libpq's addresses may carry and asyncpg only understands inside of an address of its own.
_FOR_ASYNCPG: Final = frozenset({
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "target_session_attrs",
})  # fmt: skip
# What hosted databases put into their addresses for libpq alone; asyncpg would pass it to the server, which refuses it.
_FOR_LIBPQ_ONLY: Final = frozenset({"channel_binding", "gssencmode", "connect_timeout", "sslsni", "sslcompression"})


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine. Names aren't looked up: one can be made to mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_inside(host: str) -> bool:
    """Tell whether a host is this machine or one of its own network: there, an address may do without encryption.

    That is a private address, a name without a dot (as of another container), or one in a cluster's own domain.
    """
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_INSIDE_SUFFIXES)


def web_address(text: str, *, plain_inside: bool = False) -> str:
    """Return an https address without its last slash.

    Args:
        text: the address as given.
        plain_inside: whether http will do within one's own network; otherwise it will within this machine only.

    Raises:
        ValueError: it is none, or http that would carry secrets over a network. The text never repeats the address.
    """
    parts = _split(text)
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError("must be an address that begins with https://")
    if _HOST.fullmatch(host) is None:
        raise ValueError("names no host that can exist")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or a password")
    if parts.fragment:
        raise ValueError("must not end in a fragment (#…)")
    if parts.scheme == "http" and not (is_loopback(host) or (plain_inside and is_inside(host))):
        raise ValueError(
            "must begin with https://, because http would send secrets readable; "
            + ("http is for one's own network only" if plain_inside else "http is for loopback only")
        )
    return text.rstrip("/")


def server_of(address: str) -> tuple[str, str, int]:
    """Return the scheme, the host and the port of a web address, by which two are told to be the same server."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def origin(text: str) -> str:
    """Return a web address that has nothing behind its host.

    Raises:
        ValueError: as `web_address`, or there is a path or a query.
    """
    address = web_address(text)
    parts = urlsplit(address)
    if parts.path or parts.query:
        raise ValueError("must end after the host: no path, no query")
    return address


def api_address(text: str) -> str:
    """Return a web address that may have a path (`https://github.example.com/api/v3`) but no query.

    Raises:
        ValueError: as `web_address`, or there is a query.
    """
    address = web_address(text)
    if urlsplit(address).query:
        raise ValueError("must not have a query (?…)")
    return address


def mail_address(text: str) -> str:
    """Return the address of a mail server.

    Raises:
        ValueError: it isn't `smtp://` or `smtps://` with a host, or a path follows.
    """
    parts = _split(text)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or _HOST.fullmatch(parts.hostname) is None:
        raise ValueError("must be smtp://[user:password@]host[:port], or smtps:// for encryption from the first byte")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the port")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("needs both a user name and a password, or neither")
    return text.rstrip("/")


def database_address(text: str) -> str:
    """Return SQLAlchemy's address of a database for what people and hosting services write.

    `postgres://` and `postgresql://` mean asyncpg, `sqlite://` means aiosqlite. asyncpg takes libpq's options for
    encryption (`sslmode`, `sslrootcert`, …) only inside of an address of its own, so they move into its `dsn` argument;
    host, user and password stay where every tool expects and hides them.

    Raises:
        ValueError: it is neither, or its options can't be. The text never repeats the address.
    """
    try:
        url = make_url(text)
        if url.drivername in _SQLITE:
            return _sqlite(url)
        if url.drivername in _POSTGRESQL:
            return _postgresql(url)
    except ArgumentError:
        pass
    raise ValueError("must begin with sqlite+aiosqlite:/// or postgresql://")


def _sqlite(url: URL) -> str:
    if not url.database or url.database == ":memory:" or url.query:
        raise ValueError("must name a plain file, without options: a database in memory forgets")
    return url.set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False)


def _postgresql(url: URL) -> str:
    if not url.database:
        raise ValueError("must name the database: postgresql://user:password@host:5432/name")
    query = {name: value for name, value in url.query.items() if name not in _FOR_LIBPQ_ONLY}
    options = {name: value for name in sorted(_FOR_ASYNCPG) if isinstance(value := query.pop(name, None), str)}
    if options.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"has an sslmode that isn't one of {', '.join(sorted(_SSL_MODES))}")
    if options:
        query["dsn"] = f"postgresql://?{urlencode(options, quote_via=quote)}"
    return url.set(drivername="postgresql+asyncpg", query=query).render_as_string(hide_password=False)


def _split(text: str) -> SplitResult:
    """Take an address apart.

    Raises:
        ValueError: it can't be one.
    """
    if re.search(r"[\s<>\x00-\x1f\x7f]", text):
        raise ValueError("has characters that an address can't have")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("isn't a well-formed address") from None
    return parts
