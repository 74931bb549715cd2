"""Disk syncs for each delivery, accepted and applied, by the kernel's own count.

Runs the real server on SQLite under strace, brings it webhooks over 1, 16 and 64 connections as fast as one process
can, and counts what `fdatasync` and `fsync` were called for until everything is applied. Needs strace, and leave to use
it:

    python -m benchmarks.disk_syncs
"""

import argparse
import asyncio
import multiprocessing
import re
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from yarl import URL

from sandbox.github.server import GitHubStandIn
from storage import migrating
from tests.cli.conftest import settings_for
from tests.cli.server_settings import server_settings
from tests.system.burst import Burst
from tests.system.github_side import Webhook
from tests.system.our_side import OurSide
from tests.system.processes import Process

TRACED: Final = ("/usr/bin/env", "strace", "-D", "--seccomp-bpf", "-f", "-c", "-U", "name,calls")
"""With -D the tracer is the child, so that signals reach the server itself."""

ROUNDS: Final = {1: 100, 16: 1000, 64: 2000}
"""Connections, and how many accounts install and buy."""


def main() -> None:
    """Run it, or say what it is."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.disk_syncs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    asyncio.run(measure())


async def measure() -> None:
    """Run all rounds, each with a database of its own."""
    print("connections  deliveries  disk syncs  for each")
    for connections, accounts in ROUNDS.items():
        with tempfile.TemporaryDirectory(prefix="disk-syncs-", dir=Path.cwd()) as directory:
            deliveries, syncs = await run(Path(directory), connections, accounts)
        print(f"{connections:11}  {deliveries:10}  {syncs:10}  {syncs / deliveries:8.3f}")


async def run(directory: Path, connections: int, accounts: int) -> tuple[int, int]:
    """Serve, bring everything, and wait until it is applied; how many deliveries, and how many syncs they took."""
    url, count = f"sqlite:///{directory / 'tallyhook.db'}", directory / "count"
    await asyncio.to_thread(migrating.upgrade, url)
    async with GitHubStandIn(rate_limit=1_000_000) as github, OurSide.opened(url) as ours:
        burst = Burst.at(github, accounts=accounts)
        server = await Process.start(
            "serve",
            "--port",
            "0",
            settings={**settings_for(url), **server_settings(github)},
            log=directory / "log",
            under=(*TRACED, "-e", "trace=fdatasync,fsync", "-o", str(count)),
        )
        address = URL(str((await server.said("server_listening"))["address"]))
        requests = [request_of(webhook, address) for webhook in burst.webhooks]
        lanes = [requests[number::connections] for number in range(connections)]
        # Not in this process, where GitHub is: the two would wait for each other.
        sender = multiprocessing.get_context("spawn").Process(target=bring, args=(address.host, address.port, lanes))
        sender.start()
        await asyncio.to_thread(sender.join)
        await ours.all_ended()
        assert (sender.exitcode, await server.stop()) == (0, 0)
        assert burst.complaints(await ours.customers(), await ours.deliveries()) == []
    return len(burst.webhooks), await asyncio.to_thread(counted, count)


def request_of(webhook: Webhook, address: URL) -> bytes:
    """The webhook as it goes over the wire."""
    lines = [
        f"POST {webhook.path} HTTP/1.1",
        f"Host: {address.authority}",
        f"Content-Length: {len(webhook.event.body)}",
        *(f"{name}: {value}" for name, value in webhook.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + webhook.event.body


def bring(host: str, port: int, lanes: Sequence[Sequence[bytes]]) -> None:
    """Send each lane's requests over a connection of its own, each once the one before is answered."""
    selector = selectors.DefaultSelector()
    for lane in lanes:
        requests = iter(lane)
        connection = socket.create_connection((host, port))
        connection.sendall(next(requests))
        selector.register(connection, selectors.EVENT_READ, requests)
    while selector.get_map():
        for key, _ in selector.select():
            connection, requests = cast("socket.socket", key.fileobj), cast("Iterator[bytes]", key.data)
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 202"), answer
            request = next(requests, None)
            if request is None:
                selector.unregister(connection)
                connection.close()
            else:
                connection.sendall(request)


def counted(count: Path) -> int:
    """The calls that strace counted; it writes them once the program has ended."""
    for _ in range(1000):
        calls = re.findall(r"^\s*(?:fdatasync|fsync)\s+(\d+)", count.read_text(), re.MULTILINE)
        if calls:
            return sum(int(figure) for figure in calls)
        time.sleep(0.01)
    raise AssertionError("strace counted nothing")


if __name__ == "__main__":
    main()
