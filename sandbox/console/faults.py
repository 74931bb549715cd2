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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can be let go wrong.

    Attributes:
        label: How the page offers it.
        said: What the page says when it is switched on.
        begin: Switches it on.
    """

    label: str
    said: str
    begin: Callable[[World], None]


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "lose": Fault(
            label="The next webhook is lost",
            said="The next webhook is lost. GitHub sends none again by itself.",
            begin=lambda world: world.webhook_faults.lose(),
        ),
        "duplicate": Fault(
            label="The next webhook comes twice",
            said="The next webhook comes twice.",
            begin=lambda world: world.webhook_faults.duplicate(),
        ),
        "late": Fault(
            label="The next webhook comes an hour late",
            said="The next webhook comes an hour late: move the clock to get it.",
            begin=lambda world: world.webhook_faults.delay(LATE_SECONDS),
        ),
        "hold": Fault(
            label="All webhooks are held back",
            said="All webhooks are held back, until they are released in the wrong order.",
            begin=lambda world: world.webhook_faults.hold(),
        ),
        "error": Fault(
            label="GitHub's API fails three times",
            said="GitHub's API answers the next three requests with 502.",
            begin=lambda world: world.faults.fail(502, times=FAILED_REQUESTS),
        ),
        "down": Fault(
            label="GitHub's API is down",
            said="GitHub's API doesn't answer until all faults are switched off.",
            begin=lambda world: world.faults.drop(times=None),
        ),
    }
)
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


def begin_fault(world: World, name: str) -> str:
    """Switch a fault on and say what is to be expected.

    Raises:
        KeyError: There is none of this name.
    """
    fault = FAULTS[name]
    fault.begin(world)
    world.state.changed()
    return fault.said


def end_faults(world: World) -> str:
    """Switch every fault off and send what was held back, in its order."""
    world.webhook_faults.clear()
    world.faults.clear()
    released = world.courier.release()
    return "Nothing goes wrong any more." if not released else f"Nothing goes wrong any more; {_sent(released)}."


def release_webhooks(world: World) -> str:
    """Send what was held back, the last one first."""
    return f"In the wrong order, {_sent(world.courier.release(reverse=True))}."


def describe_faults(world: World) -> list[str]:
    """Write what goes wrong at the moment, one line each."""
    lines = [_webhook_fault(rule) for rule in world.webhook_faults.rules if rule.times != 0]
    lines += [_request_fault(rule) for rule in world.faults.rules if rule.times != 0]
    until = world.faults.exhausted_until
    if until is not None and until > world.clock.now():
        lines.append(f"Every request to the API: refused by the rate limit until {write_moment(until)}")
    return lines


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


def _sent(count: int) -> str:
    """Write how many webhooks were sent."""
    return "1 webhook was sent" if count == 1 else f"{count} webhooks were sent"
