"""Telling people of alarms, by mail and by webhook."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from billing.ports import Clock
from billing.values import from_milliseconds
from bot.mail import Mail, Mailer
from bot.posting import Poster
from storage.effects import ClaimedEffect, NewEffect
from storage.outbox import Outbox

BY_MAIL: Final = "mail"
BY_WEBHOOK: Final = "webhook"

NOBODY: Final = "neither ALERT_EMAIL nor ALERT_WEBHOOK_URL is set"

JSON_HEADERS: Final = (("Content-Type", "application/json"), ("User-Agent", "Tallyhook"))


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm on its way to people, the payload of an effect of the topic `alert`.

    Attributes:
        first_at: When it was first raised, in milliseconds since 1970.
        count: How often since.
        way: By which way alone it is to be told; "" for every way there is.
    """

    kind: str
    subject: str
    detail: str
    first_at: int
    count: int
    way: str = ""

    @property
    def since(self) -> datetime:
        """When it was first raised."""
        return from_milliseconds(self.first_at)


class AlertSender:
    """Tells of alarms by every way that is set. Two ways are two effects, so that one's failure repeats only itself.

    Args:
        outbox: Where those two are written.
        mailer: Sends the mail; None without a mail server.
        recipient: `ALERT_EMAIL`; "" if not set.
        poster: Posts to `ALERT_WEBHOOK_URL`; None if not set.
    """

    def __init__(
        self, *, outbox: Outbox, clock: Clock, mailer: Mailer | None, recipient: str, poster: Poster | None
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ways: dict[str, Callable[[Alert, ClaimedEffect], Awaitable[None]]] = {}
        if mailer is not None and recipient:
            self._ways[BY_MAIL] = functools.partial(self._mail, mailer, recipient)
        if poster is not None:
            self._ways[BY_WEBHOOK] = functools.partial(self._post, poster)

    async def send(self, effect: ClaimedEffect) -> str:
        """Tell of one alarm; why nobody was told, if so.

        Raises:
            TemporaryFailureError: It couldn't be told now.
            MailRefusedError: The mail server won't ever take it.
        """
        alert = msgspec.json.decode(effect.payload, type=Alert)
        ways = [way for way in self._ways if alert.way in ("", way)]
        match ways:
            case []:
                return NOBODY
            case [way]:
                await self._ways[way](alert, effect)
            case _:
                for way in ways:
                    await self._outbox.enqueue(_by(way, alert, effect, self._clock.now()))
        return ""

    async def _mail(self, mailer: Mailer, recipient: str, alert: Alert, effect: ClaimedEffect) -> None:
        mail = Mail(
            recipient=recipient,
            subject=f"[Tallyhook] {_headline(alert)}",
            text=f"{alert.detail}\n\nFirst seen {written(alert.since)}, {alert.count} times so far.\n"
            "All alarms: tallyhook alarms list\n",
            reference=f"alert-{effect.id}",
        )
        await mailer.send(mail, now=self._clock.now())

    @staticmethod
    async def _post(poster: Poster, alert: Alert, _effect: ClaimedEffect) -> None:
        await poster.post(JSON_HEADERS, msgspec.json.encode(_document(alert)))


def _by(way: str, alert: Alert, effect: ClaimedEffect, now: datetime) -> NewEffect:
    """The effect that tells the alarm by one way."""
    return NewEffect(
        topic=effect.topic,
        key=f"{effect.key}:{way}",
        dedupe_key=f"{effect.topic}:{effect.id}:{way}",
        payload=msgspec.json.encode(msgspec.structs.replace(alert, way=way)),
        run_at=now,
    )


def _document(alert: Alert) -> Mapping[str, object]:
    """What the webhook gets; chat services show `text`."""
    return {
        "kind": alert.kind,
        "subject": alert.subject,
        "detail": alert.detail,
        "first_at": written(alert.since),
        "count": alert.count,
        "text": f"Tallyhook: {_headline(alert)}. {alert.detail}",
    }


def _headline(alert: Alert) -> str:
    return f"{alert.kind.replace('_', ' ')}: {alert.subject}"


def written(moment: datetime) -> str:
    """The moment as RFC 3339 has it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
