"""How soon a comment is answered on an idle system, as GitHub sees it: from its webhook to the sign, and to the answer.

Runs the real server on SQLite in a process of its own, and the stand-in for GitHub in this one. People ask one after
another, each once the one before was answered and the installation may be written to again:

    python -m benchmarks.answer_times
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.github.exchange import Exchange
from sandbox.github.model import Account, Event, Repository
from sandbox.github.server import GitHubStandIn
from storage import migrating
from tests.cli.conftest import settings_for
from tests.cli.server_settings import server_settings
from tests.system.our_side import OurSide
from tests.system.processes import Process

QUESTIONS: Final = 40
IN_A_THREAD: Final = 4
"""The first one in a thread is answered by a new comment, the others by an edit."""

PAUSE_SECONDS: Final = 2.2
"""A sign and an answer may leave together, and the next two not before two seconds later."""

PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.0005


@dataclass
class Watch:
    """When things crossed the wire, by this process's clock, in seconds."""

    sent: list[float] = field(default_factory=list)
    signs: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def see_event(self, event: Event, _headers: dict[str, str]) -> None:
        """A webhook leaves. Those about what we wrote ourselves leave too, and are none of this."""
        if event.action == "created" and event.payload.get("comment", {}).get("body") == "/credits":
            self.sent.append(time.perf_counter())

    def see_exchange(self, exchange: Exchange) -> None:
        """The stand-in has answered a request."""
        if exchange.method == "POST" and exchange.path.endswith("/reactions"):
            self.signs.append(time.perf_counter())
        elif exchange.method in {"POST", "PATCH"} and "/issues/" in exchange.path:
            self.answers.append(time.perf_counter())

    async def answered(self, count: int) -> None:
        """Wait until so many were answered."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.answers) < count:  # noqa: ASYNC110 -- the wire rings no bell
                await asyncio.sleep(LOOK_SECONDS)


async def main() -> None:
    """Ask, and print how long it took."""
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="answer-times-", dir=Path.cwd()) as directory:
        async with (
            GitHubStandIn(observers=[watch.see_exchange], event_observers=[watch.see_event]) as github,
            served(Path(directory), github) as ours,
        ):
            await ask(github, watch, *await settled_in(github, ours))
    print(f"{QUESTIONS} questions      median     p95     max")
    for name, moments in (("until the sign", watch.signs), ("until the answer", watch.answers)):
        seconds = [moment - sent for sent, moment in zip(watch.sent, moments, strict=True)]
        print(f"{name:17} {of(seconds, 0.5):8.3f} {of(seconds, 0.95):8.3f} {max(seconds):8.3f} s")


async def ask(github: GitHubStandIn, watch: Watch, repository: Repository, person: Account) -> None:
    """Ask one after another, some in each thread."""
    for _ in range(QUESTIONS // IN_A_THREAD):
        thread = github.open_issue(repository, person, "It breaks")
        for _ in range(IN_A_THREAD):
            github.comment(thread, person, "/credits")
            await watch.answered(len(watch.sent))
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def served(directory: Path, github: GitHubStandIn) -> AsyncIterator[OurSide]:
    """Run the server beside the stand-in."""
    url = f"sqlite:///{directory / 'tallyhook.db'}"
    await asyncio.to_thread(migrating.upgrade, url)
    settings = {**settings_for(url), **server_settings(github)}
    server = await Process.start("serve", "--port", "0", settings=settings, log=directory / "log")
    try:
        github.connect(str((await server.said("server_listening"))["address"]))
        async with OurSide.opened(url) as ours:
            yield ours
        assert await server.stop() == 0
    finally:
        await server.kill()


async def settled_in(github: GitHubStandIn, ours: OurSide) -> tuple[Repository, Account]:
    """An account with a plan and a private repository, once the product knows of it, and who may write there."""
    account, person = github.add_organization("octo-org"), github.add_user("ada")
    repository = github.add_repository(account, "hello", private=True)
    github.set_permission(repository, person, "write")
    github.buy(account, "Pro")
    github.install(account)
    await github.settle()
    await ours.all_ended()
    return repository, person


def of(seconds: Sequence[float], share: float) -> float:
    """The smallest of them that so great a share doesn't exceed."""
    ordered = sorted(seconds)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    asyncio.run(main())
