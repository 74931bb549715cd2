"""For any history at GitHub, told in any order, twice, late or not at all, and with any crash, all comes right."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from structlog.typing import EventDict, WrappedLogger

from bot.cli.verifying import Verification
from bot.settings import ServerSettings
from sandbox.clock import VirtualClock
from tests.log_state import log_state_kept
from tests.postgres import Postgres
from tests.system.found import FOUND
from tests.system.github_side import GitHubSide
from tests.system.history import History, histories
from tests.system.oracle import Verdict
from tests.system.our_side import OurSide
from tests.system.player import Player
from tests.system.power import Power
from tests.system.product import Product, settings_for
from tests.system.roll_call import RollCall
from tests.unsynced import unsynced

START: Final = datetime(2026, 1, 29, 9, 30, tzinfo=UTC)
"""Two days before the end of a month, and the next one is short."""

Play = Callable[[History], None]

# The oracle says whether the product is right; that its lines were run says nothing beside that, and counting them
# takes more time than running them.
pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(3600)]


def any_history(*, one_of: int) -> Callable[[Play], Callable[[], None]]:
    """Try this with every history that was found once, and with one of so many new ones that the profile says."""
    examples = settings().max_examples // one_of

    def made(play: Play) -> Callable[[], None]:
        for history in FOUND:
            play = example(history=history)(play)
        unhurried = settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
        return unhurried(given(history=histories)(play))

    return made


def replay(history: History, database_url: str) -> None:
    """Play a history on a fresh database, to its end and beyond, and hold what became of it against the oracle."""
    power = Power()
    with power.watched(), unsynced():
        asyncio.run(_replay(history, database_url, power))


async def _replay(history: History, database_url: str, power: Power) -> None:
    clock = VirtualClock(START, frozen=True)
    github = GitHubSide(clock, power)
    async with github.serving(), OurSide.opened(database_url) as ours:
        settings_ = ServerSettings.model_validate(settings_for(github.world, database_url))
        product = Product(settings=settings_, clock=clock, power=power)
        player = Player(clock=clock, github=github, product=product, ours=ours, power=power)
        await product.start()
        try:
            with logs_told(player.say):
                await player.play(history)
                await player.settle()
                await RollCall(player).heal()
                await _judge(player)
        finally:
            github.let_go()
            await product.close()
            power.restore()


async def _judge(player: Player) -> None:
    verdict = Verdict(
        chronicle=player.github.chronicle,
        record=player.record,
        customers=await player.ours.customers(),
        deliveries=await player.ours.deliveries(),
        alarms=list(await player.ours.alarms()),
    )
    complaints = list(verdict.complaints())
    assert player.product.database is not None
    database = player.product.database
    report = await Verification(database.reads, database.audits, on_progress=lambda _: None).run()
    if report.offence is not None:
        complaints.append(f"the ledger is broken: {report.offence}")
    assert not complaints, player.told("\n".join(complaints))


@contextmanager
def logs_told(say: Callable[[str], None]) -> Iterator[None]:
    """Have the product's own warnings among what is told of a failure."""

    def tell(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if method not in {"debug", "info"}:
            say(f"   log: {' '.join(f'{name}={value}' for name, value in event.items() if name != 'exc_info')}")
        raise structlog.DropEvent

    with log_state_kept():
        structlog.configure(processors=[structlog.contextvars.merge_contextvars, tell])
        yield


def test_any_history_ends_in_what_github_says_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "tallyhook.db"

    @any_history(one_of=1)
    def play(history: History) -> None:
        for left in tmp_path.iterdir():
            left.unlink()
        shutil.copyfile(sqlite_template, path)
        replay(history, f"sqlite:///{path}")

    play()


def test_any_history_ends_in_what_github_says_on_postgresql(
    postgres_server: Postgres, postgresql_template: str
) -> None:
    @any_history(one_of=3)
    def play(history: History) -> None:
        database = postgres_server.create_database(template=postgresql_template)
        try:
            replay(history, postgres_server.url(database))
        finally:
            postgres_server.drop_database(database)

    play()
