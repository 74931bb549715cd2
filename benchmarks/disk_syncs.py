"""Disk syncs for each delivery, accepted and applied, by the kernel's own count.

Runs the real server on SQLite under strace, brings it webhooks over 1, 16 and 64 connections, and counts what
`fdatasync` and `fsync` were called for. Needs strace on the PATH, and to be allowed to trace.

    python -m benchmarks.disk_syncs
"""

import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yarl import URL

from sandbox.github.server import GitHubStandIn
from storage import migrating
from tests.cli.conftest import settings_for
from tests.cli.server_settings import server_settings
from tests.system.burst import Burst
from tests.system.github_side import Webhook
from tests.system.our_side import ENDS, OurSide
from tests.system.processes import Process

TRACED: Final = (
    "/usr/bin/env",
    "strace",
    "-D",
    "--seccomp-bpf",
    "-f",
    "-c",
    "-U",
    "name,calls",
    "-e",
    "trace=fdatasync,fsync",
    "-o",
)
ROUNDS: Final = {1: 100, 16: 500, 64: 1000}
"""Connections, and how many accounts install and buy in that round."""

LOOK_SECONDS: Final = 0.1
LOOKS: Final = 600


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one round came to."""

    connections: int
    deliveries: int
    syncs: int


async def main() -> None:
    """Run all rounds, each with a database of its own."""
    print("connections  deliveries  disk syncs  syncs for each")
    for connections, accounts in ROUNDS.items():
        with tempfile.TemporaryDirectory(prefix="tallyhook-syncs-", dir=Path.cwd()) as name:
            figures = await run(Path(name), connections, accounts)
        each = figures.syncs / figures.deliveries
        print(f"{figures.connections:11}  {figures.deliveries:10}  {figures.syncs:10}  {each:14.3f}")


async def run(directory: Path, connections: int, accounts: int) -> Figures:
    """Serve, bring everything, wait until it is applied, stop, and read the count."""
    url, count = f"sqlite:///{directory / 'tallyhook.db'}", directory / "count"
    await asyncio.to_thread(migrating.upgrade, url)
    async with GitHubStandIn(rate_limit=1_000_000) as github, OurSide.opened(url) as ours:
        burst = Burst.at(github, accounts=accounts)
        server = await Process.start(
            "serve",
            "--port",
            "0",
            settings={**settings_for(url), **server_settings(github), "LOG_LEVEL": "info"},
            log=directory / "log",
            under=(*TRACED, str(count)),
        )
        address = str((await server.said("server_listening"))["address"])
        lanes = [burst.webhooks[number::connections] for number in range(connections)]
        await asyncio.gather(*(bring(address, lane) for lane in lanes))
        await until_applied(ours)
        assert await server.stop() == 0
        complaints = burst.complaints(await ours.customers(), await ours.deliveries())
        assert not complaints, complaints
    return Figures(connections=connections, deliveries=len(burst.webhooks), syncs=await asyncio.to_thread(read, count))


async def until_applied(ours: OurSide) -> None:
    """Wait until every delivery has come to its end.

    Raises:
        TimeoutError: They didn't within a minute.
    """
    for _ in range(LOOKS):
        if all(row["state"] in ENDS for row in (await ours.deliveries()).values()):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError("not everything was applied")


async def bring(address: str, webhooks: Sequence[Webhook]) -> None:
    """Bring webhooks over one connection, each once the one before is answered."""
    url = URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for webhook in webhooks:
        lines = [
            f"POST {webhook.path} HTTP/1.1",
            f"Host: {url.authority}",
            f"Content-Length: {len(webhook.event.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in webhook.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + webhook.event.body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
    writer.close()


def read(count: Path) -> int:
    """The calls that strace counted; it writes them once the program has ended.

    Raises:
        TimeoutError: It wrote none.
    """
    for _ in range(LOOKS):
        calls: list[str] = re.findall(r"^\s*(?:fdatasync|fsync)\s+(\d+)", count.read_text(), re.MULTILINE)
        if calls:
            return sum(int(figure) for figure in calls)
        time.sleep(LOOK_SECONDS)
    raise TimeoutError("strace wrote no count")


if __name__ == "__main__":
    asyncio.run(main())
