"""What goes wrong with webhooks: sent twice, out of order, late, never, or with an unusual body."""

import fnmatch
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Json = dict[str, Any]
Effect = Literal["duplicate", "hold", "late", "lose", "fail"]


@dataclass(slots=True, kw_only=True, eq=False)
class WebhookFault:
    """One thing to do to some webhooks.

    Attributes:
        effect: `duplicate` sends it several times; `hold` keeps it until `release`; `late` sends it after `seconds` of
            the clock's time; `lose` sends nothing and logs nothing; `fail` logs a failed attempt that never reached
            the target.
        event: Pattern of the event's name, such as `installation*`.
        action: Pattern of the action.
        times: How many webhooks it strikes; `None` until cleared.
        copies: How often a duplicated one is sent altogether.
    """

    effect: Effect
    event: str = "*"
    action: str = "*"
    times: int | None = 1
    copies: int = 2
    seconds: float = 60.0

    def matches(self, event: str, action: str | None) -> bool:
        """Tell whether it strikes this webhook."""
        return (
            self.times != 0
            and fnmatch.fnmatchcase(event, self.event)
            and fnmatch.fnmatchcase("" if action is None else action, self.action)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How likely each fault is for a webhook that no rule strikes; each between 0 and 1, their sum at most 1."""

    duplicate: float = 0.0
    hold: float = 0.0
    late: float = 0.0
    lose: float = 0.0
    longest_delay_seconds: float = 3600.0


@dataclass(slots=True, kw_only=True, eq=False)
class Alteration:
    """A change of some webhooks' bodies."""

    alter: Callable[[Json], Json]
    event: str
    action: str
    times: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What becomes of one webhook: when each copy goes out, or that it is held, or failed without being sent."""

    delays: tuple[timedelta, ...] = (timedelta(0),)
    held: bool = False
    failed: bool = False


class WebhookFaults:
    """The faults that are switched on. Random ones come out the same for the same seed.

    Args:
        seed: Of the random faults.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """Start without faults."""
        self.rules: list[WebhookFault] = []
        self.chaos: Chaos | None = None
        self._alterations: list[Alteration] = []
        self._random = random.Random(seed)  # noqa: S311 -- reproducible faults, no secrets

    def duplicate(self, *, event: str = "*", action: str = "*", times: int | None = 1, copies: int = 2) -> None:
        """Send webhooks several times, each with the same GUID."""
        self.rules.append(WebhookFault(effect="duplicate", event=event, action=action, times=times, copies=copies))

    def hold(self, *, event: str = "*", action: str = "*", times: int | None = None) -> None:
        """Keep webhooks back until they are released, in reverse order if wished."""
        self.rules.append(WebhookFault(effect="hold", event=event, action=action, times=times))

    def delay(self, seconds: float, *, event: str = "*", action: str = "*", times: int | None = 1) -> None:
        """Send webhooks after so much of the clock's time."""
        self.rules.append(WebhookFault(effect="late", event=event, action=action, times=times, seconds=seconds))

    def lose(self, *, event: str = "*", action: str = "*", times: int | None = 1) -> None:
        """Send webhooks never, with no trace in the delivery log."""
        self.rules.append(WebhookFault(effect="lose", event=event, action=action, times=times))

    def fail(self, *, event: str = "*", action: str = "*", times: int | None = 1) -> None:
        """Let webhooks fail on their way; the delivery log shows them, and they can be sent again."""
        self.rules.append(WebhookFault(effect="fail", event=event, action=action, times=times))

    def alter(
        self, alter: Callable[[Json], Json], *, event: str = "*", action: str = "*", times: int | None = 1
    ) -> None:
        """Change webhooks' bodies before they are signed."""
        self._alterations.append(Alteration(alter=alter, event=event, action=action, times=times))

    def randomly(self, chaos: Chaos) -> None:
        """Strike webhooks by chance, drawn from the seed."""
        self.chaos = chaos

    def clear(self) -> None:
        """Switch everything off. What is held or late stays so."""
        self.rules.clear()
        self._alterations.clear()
        self.chaos = None

    def altered(self, payload: Json, *, event: str, action: str | None) -> Json:
        """Return the body after every alteration that strikes it."""
        for alteration in self._alterations:
            rule = WebhookFault(effect="late", event=alteration.event, action=alteration.action, times=alteration.times)
            if rule.matches(event, action):
                payload = alteration.alter(payload)
                alteration.times = None if alteration.times is None else alteration.times - 1
        return payload

    def dispatch(self, *, event: str, action: str | None) -> Dispatch:
        """Decide what becomes of one webhook."""
        for rule in self.rules:
            if rule.matches(event, action):
                rule.times = None if rule.times is None else rule.times - 1
                return self._apply(rule.effect, copies=rule.copies, seconds=rule.seconds)
        if self.chaos is None or event == "ping":
            return Dispatch()
        chance = self._random.random()
        for effect, likelihood in (
            ("duplicate", self.chaos.duplicate),
            ("hold", self.chaos.hold),
            ("late", self.chaos.late),
            ("lose", self.chaos.lose),
        ):
            if chance < likelihood:
                return self._apply(
                    effect, copies=2, seconds=self._random.uniform(0.001, self.chaos.longest_delay_seconds)
                )
            chance -= likelihood
        return Dispatch()

    def _apply(self, effect: str, *, copies: int, seconds: float) -> Dispatch:
        """Return what an effect means for one webhook."""
        match effect:
            case "duplicate":
                return Dispatch(delays=(timedelta(0),) * copies)
            case "hold":
                return Dispatch(delays=(), held=True)
            case "late":
                return Dispatch(delays=(timedelta(seconds=seconds),))
            case "lose":
                return Dispatch(delays=())
            case "fail":
                return Dispatch(delays=(), failed=True)
            case _:
                raise ValueError(f"no such fault of webhooks: {effect!r}")
