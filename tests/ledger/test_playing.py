"""The simulation's program, as a process: what it says when it has played, and when it is broken off."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.arch.tree import ROOT
from tests.cli.running import PATIENCE_SECONDS, environment_of

PROGRAM = (sys.executable, "-m", "tests.ledger.simulation", "--engine", "sqlite", "--first", "7")


@contextlib.contextmanager
def playing(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the program; it ends with the block."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env=environment_of(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()


def test_ctrl_c_breaks_it_off_and_what_was_played_is_told() -> None:
    with playing("--seeds", "100000", "--trace") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        before = [line for line in iter(process.stdout.readline, "seed 8 on sqlite\n") if line]
        process.send_signal(signal.SIGINT)
        told, errors = process.stdout.read(), process.stderr.read()

    assert before[0] == "seed 7 on sqlite\n"
    assert (process.returncode, errors) == (130, "")
    begun = 2 + len(re.findall(r"^seed \d+ on sqlite$", told, re.MULTILINE))
    # The seed that is being played is played to its end.
    assert re.search(rf"^sqlite: {begun} seeds, \d+ commands$", told, re.MULTILINE)


def test_in_the_end_it_tells_what_was_played_and_how_often_programs_raced() -> None:
    with playing("--seeds", "2", "--commands", "5") as process:
        told, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert told.startswith("sqlite: 2 seeds, ")
    assert "\n  seeds in which two programs raced 1\n" in told
