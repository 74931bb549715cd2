"""What the console page shows, worked out of the pretended GitHub and of the product, region by region."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from sandbox.console.account_view import account_card, account_lines, installation_state
from sandbox.console.acting import Scene
from sandbox.console.agenda import agenda_of, billing_date
from sandbox.console.faults import FAULTS
from sandbox.console.focus import Focus, address, find_focus
from sandbox.console.history import History, history_of, in_a_sentence
from sandbox.console.plot import draw
from sandbox.console.talk_view import has_answered, talk_of
from sandbox.console.words import (
    describe_future,
    describe_subject,
    write_credits,
    write_date,
    write_exactly,
    write_moment,
    write_signed,
    write_wait,
)
from sandbox.inspector import CustomerView, Snapshot
from sandbox.scenarios import SCENARIOS

LEDGER_LINES = 60
DELIVERY_LINES = 20
EFFECT_LINES = 20
WIDE = (640, 230)
NARROW = (340, 210)
"""Sizes of the plot, of which the page shows the one that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """What one open page is drawn from. Without a customer the product doesn't know the account in focus."""

    focus: Focus
    snapshot: Snapshot
    customer: CustomerView | None


class Painter:
    """Renders the page and its regions. Everything is escaped by the templates.

    Args:
        scene: What is shown.
        run: Names this run of the sandbox; a page of another one is out of date.
        news: What is said at first, "" for nothing.
    """

    def __init__(self, scene: Scene, *, run: str, news: str) -> None:
        """Load the templates."""
        self.run = run
        self._scene = scene
        self._world = scene.world
        self._news = news
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "moment": write_moment,
            "exactly": write_exactly,
            "date": write_date,
            "iso": datetime.isoformat,
            "signed": write_signed,
            "credits": write_credits,
            "subject": lambda subject: describe_subject(subject, self._world),
        }

    async def scenery(self, snapshot: Snapshot, query: Mapping[str, str]) -> Scenery:
        """Return what a page at this address is drawn from."""
        focus = find_focus(self._scene.cast, query)
        customer = await self._scene.inspector.customer(focus.account.id)
        return Scenery(focus=focus, snapshot=snapshot, customer=customer)

    def page(self, scenery: Scenery) -> str:
        """Return the whole page as it is now."""
        return self._environment.get_template("page.html").render(
            regions=self.regions(scenery), run=self.run, news=self._news, scenarios=SCENARIOS.values()
        )

    def regions(self, scenery: Scenery) -> dict[str, str]:
        """Return the page's changing parts, each by the id of the element it fills."""
        focus, snapshot, customer = scenery.focus, scenery.snapshot, scenery.customer
        world, cast, account = self._world, self._scene.cast, focus.account
        balances = {balance.github_account_id: balance for balance in snapshot.balances}
        card = account_card(world, account)
        talk = talk_of(world, cast, focus)
        return {
            "clock": self._clock(scenery),
            "alerts": self._render("_alerts.html", on=self._faults_on(), alarms=snapshot.alarms),
            "guide": self._guide(scenery),
            "accounts": self._render("_accounts.html", lines=account_lines(world, cast, account, balances)),
            "account": self._render("_account.html", card=card),
            "plans": self._render("_plans.html", card=card),
            "places": self._render("_places.html", talk=talk, account=account),
            "thread": self._render("_thread.html", talk=talk, account=account),
            "writer": self._render("_writer.html", talk=talk),
            "balance": self._balance(scenery),
            "desk": self._render("_desk.html", customer=customer, account=account),
            "plot": self._plot(scenery),
            "ledger": self._ledger(scenery),
            "deliveries": self._render("_deliveries.html", deliveries=snapshot.deliveries[:DELIVERY_LINES]),
            "effects": self._render("_effects.html", effects=snapshot.effects[:EFFECT_LINES]),
            "alarms": self._render(
                "_alarms.html", alarms=sorted(snapshot.alarms, key=lambda alarm: alarm.raised_at, reverse=True)
            ),
            "faults": self._render(
                "_faults.html",
                faults=[(fault, self._scene.switchboard.is_on(fault)) for fault in FAULTS.values()],
                others=self._scene.switchboard.others(),
                held=len(world.courier.held),
            ),
        }

    def _clock(self, scenery: Scenery) -> str:
        """Draw the clock, its jumps, and what comes next."""
        now, account = self._world.clock.now(), scenery.focus.account
        return self._render(
            "_clock.html",
            now=now,
            account=account,
            billing=billing_date(self._world, account),
            dates=[
                (date, write_wait(date.at - now))
                for date in agenda_of(self._world, account, scenery.customer, scenery.snapshot)
            ],
        )

    def _faults_on(self) -> list[str]:
        """Return what goes wrong just now, in words."""
        switchboard = self._scene.switchboard
        return [fault.label for fault in FAULTS.values() if switchboard.is_on(fault)] + switchboard.others()

    def _guide(self, scenery: Scenery) -> str:
        """Draw the first steps, those ticked off that are done."""
        focus = scenery.focus
        pro = next(iter(sorted(self._world.state.plans.values(), key=lambda plan: -plan.monthly_price_in_cents)), None)
        return self._render(
            "_guide.html",
            account=focus.account,
            thread=focus.thread,
            owner=self._world.state.human(focus.account),
            installation=installation_state(self._world, focus.account),
            has_plan=focus.account.id in self._world.state.purchases,
            has_asked=has_answered(focus.account),
            dearest=pro,
            billing=billing_date(self._world, focus.account),
            home=address(focus.account),
        )

    def _balance(self, scenery: Scenery) -> str:
        """Draw what the product knows of the account."""
        customer = scenery.customer
        if customer is None:
            return self._render("_stranger.html", account=scenery.focus.account)
        futures = [describe_future(subscription) for subscription in customer.subscriptions]
        return self._render(
            "_balance.html",
            customer=customer,
            state=None if customer.plan_state == "none" else customer.plan_state,
            futures=[future for future in futures if future is not None],
        )

    def _plot(self, scenery: Scenery) -> str:
        """Draw the balance over time, with what it says in words and as a table."""
        history = None if scenery.customer is None else history_of(scenery.customer, self._world.clock.now())
        if history is None or not history.past:
            return self._render("_plot.html", history=None, account=scenery.focus.account)
        sentence = in_a_sentence(history, _moments(history))
        title = f"Balance of {scenery.focus.account.login} over time. {sentence}"
        return self._render(
            "_plot.html",
            history=history,
            account=scenery.focus.account,
            sentence=sentence,
            wide=draw(history, width=WIDE[0], height=WIDE[1], title=title),
            narrow=draw(history, width=NARROW[0], height=NARROW[1], title=title),
        )

    def _ledger(self, scenery: Scenery) -> str:
        """Draw the newest entries of the ledger."""
        customer = scenery.customer
        entries = () if customer is None else customer.entries
        newest = sorted(entries, key=lambda entry: entry.sequence, reverse=True)
        due = 0 if customer is None else sum(expired.amount for expired in customer.expired)
        return self._render(
            "_ledger.html",
            account=scenery.focus.account,
            entries=newest[:LEDGER_LINES],
            older=len(newest) - LEDGER_LINES,
            due=due,
        )

    def _render(self, name: str, **values: object) -> str:
        """Fill one template."""
        return self._environment.get_template(name).render(values)


def _moments(history: History) -> tuple[str, str, str]:
    """Return the times that a history's sentence names."""
    peak = max(history.past, key=lambda step: step.balance)
    expires = write_date(history.future[0].at) if history.future else ""
    return write_date(history.past[0].at), write_date(peak.at), expires
