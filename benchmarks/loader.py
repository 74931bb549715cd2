"""Brings signed webhooks as fast as they are answered, over so many connections; in a process of its own.

Each connection stays open and sends its next delivery once the one before is answered. Each delivery has a random id,
is about one of ten thousand accounts, and is signed when it is sent. One thread looks after all of the sockets.
"""

import asyncio
import hashlib
import hmac
import json
import multiprocessing
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

from typing_extensions import override

from benchmarks.pairs import percentile

PATH: Final = "/webhooks/github"
BODY_BYTES: Final = 8192
ACCOUNTS: Final = range(10_000_000, 10_010_000)
"""All of the same length, so that bodies are."""

PATIENCE_SECONDS: Final = 30.0
"""How long an answer may take before the load counts as failed."""


class LoadError(Exception):
    """A connection was closed, or an answer never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be brought, and where to."""

    host: str
    port: int
    secret: str
    connections: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Loaded:
    """What came of it.

    Attributes:
        latencies: from the first byte sent to the answer read, in seconds, of each delivery.
        statuses: how often which status was answered.
        seconds: from the first delivery to the last answer.
        processor_seconds: what the server needed for it.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """How many were answered by success."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)  # noqa: PLR2004

    @property
    def refused(self) -> Mapping[int, int]:
        """How many were answered by anything else, by status."""
        return {status: count for status, count in self.statuses.items() if not 200 <= status < 300}  # noqa: PLR2004

    @property
    def rate(self) -> float:
        """Deliveries accepted a second."""
        return self.accepted / self.seconds

    @property
    def processor_microseconds(self) -> float:
        """What the server needed for one."""
        return 1e6 * self.processor_seconds / self.accepted

    @property
    def p95_seconds(self) -> float:
        """The time that 95 of 100 answers didn't exceed."""
        return percentile(self.latencies, 0.95)


class Deliveries:
    """An endless row of signed deliveries: installations with many repositories, 8 KB each."""

    def __init__(self, load: Load, chance: random.Random) -> None:
        self._chance = chance
        self._secret = load.secret.encode()
        self._before, self._after = self._around_the_account()
        length = len(self._before) + len(str(ACCOUNTS[0])) + len(self._after)
        self._head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\nUser-Agent: GitHub-Hookshot/2f7c8a1\r\n"
            "Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: installation\r\nX-GitHub-Hook-ID: 1\r\n"
            f"Content-Length: {length}\r\nX-GitHub-Delivery: "
        ).encode()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        body = b"%b%d%b" % (self._before, self._chance.choice(ACCOUNTS), self._after)
        digits = f"{self._chance.getrandbits(128):032x}"
        guid = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        signature = hmac.digest(self._secret, body, hashlib.sha256).hex()
        return b"%b%b\r\nX-Hub-Signature-256: sha256=%b\r\n\r\n%b" % (
            self._head,
            guid.encode(),
            signature.encode(),
            body,
        )

    def _around_the_account(self) -> tuple[bytes, bytes]:
        """The body before and after the account's id. Repositories differ from each other, as they do at GitHub."""
        account = {"login": "octo-org", "id": 0, "node_id": "O_kgDOAAAA", "type": "Organization", "site_admin": False}
        sender = {"login": "octavia", "id": 21, "node_id": "U_kgDOBQ", "type": "User", "site_admin": False}
        event: dict[str, object] = {
            "action": "created",
            "installation": {"id": 4321, "account": account, "repository_selection": "selected", "app_id": 1234},
        }
        repositories: list[dict[str, object]] = []
        event |= {"repositories": repositories, "sender": sender}
        while len(json.dumps(event)) < BODY_BYTES:
            number = self._chance.randrange(10**8, 10**9)
            name = f"{self._chance.getrandbits(40):010x}"
            repositories.append(
                {
                    "id": number,
                    "node_id": f"R_kgDO{self._chance.getrandbits(32):08x}",
                    "name": name,
                    "full_name": f"octo-org/{name}",
                    "private": self._chance.random() < 0.5,  # noqa: PLR2004
                }
            )
        before, after = json.dumps(event).encode().split(b'"id": 0,', 1)
        return before + b'"id": ', b"," + after


def bring(load: Load, chance: random.Random) -> Loaded:
    """Bring deliveries for so long, then wait for the answers that are still due.

    Raises:
        LoadError: a connection was closed, or an answer never came.
    """
    deliveries = Deliveries(load, chance)
    lanes = [socket.create_connection((load.host, load.port)) for _ in range(load.connections)]
    try:
        return _exchange(lanes, deliveries, load.seconds)
    finally:
        for lane in lanes:
            lane.close()


def _exchange(lanes: list[socket.socket], deliveries: Deliveries, seconds: float) -> Loaded:
    poll = select.epoll()
    by_number = {lane.fileno(): lane for lane in lanes}
    sent_at: dict[int, float] = {}
    loaded = Loaded()
    for number, lane in by_number.items():
        lane.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(number, select.EPOLLIN)
    begun = now = time.perf_counter()
    for number, lane in by_number.items():
        delivery = next(deliveries)
        sent_at[number] = time.perf_counter()
        lane.sendall(delivery)
    while sent_at:
        ready = poll.poll(PATIENCE_SECONDS)
        if not ready:
            raise LoadError(f"{len(sent_at)} deliveries were never answered")
        for number, _ in ready:
            lane = by_number[number]
            status = _status(lane.recv(65536))
            now = time.perf_counter()
            loaded.latencies.append(now - sent_at.pop(number))
            loaded.statuses[status] += 1
            if now - begun < seconds:
                delivery = next(deliveries)
                sent_at[number] = time.perf_counter()
                lane.sendall(delivery)
    poll.close()
    loaded.seconds = now - begun
    return loaded


def _status(answer: bytes) -> int:
    """The status of an answer. Answers are short and arrive whole: the head and the body of each are checked."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 ") or f"content-length: {len(body)}".encode() not in head.lower():
        raise LoadError(f"this is no whole answer: {answer[:200]!r}")
    return int(head[9:12])


class Loader:
    """A process that brings one load after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def started(cls, *, seed: int) -> Iterator["Loader"]:
        """Start the process, and end it on leaving."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, seed), daemon=True)
        process.start()
        theirs.close()
        try:
            yield cls(ours)
        finally:
            # The end of its pipe ends it.
            ours.close()
            process.join(PATIENCE_SECONDS)
            if process.exitcode is None:
                process.kill()

    def bring(self, load: Load) -> Loaded:
        """Have this brought; returns when all of it is answered.

        Raises:
            LoadError: it couldn't be.
        """
        self._connection.send(load)
        answer = self._connection.recv()
        if isinstance(answer, str):
            raise LoadError(answer)
        assert isinstance(answer, Loaded)
        return answer


def _serve(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    while True:
        try:
            load = connection.recv()
        except EOFError:
            return
        try:
            connection.send(bring(load, chance))
        except (LoadError, OSError) as error:
            connection.send(f"{type(error).__name__}: {error}")


class Sink(asyncio.Protocol):
    """A server that answers whatever is whole and does nothing else: what the loader reaches against it is its own."""

    ANSWER: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

    def __init__(self) -> None:
        self._transport: asyncio.BaseTransport | None = None
        self._received = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        if end and len(body) == int(length):
            self._received = b""
            self._transport.write(self.ANSWER)


async def alone(loader: Loader, *, connections: int, seconds: float) -> Loaded:
    """What the loader brings to a server that keeps nothing, in this process."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        load = Load(host=host, port=port, secret="-" * 20, connections=connections, seconds=seconds)
        return await asyncio.to_thread(loader.bring, load)
