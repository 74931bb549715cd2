"""Plays a run: people talk on the stage, troubles come and go, and the clock moves from one due thing to the next."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, assert_never

from billing.commands import ShowFigures
from billing.service import BillingService
from billing.values import CustomerId, from_milliseconds, to_milliseconds
from sandbox.github.errors import ActionError
from tests.system.power import Power
from tests.system.product import Product, catalogue
from tests.system.talk_cast import HOMES, repository_of
from tests.system.talk_record import Record
from tests.system.talk_script import Change, Chatter, Phase, Say, Step, Trouble, Wait
from tests.system.talk_side import TalkSide
from tests.system.talk_stage import Stage, home_of_thread
from tests.system.talk_troubles import LANDING_SECONDS, Troublemaker

PATIENCE_SECONDS: Final = 30.0
"""Real time in which the product must come to rest; it takes milliseconds."""

LOOK_SECONDS: Final = 0.002
STUCK_SECONDS: Final = 0.1
"""Real time without a word to the database, after which the product waits for time to pass, where it may: for a token
to be known everywhere."""

MOST_STOPS: Final = 3000
"""How often a wait may stop for something that is due; more would be a product that never rests."""

PATIENT_TROUBLES: Final[frozenset[Trouble]] = frozenset({"young_token", "revoked_tokens"})


class Player:
    """Plays one run against one product.

    Attributes:
        lines: what happened, for whoever reads a failure.
        balances: what each account could spend before anybody talked, by login; of those that the product knew.
    """

    def __init__(
        self, *, stage: Stage, record: Record, product: Product, ours: TalkSide, power: Power, seed: int
    ) -> None:
        self.stage = stage
        self.github = stage.github
        self.clock = stage.clock
        self.record = record
        self.product = product
        self.ours = ours
        self.lines: list[str] = []
        self.balances: dict[str, int] = {}
        self._power = power
        self._chance = random.Random(seed)
        self._troublemaker = Troublemaker(self.github, power, self._chance)
        self._trouble: Trouble = "none"
        self._has_uninstalled = False

    async def begin(self) -> None:
        """Start the product, and have everybody install and buy."""
        await self.product.start()
        self.github.connect(self.product.address)
        self.stage.install_everywhere()
        await self.rest()
        for home in HOMES:
            if home.shows_figures:
                await self._show_figures(home.login, shown=True)
        self.balances = await self.ours.balances(self.stage)

    async def play(self, phase: Phase) -> None:
        """Play a phase to its end: its trouble is over then, and nothing is on its way any more."""
        for step in phase.before:
            await self._take(step)
        await self.rest()
        self._trouble = phase.trouble
        self.say(f"-- {phase.trouble}")
        self._troublemaker.begin(phase.trouble)
        for step in phase.steps:
            await self._revive()
            await self._take(step)
            await self._close_if_settled()
        await self.settle()

    async def settle(self) -> None:
        """Switch the trouble off, and let all that is still under way come to its end."""
        self.say("-- everything comes to its end")
        await self._revive()
        if self._trouble == "moved":
            await self._take(Change(kind="rename_repository", of="bark", to="bark-moved"))
            await self._take(Change(kind="rename_repository", of="almond", to="almond-moved"))
        self._troublemaker.end()
        await self.rest()
        await self.pass_to(self.clock.now() + timedelta(seconds=LANDING_SECONDS))
        for _ in range(MOST_STOPS):
            await self.rest()
            await self._revive()
            due = await self.ours.next_due()
            if due is not None:
                await self.pass_to(max(from_milliseconds(due), self.clock.now()))
            elif self.github.courier.waiting:
                await self.pass_to(self.clock.now() + timedelta(seconds=60))
            elif not self._troublemaker.send_failed_again():
                break
        else:
            raise AssertionError(self.told("the product never came to its end"))
        self._trouble, self._has_uninstalled = "none", False
        self.record.close()

    async def rest(self) -> None:
        """Wait until the product has nothing to do now, or is dead."""
        if not await self._comes_to(self._has_come_to_rest):
            raise AssertionError(self.told(f"the product never came to rest: {await self.ours.told()}"))

    async def pass_to(self, moment: datetime) -> None:
        """Move the clock, stopping wherever something is due at GitHub or at the product."""
        for _ in range(MOST_STOPS):
            await self._revive()
            now = self.clock.now()
            if now >= moment:
                return
            due = await self.ours.next_due()
            stops = [self.github.next_due(), None if due is None else from_milliseconds(due), moment]
            self.clock.set(min(stop for stop in stops if stop is not None and stop > now))
            await self.rest()
        raise AssertionError(self.told("time doesn't pass: something is always due"))

    def say(self, line: str) -> None:
        """Write down what happens."""
        self.lines.append(f"{self.clock.now():%d %H:%M:%S.%f} {line}")

    def told(self, complaint: str) -> str:
        """The complaint with everything that led to it."""
        return "\n".join([complaint, "", *self.lines])

    # Steps -----------------------------------------------------------------------------------------------------------

    async def _take(self, step: Step) -> None:
        match step:
            case Say():
                await self._say(step)
            case Chatter():
                for text in step.texts:
                    await self._say(Say(where=step.where, who="dependabot", text=text, rest=False))
            case Change():
                try:
                    await self._change(step)
                except ActionError as error:
                    self.say(f"{step}: {error}")
                else:
                    self.say(f"{step}")
            case Wait():
                self.say(f"{step}")
                await self.rest()
                await self.pass_to(self.clock.now() + timedelta(seconds=step.seconds))
            case _:
                assert_never(step)

    async def _say(self, step: Say) -> None:
        self._troublemaker.stir(self._trouble)
        try:
            comment = self.github.comment(
                self.stage.thread(step.where), self.stage.person(step.who), step.text, via_app=step.via_app
            )
        except ActionError as error:
            self.say(f"{step}: {error}")
            return
        self.say(f"{comment.id} {step}")
        self.record.say(comment, step.where, step, self._trouble)
        if step.rest:
            await self.rest()

    async def _change(self, change: Change) -> None:  # noqa: PLR0912, C901 -- one line for each of many kinds
        github, record, stage, of, to = self.github, self.record, self.stage, change.of, change.to
        match change.kind:
            case "edit" | "remove":
                comment = stage.last_comment(of, by_us=False)
                if comment is not None and change.kind == "edit":
                    github.edit_comment(comment, to)
                elif comment is not None:
                    github.delete_comment(comment)
                    record.disturb(lambda said: said.comment is comment, may_miss=True)
            case "remove_answer":
                comment = stage.last_comment(of, by_us=True)
                if comment is not None:
                    github.delete_comment(comment, stage.person("adam"))
                    record.remove(comment)
            case "lock":
                github.lock(stage.thread(of))
                record.disturb(lambda said: said.where == of, may_miss=True)
            case "unlock":
                github.unlock(stage.thread(of))
            case "delete_thread":
                github.delete_issue(stage.thread(of))
                record.disturb(lambda said: said.where == of, may_miss=True)
            case "suspend" | "unsuspend" | "uninstall" | "install":
                getattr(github, change.kind)(stage.account(of))
                self._has_uninstalled = self._has_uninstalled or change.kind == "uninstall"
                record.disturb(lambda said: home_of_thread(said.where).login == of, may_miss=True)
            case "rename_repository":
                github.rename_repository(stage.repositories[of], to)
            case "publish" | "privatize":
                github.set_visibility(stage.repositories[of], private=change.kind == "privatize")
                record.disturb(lambda said: repository_of(said.where) == of)
            case "role":
                self._set_role(of, to)
                record.disturb(lambda said: said.comment.author is stage.person(of))
            case "swap_logins":
                self._swap_logins(of, to)
                people = {stage.person(of), stage.person(to)}
                record.disturb(lambda said: said.comment.author in people, unknown=True)
            case "show_figures" | "hide_figures":
                await self._show_figures(of, shown=change.kind == "show_figures")
            case "again":
                log = github.state.deliveries["app"]
                github.courier.redeliver("app", self._chance.choice(log).id)
                await self.rest()
            case _:
                assert_never(change.kind)

    def _set_role(self, name: str, role: str) -> None:
        for repository in self.stage.repositories.values():
            self.github.set_permission(repository, self.stage.person(name), role)  # type: ignore[arg-type]

    def _swap_logins(self, one: str, other: str) -> None:
        """Let each take the other's login."""
        first, second = self.stage.person(one), self.stage.person(other)
        former, latter = first.login, second.login
        self.github.rename(first, "somebody")
        self.github.rename(second, former)
        self.github.rename(first, latter)

    async def _show_figures(self, login: str, *, shown: bool) -> None:
        """Have the account choose, by the command that a person gives."""
        database = self.product.database
        assert database is not None
        customer_id = CustomerId(await self.ours.customer_id(self.stage.account(login).id))
        billing = BillingService(database.store, self.clock, catalogue())
        await billing.handle(ShowFigures(customer_id=customer_id, shown=shown))
        await billing.close()
        self.record.showing = self.record.showing | {login} if shown else self.record.showing - {login}

    # The product's life ----------------------------------------------------------------------------------------------

    async def _revive(self) -> None:
        """Start the product again if it is dead."""
        if self.product.is_dead:
            self.say("the product died, and is started again")
            await self.product.close()
            await self.ours.note_death(self._now())
            self._power.restore()
            await self.product.start()
            self.github.connect(self.product.address, ping=False)
            await self.rest()

    async def _close_if_settled(self) -> None:
        """Whatever was said is over as soon as nothing is on its way, so that what changes then changes nothing."""
        courier = self.github.courier
        if courier.held or courier.waiting or self.product.is_dead or self._troublemaker.failed():
            return
        if await self._is_at_rest() and not await self.ours.has_open_ends():
            self.record.close()

    async def _has_come_to_rest(self) -> bool:
        # While the product asks its database, there is no need to ask whether it is at work.
        return self.product.is_dead or (self._power.is_quiet() and await self._is_at_rest())

    async def _is_at_rest(self) -> bool:
        if self.product.is_dead:
            return True
        await self.github.settle()
        seen = self.github.state.version
        return await self.ours.is_at_rest(self._now()) and self.github.state.version == seen

    async def _comes_to(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        """Whether the condition holds within the time that we have patience for."""
        looks_before_time_passes = int(STUCK_SECONDS / LOOK_SECONDS)
        quiet_looks = 0
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            asked = self._power.statements
            if await condition():
                return True
            await asyncio.sleep(LOOK_SECONDS)
            may_wait = self._has_uninstalled or self._trouble in PATIENT_TROUBLES
            quiet_looks += self._power.statements == asked
            if may_wait and quiet_looks == looks_before_time_passes:
                quiet_looks = 0
                self.clock.advance(seconds=1)
        return False

    def _now(self) -> int:
        return to_milliseconds(self.clock.now())
