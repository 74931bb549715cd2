"""The database's address as people write it, down to the encryption that they ask for."""

import asyncio
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.settings import CommandSettings, settings_of
from storage.engines import parse_url, postgres_writer, reader, sqlite_writer
from tests.bot.deliveries import MARKER
from tests.postgres import Postgres

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client asks PostgreSQL for TLS (its protocol's documentation, SSLRequest)."""


def address_of(text_given: str) -> str:
    return settings_of(CommandSettings, {"DATABASE_URL": text_given}).database_url.get_secret_value()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:////data/tallyhook.db", "sqlite+aiosqlite:////data/tallyhook.db"),
        ("sqlite+aiosqlite:///var/tallyhook.db", "sqlite+aiosqlite:///var/tallyhook.db"),
        ("postgres://u:p%40ss@host/name", "postgresql+asyncpg://u:p%40ss@host/name"),
        ("postgresql://host:5433/name", "postgresql+asyncpg://host:5433/name"),
        ("postgresql+asyncpg://host/name", "postgresql+asyncpg://host/name"),
        ("postgresql://host/name?channel_binding=require", "postgresql+asyncpg://host/name"),
    ],
)
def test_usual_addresses_are_understood(given: str, meant: str) -> None:
    assert address_of(given) == meant


def test_options_for_encryption_go_where_the_driver_takes_them() -> None:
    url = make_url(address_of("postgres://u:p@host/name?sslmode=verify-full&sslrootcert=/certs/our ca.pem"))

    assert url.query == {"dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fcerts%2Four%20ca.pem"}
    assert (url.host, url.username, url.password, url.database) == ("host", "u", "p", "name")


def make_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    paths = directory / f"{name}.pem", directory / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


class TlsFront:
    """What stands before hosted databases: it speaks TLS as PostgreSQL does, and passes on to the real server."""

    def __init__(self, backend_port: int, certificate: Path, key: Path) -> None:
        self._backend_port = backend_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.handshakes = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen; yields the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                self.handshakes += 1
                first = b""
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._backend_port)
            back_writer.write(first)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back_writer))
                group.create_task(_pump(back_reader, writer))
        writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


async def ask(url: str) -> object:
    engine = postgres_writer(parse_url(url))
    try:
        async with engine.connect() as connection:
            return (await connection.execute(text("SELECT 1"))).scalar_one()
    finally:
        await engine.dispose()


async def test_encryption_is_what_the_address_asks_for(
    postgres_server: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    right, right_key = make_certificate(tmp_path, "right")
    wrong, _ = make_certificate(tmp_path, "wrong")
    front = TlsFront(postgres_server.port, right, right_key)
    async with front.listening() as port:
        plain = f"postgres://postgres@127.0.0.1:{port}/{make_url(postgres_url).database}"

        assert await ask(address_of(f"{plain}?sslmode=disable")) == 1
        assert front.handshakes == 0
        assert await ask(address_of(f"{plain}?sslmode=require&channel_binding=prefer")) == 1
        assert front.handshakes == 1
        assert await ask(address_of(f"{plain}?sslmode=verify-full&sslrootcert={right}")) == 1
        assert front.handshakes == 2
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(address_of(f"{plain}?sslmode=verify-full&sslrootcert={wrong}"))


async def failure_of(engine: AsyncEngine) -> str:
    try:
        async with engine.connect() as connection:
            with pytest.raises((OperationalError, ProgrammingError)) as failure:
                await connection.execute(text("SELECT * FROM missing WHERE a = :a"), {"a": MARKER})
        return str(failure.value)
    finally:
        await engine.dispose()


async def test_an_error_of_the_database_does_not_tell_what_it_was_about(sqlite_url: str, postgres_url: str) -> None:
    writer = sqlite_writer(parse_url(sqlite_url))
    with writer.connect() as connection, pytest.raises(OperationalError) as failure:
        connection.execute(text("SELECT * FROM missing WHERE a = :a"), {"a": MARKER})
    writer.dispose()
    told = [
        str(failure.value),
        await failure_of(reader(parse_url(sqlite_url))),
        await failure_of(reader(parse_url(postgres_url))),
        await failure_of(postgres_writer(parse_url(postgres_url))),
    ]

    for line in told:
        assert "missing" in line
        assert MARKER not in line
