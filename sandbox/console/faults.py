"""What the page lets go wrong between GitHub and the product, and what is going wrong already, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sandbox.console.words import write_moment
from sandbox.github.rest_faults import RestFault
from sandbox.github.webhook_faults import WebhookFault
from sandbox.github.world import World

LATE_SECONDS: Final = 3600.0
FAILED_REQUESTS: Final = 3
LIMITED_REQUESTS: Final = 2
LIMIT_SECONDS: Final = 60
COMMENTS: Final = "/repos*/issues/*"
"""The API's paths at which comments and reactions are read and written."""
NEW_COMMENT: Final = "/repos*/issues/*/comments"
ONE_COMMENT: Final = "/repos*/issues/comments/*"

Rule = RestFault | WebhookFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can be let go wrong.

    Attributes:
        label: What the page's switch is called.
        explanation: What it does and what is to be seen, in a sentence.
        rules: Makes the stand-in's rules that do it. A rule that has struck as often as it may is off by itself.
    """

    name: str
    label: str
    explanation: str
    rules: Callable[[], tuple[Rule, ...]]


_ALL: Final = (
    Fault(
        name="lose",
        label="The next webhook is lost",
        explanation="GitHub sends none again by itself; the next one about the same plan brings everything up to date.",
        rules=lambda: (WebhookFault(effect="lose"),),
    ),
    Fault(
        name="duplicate",
        label="The next webhook comes twice",
        explanation="Both are alike to the byte. Nothing may be granted or answered twice.",
        rules=lambda: (WebhookFault(effect="duplicate"),),
    ),
    Fault(
        name="late",
        label="The next webhook comes an hour late",
        explanation="Move the clock by an hour to get it.",
        rules=lambda: (WebhookFault(effect="late", seconds=LATE_SECONDS),),
    ),
    Fault(
        name="hold",
        label="All webhooks are held back",
        explanation="Release the last one first: no credit comes twice and no plan is lost, but a purchase whose own "
        "webhook comes late may get a whole first month instead of a prorated one.",
        rules=lambda: (WebhookFault(effect="hold", times=None),),
    ),
    Fault(
        name="lost_answer",
        label="The answer to the next comment gets lost",
        explanation="GitHub posts or edits it, but the bot never hears so and tries again: there must be one, not two.",
        rules=lambda: (RestFault(kind="lost_answer", method="POST", path=NEW_COMMENT, also=("PATCH", ONE_COMMENT)),),
    ),
    Fault(
        name="limit",
        label="GitHub limits our writing",
        explanation="The next two posts are refused for a minute each. The answer comes behind that, and only once.",
        rules=lambda: (
            RestFault(
                kind="secondary_limit",
                method="POST",
                path=COMMENTS,
                status=403,
                retry_after_seconds=LIMIT_SECONDS,
                times=LIMITED_REQUESTS,
            ),
        ),
    ),
    Fault(
        name="comments_down",
        label="GitHub is down for comments",
        explanation="Reading and writing comments fails until you switch it off; purchases go on meanwhile.",
        rules=lambda: (RestFault(kind="status", status=503, path=COMMENTS, times=None),),
    ),
    Fault(
        name="error",
        label="GitHub's API fails three times",
        explanation="The next three requests are answered with 502. What waits is tried again, with growing pauses.",
        rules=lambda: (RestFault(kind="status", status=502, times=FAILED_REQUESTS),),
    ),
    Fault(
        name="down",
        label="GitHub's API is down",
        explanation="No request is answered until you switch it off. Webhooks still come, and are kept.",
        rules=lambda: (RestFault(kind="dropped", times=None),),
    ),
)

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType({fault.name: fault for fault in _ALL})
"""What the page offers, by name."""

_WEBHOOKS: Final = MappingProxyType(
    {"lose": "lost", "duplicate": "sent more than once", "late": "late", "hold": "held back", "fail": "failed"}
)
_REQUESTS: Final = MappingProxyType(
    {
        "slow": "answered slowly",
        "lost_answer": "done, but not answered",
        "dropped": "not answered",
        "garbled": "answered with nonsense",
        "secondary_limit": "refused by the rate limit",
        "redirect": "sent elsewhere",
    }
)


class Switchboard:
    """Switches faults on and off, and knows which are on.

    Args:
        world: Where things go wrong.
    """

    def __init__(self, world: World) -> None:
        """Start with everything as it is."""
        self._world = world
        self._rules: dict[str, tuple[Rule, ...]] = {}

    def is_on(self, fault: Fault) -> bool:
        """Tell whether a fault still strikes; one that struck as often as it may is off."""
        rules = self._rules.get(fault.name, ())
        return any(rule.times != 0 and (_within(rule, self._world)) for rule in rules)

    def begin(self, fault: Fault) -> str:
        """Switch a fault on and say so; one that is on already starts anew."""
        self._remove(fault)
        rules = self._rules[fault.name] = fault.rules()
        for rule in rules:
            if isinstance(rule, RestFault):
                self._world.faults.rules.append(rule)
            else:
                self._world.webhook_faults.rules.append(rule)
        self._world.state.changed()
        return f"Switched on: {fault.label}."

    def end(self, fault: Fault) -> str:
        """Switch a fault off and say so. What was held back is sent, in its order."""
        self._remove(fault)
        released = self._world.courier.release() if fault.name == "hold" else 0
        self._world.state.changed()
        return f"Switched off: {fault.label}{_and_sent(released)}."

    def end_all(self) -> str:
        """Switch every fault off, those included that a script switched on, and send what was held back."""
        self._rules.clear()
        self._world.webhook_faults.clear()
        self._world.faults.clear()
        return f"Nothing goes wrong any more{_and_sent(self._world.courier.release())}."

    def release(self) -> str:
        """Send what was held back, the last one first."""
        return f"In the wrong order, {_sent(self._world.courier.release(reverse=True))}."

    def others(self) -> list[str]:
        """Write what goes wrong that no switch of the page is for: a script switched it on."""
        own = {id(rule) for rules in self._rules.values() for rule in rules}
        world = self._world
        lines = [_webhook_fault(rule) for rule in world.webhook_faults.rules if rule.times != 0 and id(rule) not in own]
        lines += [_request_fault(rule) for rule in world.faults.rules if rule.times != 0 and id(rule) not in own]
        until = world.faults.exhausted_until
        if until is not None and until > world.clock.now():
            lines.append(f"Every request to the API: refused by the rate limit until {write_moment(until)}")
        return lines

    def _remove(self, fault: Fault) -> None:
        """Take a fault's rules away."""
        for rule in self._rules.pop(fault.name, ()):
            if isinstance(rule, RestFault):
                if rule in self._world.faults.rules:
                    self._world.faults.rules.remove(rule)
            elif rule in self._world.webhook_faults.rules:
                self._world.webhook_faults.rules.remove(rule)


