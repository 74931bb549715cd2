"""Whatever goes wrong while people talk: who may ask is answered once, nobody else ever is, and no figure gets out.

A run is drawn from a seed and played on both engines. What a failure prints names the seed; to play it again:

    pytest tests/system/test_talk.py -k 'sqlite and 7'
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from billing.values import to_milliseconds
from bot.settings import ServerSettings
from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from sandbox.github.state import default_plans
from tests.contract import GitHubContract
from tests.storage.raw import execute
from tests.system.power import Power
from tests.system.product import Product, settings_for
from tests.system.talk_cast import BUSY
from tests.system.talk_oracle import Verdict
from tests.system.talk_player import Player
from tests.system.talk_record import Record
from tests.system.talk_script import ELSEWHERE, Trouble, burst, script
from tests.system.talk_side import TalkSide
from tests.system.talk_stage import Stage
from tests.system.test_convergence import logs_told
from tests.unsynced import unsynced

START: Final = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

TROUBLES: Final[tuple[Trouble, ...]] = (
    "none",
    "lost_answer",
    "lands_late",
    "server_error",
    "dropped",
    "garbled",
    "slow",
    "limit_forbidden",
    "limit_too_many",
    "limit_unnamed",
    "exhausted",
    "young_token",
    "revoked_tokens",
    "moved",
    "duplicated",
    "held",
    "late",
    "failed_webhook",
    "lost_webhook",
    "altered",
    "killed",
    "mixed",
    "mixed",
)

SEEDS: Final = (1,)

QUESTIONS_AT_ONCE: Final = 60

WRITTEN_BEFORE: Final = 460
"""Writes for the busy account within the last hour: a few more are free, and then one every six seconds."""


# The oracle says whether the product is right; that its lines were run says nothing beside that, and counting them
# takes more time than running them.
pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(900)]


@asynccontextmanager
async def playing(database_url: str, seed: int) -> AsyncIterator[Player]:
    """Set the stage and start the product, each at the other's address."""
    clock, power, contract = VirtualClock(START, frozen=True), Power(), GitHubContract()
    github = GitHubStandIn(
        clock,
        seed=seed,
        plans=default_plans(),
        observers=[contract.see_exchange],
        event_observers=[contract.see_event],
        concurrency=4,
        rate_limit=1_000_000,
    )
    stage = Stage(github)
    record = Record(stage=stage)
    github.observers += [record.see_exchange, lambda _: power.read_back()]
    github.courier.observers.append(record.see_event)
    async with github, TalkSide.opened(database_url) as ours:
        settings = ServerSettings.model_validate(settings_for(github, database_url))
        product = Product(settings=settings, clock=clock, power=power, seed=seed)
        player = Player(stage=stage, record=record, product=product, ours=ours, power=power, seed=seed)
        record.tell = player.say
        with power.watched(), unsynced(), logs_told(player.say):
            await player.begin()
            try:
                yield player
            finally:
                await product.close()
                power.restore()
    contract.assert_kept()


async def judge(player: Player) -> None:
    """Hold what became of it against the oracle."""
    verdict = Verdict(
        record=player.record,
        deliveries=await player.ours.deliveries(),
        effects=await player.ours.effects(),
        alarms=await player.ours.alarms(),
        balances=player.balances,
    )
    complaints = list(verdict.complaints())
    left = await player.ours.balances(player.stage)
    complaints += [f"{login} had {count}" for login, count in player.balances.items() if left[login] != count]
    assert not complaints, player.told("\n".join(complaints))


@pytest.mark.parametrize("seed", SEEDS)
async def test_everybody_gets_what_is_due_whatever_goes_wrong(database_url: str, seed: int) -> None:
    async with playing(database_url, seed) as player:
        for phase in script(seed, TROUBLES):
            await player.play(phase)
        await judge(player)
        assert sum(bool(said.step.asks) for said in player.record.said.values()) >= 200


async def write_much(player: Player, database_url: str) -> None:
    """Have the product remember that it has written much for the busy account within the last hour."""
    number = player.github.installation(player.stage.account(BUSY)).id
    moments = [START - timedelta(seconds=6 * each) for each in range(WRITTEN_BEFORE + 90, 90, -1)]
    rows = [f"('installation:{number}', {each}, {to_milliseconds(at)})" for each, at in enumerate(moments, start=1)]
    await execute(database_url, f"INSERT INTO paces (subject, number, at) VALUES {', '.join(rows)}")
    player.record.attempts[number] += moments


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_busy_account_keeps_its_pace_and_keeps_nobody_else_waiting(database_url: str, seed: int) -> None:
    async with playing(database_url, seed) as player:
        await write_much(player, database_url)
        await player.play(burst(seed, questions=QUESTIONS_AT_ONCE))
        await judge(player)
        assert dict(player.record.waited(*ELSEWHERE)) == dict.fromkeys(ELSEWHERE, timedelta(0))
