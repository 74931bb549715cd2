"""Plays a history: acts at GitHub, brings its webhooks or doesn't, moves the clock, takes the power away."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, assert_never

from billing.values import from_milliseconds, to_milliseconds
from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.github.model import Account
from tests.system.github_side import GitHubSide, Webhook
from tests.system.history import Again, Bring, Cut, Do, History, Mail, Step, Trouble, Wait
from tests.system.our_side import OurSide
from tests.system.power import Power
from tests.system.product import Product

PATIENCE_SECONDS: Final = 30.0
"""Real time in which the product must come to rest; it takes milliseconds."""

LOOK_SECONDS: Final = 0.002
"""How often is looked whether it did."""

INSTEAD: Final[dict[str, tuple[str, ...]]] = {
    "install": ("uninstall",),
    "uninstall": ("install",),
    "suspend": ("unsuspend", "install"),
    "unsuspend": ("suspend", "install"),
    "add_repositories": ("install",),
    "rename": (),
    "buy": ("change",),
    "change": ("buy", "cancel"),
    "cancel": ("buy",),
    "withdraw_change": ("cancel", "buy"),
    "fail_upgrade": ("change", "buy"),
    "fail_payment": ("buy",),
    "restore_payment": ("fail_payment", "buy"),
}
"""What is done instead of an act that GitHub refuses just then, so that few steps come to nothing."""

MOST_STOPS: Final = 2000
"""How often a wait may stop for something that is due; more would be a product that never rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A webhook that never came, and when it came about."""

    webhook: Webhook
    at: datetime


@dataclass(slots=True)
class Record:
    """What was done, for the oracle and for whoever reads a failure.

    Attributes:
        sent: each webhook that was brought at least once, by its id.
        accepted: the ids of those that were answered with `202`.
        lost: those that never came, or whose `202` was never seen.
    """

    lines: list[str] = field(default_factory=list)
    sent: dict[str, Webhook] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    lost: list[Lost] = field(default_factory=list)


class Player:
    """Plays one history after another against one product."""

    def __init__(
        self, *, clock: VirtualClock, github: GitHubSide, product: Product, ours: OurSide, power: Power
    ) -> None:
        self.clock = clock
        self.github = github
        self.product = product
        self.ours = ours
        self.record = Record()
        self._power = power
        self._held: list[Webhook] = []

    async def play(self, history: History) -> None:
        """Take the steps of a history, one after another."""
        for step in history:
            await self._revive()
            self.say(f"-- {step}")
            await self._take(step)

    async def settle(self) -> None:
        """Let all that is still under way come to its end: what was held, and what waits for its time."""
        self._power.disarm()
        await self._revive()
        self.github.world.faults.clear()
        self.say("-- everything comes to its end")
        await self._bring(seed=0)
        for _ in range(MOST_STOPS):
            await self.rest()
            due = await self.ours.next_due()
            if due is None:
                return
            await self.pass_to(max(from_milliseconds(due), self.clock.now()), "prompt")
        raise AssertionError(self.told("the product never came to its end"))

    async def rest(self) -> None:
        """Wait until the product has nothing to do, or is dead."""
        if not await self._comes_to(self._is_at_rest):
            raise AssertionError(self.told(f"the product never came to rest: {await self.ours.told()}"))

    async def pass_to(self, moment: datetime, mail: Mail) -> None:
        """Move the clock, stopping wherever something is due at GitHub or at the product."""
        # What is on its way arrives within seconds; a leap of the clock meanwhile would make half a minute of them, by
        # chance. What happens while an answer is on its way is `_overlap`'s.
        await self.rest()
        for _ in range(MOST_STOPS):
            await self._revive()
            now = self.clock.now()
            if now >= moment:
                return
            due = await self.ours.next_due()
            stops = [self.github.world.next_due(), None if due is None else from_milliseconds(due), moment]
            self.clock.set(min(stop for stop in stops if stop is not None and stop > now))
            await self._dispatch(mail)
            await self.rest()
        raise AssertionError(self.told("time doesn't pass: something is always due"))

    def say(self, line: str) -> None:
        """Write down what happens."""
        self.record.lines.append(f"{self.clock.now():%m-%d %H:%M:%S} {line}")

    def told(self, complaint: str) -> str:
        """The complaint with everything that led to it."""
        return "\n".join([complaint, "", *self.record.lines])

    async def act(self, step: Do) -> None:
        """Do what a step says and bring what comes of it."""
        await self._revive()
        await self._do(step)

    # Steps -----------------------------------------------------------------------------------------------------------

    async def _take(self, step: Step) -> None:
        match step:
            case Do():
                await self._do(step)
            case Wait():
                await self.pass_to(self.clock.now() + timedelta(hours=step.hours), step.mail)
            case Bring():
                await self._bring(step.seed)
            case Again():
                await self._repeat(step.number)
            case Cut():
                self._power.cut_at(step.at, step.after)
            case Trouble():
                self._trouble(step)
            case _:
                assert_never(step)

    async def _do(self, step: Do) -> None:
        """Act, at a moment of its own, so that what came before is older."""
        due = self.github.world.next_due() if step.eve else None
        if due is not None and due - self.clock.now() > timedelta(seconds=2):
            await self.pass_to(due - timedelta(seconds=2), "prompt")
        self.clock.advance(seconds=1)
        self.github.note()
        account = self.github.accounts[step.who]
        has_overlap = step.meanwhile is not None or due is not None
        if has_overlap:
            self.github.hold_answer_about(account)
        self._act(account, step)
        await self._dispatch(step.mail)
        if has_overlap:
            await self._overlap(step.meanwhile)
        if step.rest:
            await self.rest()

    async def _overlap(self, step: Do | None) -> None:
        """Have something happen while an answer is on its way, if there is one: what comes of it is there before it."""

        async def is_holding_or_at_rest() -> bool:
            return self.github.is_holding or await self._is_at_rest()

        if not await self._comes_to(is_holding_or_at_rest):
            raise AssertionError(self.told(f"the product never asked: {await self.ours.told()}"))
        self.say("while the answer is on its way:" if self.github.is_holding else "right after:")
        self.clock.advance(seconds=1)
        self.github.note()
        if step is not None:
            self.say(f"-- {step}")
            self._act(self.github.accounts[step.who], step)
        await self._dispatch("prompt" if step is None else step.mail)
        self.clock.advance(seconds=1)
        self.github.let_go()

    def _act(self, account: Account, step: Do) -> None:
        """Let it happen at GitHub, at this very moment."""
        world = self.github.world
        acts: dict[str, Callable[[], object]] = {
            "install": lambda: world.install(account),
            "uninstall": lambda: world.uninstall(account),
            "suspend": lambda: world.suspend(account),
            "unsuspend": lambda: world.unsuspend(account),
            "add_repositories": lambda: world.add_repositories(account, [f"repository-{world.state.next_id('name')}"]),
            "rename": lambda: world.rename(account, f"login-{world.state.next_id('name')}"),
            "buy": lambda: world.buy(account, step.plan),
            "change": lambda: world.change(account, step.plan),
            "cancel": lambda: world.cancel(account),
            "withdraw_change": lambda: world.withdraw_change(account),
            "fail_upgrade": lambda: world.fail_upgrade(account),
            "fail_payment": lambda: world.fail_payment(account, hours=step.hours),
            "restore_payment": lambda: world.restore_payment(account),
        }
        for act in (step.act, *INSTEAD[step.act]):
            try:
                acts[act]()
            except ActionError:
                continue
            self.say(f"{account.login}: {act}")
            break
        self.github.note()

    def _trouble(self, step: Trouble) -> None:
        faults = self.github.world.faults
        match step.kind:
            case "fail":
                faults.fail(times=step.times)
            case "lose_answer":
                faults.lose_answer(times=step.times)
            case "garble":
                faults.garble(times=step.times)
            case "limit":
                faults.limit(times=step.times)
            case _:
                assert_never(step.kind)

    # Webhooks --------------------------------------------------------------------------------------------------------

    async def _dispatch(self, mail: Mail) -> None:
        """See to the webhooks that came about."""
        self.github.note()
        webhooks = self.github.take_webhooks()
        match mail:
            case "prompt":
                await self._send(webhooks)
            case "twice":
                await self._send([*webhooks, *webhooks])
            case "held":
                self._held += webhooks
            case "lost":
                self._lose(webhooks)
            case _:
                assert_never(mail)

    async def _bring(self, seed: int) -> None:
        """Bring what was held."""
        self.clock.advance(seconds=1)
        held, self._held = self._held, []
        random.Random(seed).shuffle(held)
        await self._send(held)
        await self.rest()

    async def _repeat(self, number: int) -> None:
        """Bring a webhook once more that was brought before."""
        self.clock.advance(seconds=1)
        sent = list(self.record.sent.values())
        if sent:
            await self._send([sent[number % len(sent)]])
            await self.rest()

    async def _send(self, webhooks: Iterable[Webhook]) -> None:
        """Bring webhooks side by side."""
        webhooks = list(webhooks)
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self._post(webhook)) for webhook in webhooks]
        for webhook, answer in zip(webhooks, answers, strict=True):
            guid, status = webhook.event.guid, answer.result()
            self.say(f"{webhook.name} of {webhook.account_id} ({guid[:8]}) answered {status or 'nothing'}")
            self.record.sent[guid] = webhook
            if status == 202:
                self.record.accepted.add(guid)
            elif self.product.is_dead:
                self._lose([webhook])
            else:
                raise AssertionError(self.told(f"a webhook was answered {status}"))

    async def _post(self, webhook: Webhook) -> int:
        return await self.product.post(webhook.path, headers=webhook.headers, body=webhook.event.body)

    def _lose(self, webhooks: Iterable[Webhook]) -> None:
        for webhook in webhooks:
            self.say(f"{webhook.name} of {webhook.account_id} ({webhook.event.guid[:8]}) is lost")
            self.record.lost.append(Lost(webhook=webhook, at=webhook.event.created_at))

    async def _revive(self) -> None:
        """Start the product again if it is dead."""
        if self.product.is_dead:
            self.say("the product died, and is started again")
            self.github.let_go()
            await self.product.close()
            await self.ours.note_death(self._now())
            self._power.restore()
            await self.product.start()
            await self.rest()

    async def _is_at_rest(self) -> bool:
        return self.product.is_dead or (self._power.is_quiet() and await self.ours.is_at_rest(self._now()))

    async def _comes_to(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        """Whether the condition holds within the time that we have patience for."""
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            if await condition():
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    def _now(self) -> int:
        return to_milliseconds(self.clock.now())
