"""How many deliveries a second become durable, and how soon each is answered, beside the least that can do it.

The product's server runs in a process of its own, without a worker; so does a bare server on a database of its own,
which writes the same rows (`benchmarks.ceiling_server`); a third process brings deliveries of 8 KB, each signed when it
is sent (`benchmarks.loader`). Loads alternate between the two servers, and what is told is the median of the paired
ratios with its quartiles, since the machine's noise is in both halves of a pair. After each load the deliveries that
were accepted are counted in the database.

On SQLite the ceiling is the bare driver with group commit. PostgreSQL is held against that too, and against one
statement a delivery over a pool of the bare driver.

    python -m benchmarks.intake
    python -m benchmarks.intake --engine sqlite --connections 64 --pairs 15 --json
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from benchmarks.intake_servers import Databases, Engine, ceiling_server, product_server
from benchmarks.loader import Loaded, Loader, alone
from benchmarks.pairs import Spread
from benchmarks.progress import tell
from sandbox.github.server import GitHubStandIn

CEILINGS: Final[Mapping[Engine, Sequence[Engine]]] = {"sqlite": ["sqlite"], "postgresql": ["postgresql", "sqlite"]}
"""What each engine is held against."""

CONNECTIONS: Final = (1, 16, 64)
PAIRS: Final = 7
QUICK_PAIRS: Final = 3
MOST_PAIRS: Final = 100
SECONDS: Final = 1.0
MOST_SECONDS: Final = 60.0
WARM_UP_SECONDS: Final = 0.5
SEED: Final = 1

HEADER: Final = (
    "engine      ceiling     connections  ratio (quartiles)   a second: ours ceiling  p95: ratio  ms: ours ceiling"
    "  processor us: ours ceiling"
)
LINE: Final = (
    "{engine:10}  {ceiling:10}  {connections:11}  {ratio:4.2f} ({ratio_lower_quartile:.2f}-{ratio_upper_quartile:.2f})"
    "  {product_a_second:15,.0f} {ceiling_a_second:7,.0f}"
    "  {p95_ratio:10.2f}  {product_p95_ms:8.2f} {ceiling_p95_ms:7.2f}"
    "  {product_processor_us:18.0f} {ceiling_processor_us:7.0f}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is held against what, and over how many connections."""

    engine: Engine
    ceiling: Engine
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What came of a round's loads, the product's and the ceiling's in turn."""

    of: Round
    product: list[Loaded] = field(default_factory=list)
    ceiling: list[Loaded] = field(default_factory=list)

    def figures(self) -> Mapping[str, float | str]:
        """All that is told of them, by name."""
        ratio = Spread.of_ratios([load.rate for load in self.product], [load.rate for load in self.ceiling])
        p95_ratio = Spread.of_ratios(
            [load.p95_seconds for load in self.product], [load.p95_seconds for load in self.ceiling]
        )
        return {
            "engine": self.of.engine,
            "ceiling": self.of.ceiling,
            "connections": self.of.connections,
            "pairs": len(self.product),
            "ratio": ratio.median,
            "ratio_lower_quartile": ratio.lower,
            "ratio_upper_quartile": ratio.upper,
            "product_a_second": statistics.median(load.rate for load in self.product),
            "ceiling_a_second": statistics.median(load.rate for load in self.ceiling),
            "product_p95_ms": 1000 * statistics.median(load.p95_seconds for load in self.product),
            "ceiling_p95_ms": 1000 * statistics.median(load.p95_seconds for load in self.ceiling),
            "product_processor_us": statistics.median(load.processor_microseconds for load in self.product),
            "ceiling_processor_us": statistics.median(load.processor_microseconds for load in self.ceiling),
            "p95_ratio": p95_ratio.median,
            "accepted": sum(load.accepted for load in (*self.product, *self.ceiling)),
        }


async def measured(of: Round, databases: Databases, loader: Loader, *, pairs: int, seconds: float) -> Pairs:
    """Start both servers on databases of their own, and load them in turn."""
    done = Pairs(of=of)
    async with GitHubStandIn() as github, AsyncExitStack() as stack:
        where = databases.directory
        product = await stack.enter_async_context(product_server(await databases.new(of.engine), github, where))
        ceiling = await stack.enter_async_context(ceiling_server(await databases.new(of.ceiling), github, where))
        for server in (product, ceiling):
            await server.take(loader, connections=of.connections, seconds=WARM_UP_SECONDS)
        for _ in range(pairs):
            done.product.append(await product.take(loader, connections=of.connections, seconds=seconds))
            done.ceiling.append(await ceiling.take(loader, connections=of.connections, seconds=seconds))
    return done


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.intake",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", choices=list(CEILINGS), help="the product's database; absent: one after another")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS, help="how many (1 16 64)")
    parser.add_argument(
        "--pairs", type=int, help=f"of loads, at most {MOST_PAIRS} ({PAIRS}; {QUICK_PAIRS} with --quick)"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of a load, at most {MOST_SECONDS:.0f} (1)")
    parser.add_argument("--quick", action="store_true", help="a short look: few pairs")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    options.pairs = options.pairs or (QUICK_PAIRS if options.quick else PAIRS)
    if not (0 < options.pairs <= MOST_PAIRS and 0 < options.seconds <= MOST_SECONDS):
        parser.error(f"at most {MOST_PAIRS} pairs of {MOST_SECONDS:.0f} seconds, and more than none")
    return options


async def main() -> None:
    """Run all pairs, and print what came of them."""
    options = read_options(sys.argv[1:])
    rounds = [
        Round(engine=engine, ceiling=ceiling, connections=connections)
        for engine in ([options.engine] if options.engine else CEILINGS)
        for ceiling in CEILINGS[engine]
        for connections in options.connections
    ]
    figures: list[Mapping[str, float | str]] = []
    with Loader.started(seed=SEED) as loader, Databases.made() as databases:
        tell("the loader alone")
        own = await alone(loader, connections=max(options.connections), seconds=options.seconds)
        if not options.json:
            print(
                f"The loader alone, against a server that keeps nothing: {own.rate:,.0f} a second.\n{HEADER}",
                flush=True,
            )
        for number, of in enumerate(rounds, start=1):
            tell(
                f"round {number} of {len(rounds)}: {of.engine} beside {of.ceiling},"
                f" {of.connections} connections, {options.pairs} pairs of {options.seconds:g} s"
            )
            pairs = await measured(of, databases, loader, pairs=options.pairs, seconds=options.seconds)
            figures.append(pairs.figures())
            if not options.json:
                print(LINE.format_map(figures[-1]), flush=True)
    if options.json:
        print(json.dumps({"loader_alone_a_second": own.rate, "rounds": figures}, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
