"""Hearing of other processes' work goes on after whatever broke the connection that listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import delivery

CUT = 2
"""How many connections are cut."""


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Stand between and cut the first connections in the middle of LISTEN; yields the address and what was done."""
    target = urlsplit(url)
    done: list[str] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_asking: bool) -> None:
        try:
            while data := await reader.read(65536):
                if is_asking and b"LISTEN" in data:
                    done.append("cut" if len(done) < CUT else "passed on")
                    if done[-1] == "cut":
                        break
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(target.hostname, target.port)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(pump(reader, back_writer, is_asking=True))
            group.create_task(pump(back_reader, writer, is_asking=False))
            await asking
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield url.replace(f":{target.port}/", f":{port}/"), done
    server.close()


async def test_listening_outlives_a_connection_that_is_cut_in_the_middle_of_it(
    postgresql_url: str, clock: VirtualClock
) -> None:
    async with cutting_proxy(postgresql_url) as (address, done):
        listening = Database.connect(address, clock=clock)
        told = asyncio.Event()
        listening.on_foreign_work(told.set)
        await listening.open()
        other = Database.connect(postgresql_url, clock=clock)
        await other.open()
        async with asyncio.timeout(60):
            # Each time that listening begins, it wakes once, for what may have been told before.
            await told.wait()
            told.clear()
            await other.inbox.record(delivery("a", clock.now()))
            await told.wait()
        assert done == ["cut"] * CUT + ["passed on"]
        await other.close()
        await listening.close()
