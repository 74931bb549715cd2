"""Where the parts of a sandbox are: its addresses, its database, its plans, and how to look inside."""

import base64
import shlex
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bot

PLANS_FILE: Final = "plans.toml"
LEDGER_SIGNING_KEY: Final = base64.b64encode(b"everybody knows the sandbox key!").decode()
"""Signs what the sandbox signs. It is no secret, since nothing here has to be proven, and the same in every run, so
that a kept database verifies."""
PROGRAM: Final = "tallyhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything is. Addresses are without a slash at their end."""

    console: str
    server: str
    github: str
    database: Path
    is_database_kept: bool
    plans: Path

    def announcement(self) -> str:
        """What a person is told when everything runs."""
        fate = "kept" if self.is_database_kept else "gone when the sandbox stops"
        settings = (
            f"DATABASE_URL={database_url(self.database)} PLANS_FILE={shlex.quote(str(self.plans))}"
            f" LEDGER_SIGNING_KEY={LEDGER_SIGNING_KEY}"
        )
        return f"""
Tallyhook's sandbox is running. Nothing leaves this machine, and nobody pays anything.

  Console    {self.console}/
             install, buy, ask /credits in a thread and see the answer; move time; let something go wrong; start over
  Server     {self.server}/        ready: {self.server}/readyz
  GitHub     {self.github}/        the stand-in that the server talks to
  Database   {self.database} ({fate})

Look inside from another terminal. Commands go by the real time, not by the console's clock:
  export {settings}
  {_program()} customers list

Ctrl-C stops it.
"""


def shipped_plans() -> Path:
    """Return the plan catalogue in the working directory, or else the one that came with the program."""
    here = Path(PLANS_FILE)
    return here if here.is_file() else Path(bot.__file__).resolve().parents[1] / PLANS_FILE


def database_url(path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


def server_url(host: str, port: int) -> str:
    """Return the address of a server on this machine."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def free_port(host: str) -> int:
    """Return a port that nobody uses: the server has to know its address before it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _program() -> str:
    """Return how this very program is called from anywhere."""
    if shutil.which(PROGRAM):
        return PROGRAM
    script = Path(sys.executable).parent / PROGRAM
    return shlex.quote(str(script)) if script.is_file() else f"{shlex.quote(sys.executable)} -m bot"
