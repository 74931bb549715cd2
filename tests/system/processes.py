"""The product as real processes, which can be killed at any moment and started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cli.running import PATIENCE_SECONDS, environment_of

POLL_SECONDS: Final = 0.01


@dataclass(kw_only=True)
class Process:
    """A process of the program. Its log goes to a file, so that it never waits for a reader."""

    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(
        cls, *arguments: str, settings: Mapping[str, str], log: Path, under: Sequence[str] = ()
    ) -> "Process":
        """Start the program, under another one that watches it if wished."""
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *under,
                sys.executable,
                "-m",
                "bot",
                *arguments,
                cwd=log.parent,
                env=environment_of(settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        return cls(process=process, log=log)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    async def said(self, event: str) -> Mapping[str, object]:
        """Wait until it logs this event, and return the line."""
        for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
            for line in self.log.read_text().splitlines():
                if f'"{event}"' in line:
                    said: Mapping[str, object] = json.loads(line)
                    return said
            assert self.process.returncode is None, self.log.read_text()
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"it never said {event}: {self.log.read_text()}")

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.returncode is None:
            os.kill(self.pid, signal.SIGKILL)
            await self.process.wait()

    async def stop(self) -> int:
        """Ask it to stop, and return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    def ticks(self) -> int:
        """How much processor time it has used, in the kernel's ticks."""
        # The name in brackets may hold blanks; the figures come after it.
        figures = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(figures[11]) + int(figures[12])


class Plant:
    """All processes of one deployment: a server with its worker, or both apart from each other.

    Attributes:
        is_up: set while the server listens.
        address: where it listens.
    """

    def __init__(self, *, settings: Mapping[str, str], directory: Path, works_apart: bool) -> None:
        self.is_up = asyncio.Event()
        self.address = ""
        self.server: Process | None = None
        self.worker: Process | None = None
        self._settings = settings
        self._directory = directory
        self._works_apart = works_apart
        self._started = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Plant"]:
        """Start everything; kill what is left in the end."""
        try:
            await self.start()
            yield self
        finally:
            await self.kill()

    @property
    def processes(self) -> Sequence[Process]:
        """Those that were started last, the server first."""
        return [process for process in (self.server, self.worker) if process is not None]

    async def start(self) -> None:
        """Start what doesn't run."""
        if self._works_apart and (self.worker is None or self.worker.process.returncode is not None):
            self.worker = await self._process("work")
        if self.server is None or self.server.process.returncode is not None:
            options = ("--no-worker",) if self._works_apart else ()
            self.server = await self._process("serve", "--port", "0", *options)
            self.address = str((await self.server.said("server_listening"))["address"])
            self.is_up.set()
        if self.worker is not None:
            await self.worker.said("worker_started")

    async def kill(self, *processes: Process) -> None:
        """Kill these processes, all of them if none is named, with everything that they are at."""
        for process in processes or self.processes:
            if process is self.server:
                self.is_up.clear()
            await process.kill()

    async def stop(self) -> list[int]:
        """Ask all of them to stop, the server first; their exit codes."""
        self.is_up.clear()
        return [await process.stop() for process in self.processes]

    async def _process(self, *arguments: str) -> Process:
        self._started += 1
        log = self._directory / f"{arguments[0]}-{self._started}.log"
        return await Process.start(*arguments, settings=self._settings, log=log)
