"""What goes wrong with GitHub's API and its webhooks while people talk, by the stand-in's own faults."""

import random
from collections.abc import Collection
from typing import Any, Final

from sandbox.github.rest_faults import RestFault
from sandbox.github.server import GitHubStandIn
from sandbox.github.webhook_faults import Chaos
from tests.system.power import Moment, Power
from tests.system.talk_script import Trouble

OFTEN: Final = 0.3
"""How likely a request fails while requests do."""

SELDOM: Final = 0.08

LONGEST_DELAY_SECONDS: Final = 900.0
"""Of a webhook, by the clock."""

LANDING_SECONDS: Final = 15.0
"""After which GitHub does what was asked though it has hung up, by the clock."""

MOMENTS: Final[tuple[Moment, ...]] = ("statement", "commit", "committed", "read-back")

FAILING: Final[dict[Trouble, tuple[tuple[float, RestFault], ...]]] = {
    "server_error": (
        (OFTEN / 2, RestFault(kind="status", status=502)),
        (OFTEN / 2, RestFault(kind="status", status=500)),
    ),
    "slow": ((OFTEN, RestFault(kind="slow", seconds=0.02)),),
    "lost_answer": ((OFTEN, RestFault(kind="lost_answer")),),
    "lands_late": ((OFTEN, RestFault(kind="lands_late", seconds=LANDING_SECONDS)),),
    "dropped": ((OFTEN, RestFault(kind="dropped")),),
    "garbled": ((OFTEN, RestFault(kind="garbled")),),
    "limit_forbidden": ((SELDOM, RestFault(kind="secondary_limit", status=403, retry_after_seconds=30)),),
    "limit_too_many": ((SELDOM, RestFault(kind="secondary_limit", status=429, retry_after_seconds=45)),),
    "limit_unnamed": ((SELDOM, RestFault(kind="secondary_limit", status=403)),),
    "mixed": (
        (SELDOM, RestFault(kind="status", status=503)),
        (SELDOM, RestFault(kind="lost_answer")),
        (SELDOM, RestFault(kind="dropped")),
        (SELDOM, RestFault(kind="lands_late", seconds=LANDING_SECONDS)),
        (SELDOM / 2, RestFault(kind="garbled")),
        (SELDOM / 4, RestFault(kind="secondary_limit", status=429, retry_after_seconds=20)),
    ),
}
"""The troubles that strike requests by chance, with how likely each fault is."""

CHANCES: Final[dict[Trouble, Chaos]] = {
    "late": Chaos(late=1.0, longest_delay_seconds=LONGEST_DELAY_SECONDS),
    "mixed": Chaos(duplicate=0.2, hold=0.1, late=0.2, longest_delay_seconds=LONGEST_DELAY_SECONDS),
}
"""The troubles that strike webhooks by chance."""


class Troublemaker:
    """Switches troubles on and off."""

    def __init__(self, github: GitHubStandIn, power: Power, chance: random.Random) -> None:
        self._github = github
        self._power = power
        self._chance = chance

    def begin(self, trouble: Trouble) -> None:
        """Switch a trouble on."""
        github, faults, webhooks = self._github, self._github.faults, self._github.webhook_faults
        faults.randomly(FAILING.get(trouble, ()))
        if trouble in CHANCES:
            webhooks.randomly(CHANCES[trouble])
        match trouble:
            case "lost_answer":
                # What matters most is sure to happen: the writes of the first answer are done, and nobody hears of it.
                faults.lose_answer(method="POST", path="/repos/*/reactions", times=1)
                faults.lose_answer(method="POST", path="/repos/*/comments", times=1)
                faults.lose_answer(method="PATCH", times=1)
                faults.lose_answer(method="DELETE", times=1)
            case "exhausted":
                faults.exhaust(now=github.clock.now(), seconds=600)
            case "young_token":
                github.state.tokens.revoke_all()
            case "duplicated":
                webhooks.duplicate(copies=3, times=None)
            case "held" | "moved":
                webhooks.hold()
            case "altered":
                webhooks.alter(unlike_any, event="issue_comment", times=None)
            case _:
                pass

    def stir(self, trouble: Trouble) -> None:
        """Make trouble before somebody says something."""
        github, webhooks, chance = self._github, self._github.webhook_faults, self._chance
        match trouble:
            case "young_token":
                github.state.tokens.refuse_young(chance.choice((1, 2, 3)))
            case "revoked_tokens" if chance.random() < OFTEN:
                github.state.tokens.revoke_all()
            case "failed_webhook" if chance.random() < 0.5:
                webhooks.fail(event="issue_comment")
            case "lost_webhook" if chance.random() < 0.5:
                webhooks.lose(event="issue_comment")
            case "killed" if chance.random() < 0.5:
                self._power.cut_at(chance.choice(MOMENTS), chance.randrange(12))
            case "mixed" if chance.random() < 0.15:
                self._power.cut_at(chance.choice(MOMENTS), chance.randrange(30))
            case _:
                pass

    def end(self) -> None:
        """Switch everything off. What was held comes, what failed is sent again; what was lost never comes."""
        github = self._github
        self._power.disarm()
        github.faults.clear()
        github.webhook_faults.clear()
        github.courier.release(shuffle=True)
        self.send_failed_again()

    def failed(self) -> Collection[int]:
        """The deliveries in GitHub's log of what the product never took, one of each webhook."""
        log = self._github.state.deliveries["app"]
        taken = {each.event.guid for each in log if each.succeeded}
        return {each.event.guid: each.id for each in log if each.event.guid not in taken}.values()

    def send_failed_again(self) -> bool:
        """Send again what the product never took, as a person would by GitHub's page; whether there was any."""
        failed = self.failed()
        for delivery_id in failed:
            self._github.courier.redeliver("app", delivery_id)
        return bool(failed)


def unlike_any(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload of a later version of GitHub's, or of an older one: without what isn't needed, and with news."""
    comment = {name: value for name, value in payload["comment"].items() if name not in {"author_association", "url"}}
    if comment.get("performed_via_github_app") is None:
        comment.pop("performed_via_github_app", None)
    issue = {"number": payload["issue"]["number"], "news": [1]}
    return {**payload, "comment": {**comment, "news": {"of": "some kind"}}, "issue": issue, "enterprise": None}
