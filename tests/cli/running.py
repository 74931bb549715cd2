"""The program, in this process where that will do, or as a process of its own: started, answered, and ended."""

import asyncio
import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from bot.cli.program import program
from tests.arch.tree import ROOT
from tests.log_state import log_state_kept

PATIENCE_SECONDS = 60.0
"""How long a program may take on a machine that is busy with other tests."""
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and what it said."""

    code: int
    stdout: str
    stderr: str


def invoke(*arguments: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Run the program to its end in this process, which takes a hundredth of the time that a new one takes.

    A bug that escapes the program escapes from here.
    """
    # The program's log goes to a stream that is gone afterwards.
    with log_state_kept():
        result = CliRunner().invoke(program, arguments, env=settings, prog_name="tallyhook", catch_exceptions=False)
    return Ended(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)


class Program:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stdout: list[str] = []
        self._stderr: list[str] = []

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def line_with(self, words: str) -> str:
        """Read what it says on stderr up to a line with these words, and return that line."""
        assert self._process.stderr is not None
        return await self._line_of(self._process.stderr, words, self._stderr)

    async def stdout_line_with(self, words: str) -> str:
        """Read what it prints up to a line with these words, and return that line."""
        assert self._process.stdout is not None
        return await self._line_of(self._process.stdout, words, self._stdout)

    async def _line_of(self, stream: asyncio.StreamReader, words: str, kept: list[str]) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await stream.readline()).decode():
                kept.append(line)
                if words in line:
                    return line.rstrip("\n")
            ended = await self.end()
        raise AssertionError(f"the program ended without saying {words!r}: {ended}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def end(self) -> Ended:
        """Wait until it ends by itself."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            stdout, stderr = await self._process.communicate()
        return Ended(
            code=self._process.returncode or 0,
            stdout="".join(self._stdout) + stdout.decode(),
            stderr="".join(self._stderr) + stderr.decode(),
        )

    async def kill(self) -> None:
        """End it now, if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def environment_of(settings: Mapping[str, str] | None) -> dict[str, str]:
    """The whole environment of a program: its settings and none of this process's own."""
    # By its own variables, coverage finds the programs that tests start.
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}  # noqa: TID251
    return {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "TERM": "xterm", **measured, **(settings or {})}


def converse(
    *arguments: str, settings: Mapping[str, str], answers: Mapping[str, str], hidden: str = ""
) -> tuple[int, str]:
    """Run the program at a terminal; give each answer once its question is asked. The exit code, and all it showed.

    `hidden` is the question whose answer isn't shown: what is typed before the terminal has stopped showing is lost.
    """
    terminal, ours = pty.openpty()
    shown = b""
    waiting = dict(answers)
    command = [sys.executable, "-m", "bot", *arguments]
    with subprocess.Popen(command, env=environment_of(settings), stdin=ours, stdout=ours, stderr=ours) as process:
        os.close(ours)
        # Reading fails once the program has let go of the terminal.
        with contextlib.suppress(OSError):
            while part := _read_within_patience(terminal, process):
                shown += part
                for question in [each for each in waiting if each.encode() in shown]:
                    if question == hidden:
                        _wait_until_nothing_is_shown(terminal)
                    os.write(terminal, f"{waiting.pop(question)}\n".encode())
    os.close(terminal)
    return process.returncode, shown.decode()


def _read_within_patience(terminal: int, process: subprocess.Popen[bytes]) -> bytes:
    """Read what the program shows next. One that shows nothing any more waits for an answer that nobody gives."""
    readable, _, _ = select.select([terminal], [], [], PATIENCE_SECONDS)
    if not readable:
        process.kill()
        raise AssertionError("the program waits for something")
    return os.read(terminal, 65536)


def _wait_until_nothing_is_shown(terminal: int) -> None:
    """Wait until the program has told the terminal not to show what is typed."""
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        if not termios.tcgetattr(terminal)[3] & termios.ECHO:
            return
        time.sleep(POLL_SECONDS)
    raise AssertionError("the terminal goes on showing what is typed")


async def start(*arguments: str, directory: Path, settings: Mapping[str, str] | None = None, **options: Any) -> Program:
    """Start the program in a directory, with these settings and none of this process's own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=directory,
        env=environment_of(settings),
        stdin=options.get("stdin", asyncio.subprocess.DEVNULL),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Program(process)


async def run(*arguments: str, directory: Path, settings: Mapping[str, str] | None = None) -> Ended:
    """Run the program to its end."""
    return await (await start(*arguments, directory=directory, settings=settings)).end()
