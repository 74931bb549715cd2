"""The benchmark of the intake brings real load to both servers, and notices what isn't there afterwards."""

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from multidict import CIMultiDict

from benchmarks.intake_servers import IntakeError, IntakeServer, ceiling_server, product_server
from benchmarks.loader import Deliveries, Load, Loader
from bot.webhooks.verify import verify_signature
from sandbox.github.server import GitHubStandIn
from tests.cli.running import environment_of

Serving = Callable[[str, GitHubStandIn, Path], AbstractAsyncContextManager[IntakeServer]]


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def loader() -> Iterator[Loader]:
    with Loader.started(seed=1) as started:
        yield started


async def brought(server: IntakeServer, loader: Loader) -> int:
    return (await server.take(loader, connections=4, seconds=0.1)).accepted


@pytest.mark.parametrize("serving", [product_server, ceiling_server])
async def test_rows_that_are_missing_or_refusals_end_the_measuring(
    serving: Serving, github: GitHubStandIn, loader: Loader, sqlite_url: str, tmp_path: Path
) -> None:
    async with serving(sqlite_url, github, tmp_path) as server:
        assert await brought(server, loader) >= 4

        server.secret = "not the one"
        with pytest.raises(IntakeError, match=r"refused deliveries: \{401"):
            await brought(server, loader)
        server.secret = github.webhook_secret
        with sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=30) as connection:
            connection.execute("DELETE FROM billing_events WHERE id = 1")
        connection.close()
        with pytest.raises(IntakeError, match=r"accepted .* and keeps"):
            await brought(server, loader)


async def test_it_tells_its_figures_as_json_and_beside_them_how_far_it_is(tmp_path: Path) -> None:
    options = ["--engine", "sqlite", "--connections", "2", "--pairs", "1", "--seconds", "0.1", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.intake",
        *options,
        cwd=tmp_path,
        env=environment_of({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, progress = await process.communicate()

    assert process.returncode == 0
    assert b"round 1 of 1: sqlite beside sqlite, 2 connections, 1 pairs of 0.1 s\n" in progress
    (figures,) = json.loads(output)["rounds"]
    assert (figures["engine"], figures["ceiling"], figures["connections"], figures["pairs"]) == (
        "sqlite",
        "sqlite",
        2,
        1,
    )
    assert figures["ratio"] > 0
    assert figures["accepted"] >= 4
    assert list(tmp_path.iterdir()) == []


def test_each_delivery_is_signed_and_another_one() -> None:
    load = Load(host="127.0.0.1", port=1, secret="a secret", connections=1, seconds=1)
    deliveries = Deliveries(load, random.Random(1))
    heads, bodies = zip(*(next(deliveries).split(b"\r\n\r\n", 1) for _ in range(20)), strict=True)
    headers = [dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:]) for head in heads]

    assert len({one["X-GitHub-Delivery"] for one in headers}) == 20
    assert {one["Content-Length"] for one in headers} == {str(len(body)) for body in bodies}
    assert all(8192 <= len(body) < 8500 and json.loads(body)["action"] == "created" for body in bodies)
    for one, body in zip(headers, bodies, strict=True):
        verify_signature(CIMultiDict(one), body, [b"a secret"])