def _within(rule: Rule, world: World) -> bool:
    """Tell whether the stand-in still has a rule: a script may have switched everything off."""
    return rule in world.faults.rules or rule in world.webhook_faults.rules


def _webhook_fault(rule: WebhookFault) -> str:
    """Write a fault of webhooks."""
    kind = "" if (rule.event, rule.action) == ("*", "*") else f" {rule.event}.{rule.action}"
    return f"{_which(rule.times, f'webhook{kind}', f'webhooks{kind}')}: {_WEBHOOKS[rule.effect]}"


def _request_fault(rule: RestFault) -> str:
    """Write a fault of the REST API."""
    kind = "to the API" if rule.path == "*" else f"to {rule.path}"
    what = f"answered with {rule.status}" if rule.kind == "status" else _REQUESTS[rule.kind]
    return f"{_which(rule.times, f'request {kind}', f'requests {kind}')}: {what}"


def _which(times: int | None, one: str, several: str) -> str:
    """Write how many are struck."""
    if times is None:
        return f"Every {one}"
    return f"The next {one}" if times == 1 else f"The next {times} {several}"


def _and_sent(count: int) -> str:
    """Write how many webhooks were sent besides, if any were."""
    return f"; {_sent(count)}" if count else ""


def _sent(count: int) -> str:
    """Write how many webhooks were sent."""
    return "1 webhook was sent" if count == 1 else f"{count} webhooks were sent"
