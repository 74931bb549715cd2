"""A seeded simulation of the ledger against the naive model, on a real database.

    python -m tests.ledger.simulation --seed 7 --engine postgresql --commands 60 --trace

plays one seed and prints where program and model first differ, with every step before it if asked to. Without a seed
it plays seed after seed, for `--seconds` or `--seeds` (`make simulate`). docs/simulation.md tells what is simulated.
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Final

import structlog

from storage import migrating
from tests.ledger.play import Play, Tally
from tests.postgres import SharedPostgres, new_directory
from tests.unsynced import unsynced

COMMANDS: Final = 60
"""How many commands a seed has, unless told otherwise."""

TELL_SECONDS: Final = 15.0
"""How often a long run says how far it is."""

DIFFERED: Final = 1
INTERRUPTED: Final = 130
"""What a run exits with; the latter is what shells make of Ctrl-C."""


class Brake:
    """Ctrl-C: the first one ends the run behind the seed that is being played, the next one at once."""

    def __init__(self) -> None:
        self.is_pulled = False
        signal.signal(signal.SIGINT, self._pull)

    def _pull(self, _number: int, _frame: FrameType | None) -> None:
        self.is_pulled = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def command_for(seed: int, engine: str, commands: int) -> str:
    """The command that plays this seed again."""
    return f"python -m tests.ledger.simulation --seed {seed} --engine {engine} --commands {commands} --trace"


@contextlib.contextmanager
def fresh_databases(engines: Sequence[str]) -> Iterator[dict[str, str]]:
    """A migrated database of each of these engines; they are gone afterwards."""
    urls: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        if "sqlite" in engines:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            urls["sqlite"] = f"sqlite:///{directory}/simulation.db"
        if "postgresql" in engines:
            shared = SharedPostgres(directory=new_directory(), owner_pid=os.getpid())
            stack.callback(shared.close)
            server = shared.server()
            urls["postgresql"] = server.url(server.create_database())
        for url in urls.values():
            migrating.upgrade(url)
        yield urls


def main(arguments: Sequence[str]) -> int:
    """Play one seed, or one after another; 1 if program and model differ, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.ledger.simulation", description="Hold the ledger to a model."
    )
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--commands", type=int, default=COMMANDS, help="how many a seed has")
    parser.add_argument("--trace", action="store_true", help="tell every step")
    parser.add_argument("--seeds", type=int, default=0, help="play so many, from --first on")
    parser.add_argument("--seconds", type=float, default=0, help="play for so long")
    parser.add_argument("--first", type=int, default=1_000, help="the first seed of many")
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    engines = ("sqlite", "postgresql") if given.engine == "both" else (given.engine,)
    tallies = {engine: Tally() for engine in engines}
    brake = Brake()
    try:
        with fresh_databases(engines) as urls, unsynced():
            is_right = _play_each(urls, tallies, _seeds(given, brake), given.commands, trace=given.trace)
    except KeyboardInterrupt:
        is_right = True
    if not is_right:
        return DIFFERED
    _summarise(tallies)
    return INTERRUPTED if brake.is_pulled else 0


def _seeds(given: argparse.Namespace, brake: Brake) -> Iterator[int]:
    """What is asked for, until the time is over or the brake is pulled."""
    if given.seed is not None:
        yield given.seed
        return
    until = time.monotonic() + given.seconds if given.seconds or not given.seeds else None
    for seed in range(given.first, given.first + given.seeds) if given.seeds else itertools.count(given.first):
        if brake.is_pulled or (until is not None and time.monotonic() >= until):
            return
        yield seed


def _play_each(
    urls: dict[str, str], tallies: dict[str, Tally], seeds: Iterable[int], commands: int, *, trace: bool
) -> bool:
    """Play them until program and model differ; whether they never did."""
    told_at = time.monotonic()
    for seed in seeds:
        for engine, url in urls.items():
            tell = say if trace else _say_nothing
            tell(f"seed {seed} on {engine}")
            play = Play(url, seed, tally=tallies[engine], tell=tell)
            try:
                asyncio.run(play.run(commands))
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is told with the command that repeats it
                say(f"seed {seed} on {engine}: {type(error).__name__}: {error}")
                say(f"play it again: {command_for(seed, engine, commands)}")
                return False
        if time.monotonic() - told_at > TELL_SECONDS:
            told_at = time.monotonic()
            say(", ".join(f"{engine}: {tally.in_short()}" for engine, tally in tallies.items()))
    return True


def _summarise(tallies: dict[str, Tally]) -> None:
    """Tell what was played; of a seed that was broken off, what it came to."""
    for engine, tally in tallies.items():
        say(f"{engine}: {tally.in_full()}")
    if len(tallies) > 1:
        say("In races the machine decides who comes first, so the engines' figures may differ.")


def say(text: str) -> None:
    """Tell it at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_nothing(_: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
