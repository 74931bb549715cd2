"""How fast credits are spent: spends a second and how long each takes, beside the ceiling and the unbatched path.

Everything runs in this process and answers as many waiting callers; each contender has a database of its own, a copy of
the same 10,000 customers. SQLite syncs fully; PostgreSQL is a server of the benchmark's own that flushes to the disk.
What is compared is measured in turns, and figures are medians of the ratios of such pairs, with their quartiles:

    python -m benchmarks.ledger
    python -m benchmarks.ledger --quick --engine sqlite
    python -m benchmarks.ledger --growth
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from benchmarks.ledger_growth import GROWN_TO, Grown, measure_growth
from benchmarks.ledger_places import Place, PostgresPlace, SqlitePlace
from benchmarks.ledger_rounds import Compared, Effort, Held, Measured, Rounds, latencies, middle_rate
from benchmarks.progress import tell
from tests.postgres import durable_server

Result = Measured | Compared | Held | Grown

ENGINES: Final = ("sqlite", "postgresql")
FULL: Final = Effort(pairs=9, seconds=1.0, callers=(1, 8, 64, 256))
QUICK: Final = Effort(pairs=3, seconds=0.3, callers=(1, 64))
QUICKLY_GROWN_TO: Final = (10_000, 100_000)


def main() -> None:
    """Measure what the arguments ask for, and print it."""
    arguments = _arguments()
    effort = QUICK if arguments.quick else FULL
    effort = replace(effort, pairs=arguments.pairs or effort.pairs, callers=arguments.callers or effort.callers)
    results: list[Result] = []
    for engine in arguments.engine or ENGINES:
        tell(f"{engine}: filling a database with customers")
        with _place(engine, arguments.directory) as place:
            if arguments.growth:
                sizes = QUICKLY_GROWN_TO if arguments.quick else GROWN_TO
                found: list[Result] = [*measure_growth(place, sizes, pairs=effort.pairs, seconds=effort.seconds)]
            else:
                found = asyncio.run(_measured(place, effort))
        if not arguments.json:
            print(_told(found), flush=True)
        results += found
    if arguments.json:
        print(json.dumps([_as_json(result) for result in results], indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ledger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=ENGINES, action="append", help="only this one; may be repeated")
    parser.add_argument("--callers", type=int, action="append", help="only so many waiting callers; may be repeated")
    parser.add_argument("--pairs", type=int, help="how many pairs a figure comes from (9; 3 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a short look: few rounds, and short ones")
    parser.add_argument("--growth", action="store_true", help="instead: journals of up to ten million entries (5 GB)")
    parser.add_argument("--json", action="store_true", help="print one JSON array instead of tables")
    parser.add_argument("--directory", default=".", help="the disk that SQLite is measured on; here by default")
    return parser.parse_args()


@contextmanager
def _place(engine: str, parent: str) -> Iterator[Place]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="ledger-", dir=parent) as directory:
            yield SqlitePlace(Path(directory))
    else:
        with durable_server() as server:
            yield PostgresPlace(server)


async def _measured(place: Place, effort: Effort) -> list[Result]:
    rounds = Rounds(place, effort)
    await rounds.open()
    found: list[Result] = [*await rounds.table(), *await rounds.comparisons(), *await rounds.held()]
    await rounds.close()
    return found


def _told(results: Sequence[Result]) -> str:
    """The figures as tables in Markdown, one for each kind."""
    kinds = {type(result): [each for each in results if type(each) is type(result)] for result in results}
    return "\n".join("\n".join(["", *_table([_as_row(result) for result in found])]) for found in kinds.values())


def _table(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    yield f"| {' | '.join(rows[0])} |"
    yield f"|{' --- |' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(row.values())} |"


def _as_row(result: Result) -> dict[str, str]:
    """One line of a table, for people."""
    match result:
        case Measured():
            return {
                "engine": result.engine,
                "accounts": result.accounts,
                "callers": str(result.callers),
                "spends/s": f"{middle_rate(result.product):,.0f}",
                "p50 / p95 / p99 ms": latencies(result.product),
                "ceiling/s": f"{middle_rate(result.ceiling):,.0f}",
                "its p50 / p95 / p99 ms": latencies(result.ceiling),
                "of the ceiling": str(result.of_ceiling),
                "unbatched/s": f"{middle_rate(result.unbatched):,.0f}",
                "times unbatched": str(result.over_unbatched),
            }
        case Compared():
            return {"engine": result.engine, "pair": result.what, "ratio": str(result.ratio)}
        case Held():
            return {
                "engine": result.engine,
                "accounts": result.accounts,
                "callers": str(result.callers),
                "late by, p99 ms": f"{result.p99:.1f}",
                "at most, ms": f"{result.longest:.1f}",
                "of that computing at most, ms": f"{result.longest_own:.1f}",
            }
        case Grown():
            return {
                "engine": result.engine,
                "entries": f"{result.entries:,}",
                **{name: f"{result.figures[name]:,.2f} = {result.ratios[name]}" for name in result.figures},
            }
        case _:
            assert_never(result)


def _as_json(result: Result) -> dict[str, str]:
    """The same, with the kind of result."""
    return {"kind": type(result).__name__.lower(), **_as_row(result)}


if __name__ == "__main__":
    main()
