"""From a raw request to all that a commit needs. Computes only, so that a large body can be prepared in a thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from multidict import MultiMapping

from bot.forwarding import ForwardedDelivery
from bot.webhooks import problems
from bot.webhooks.verify import PING, Delivery, Hook, MalformedDeliveryError, read_delivery
from handlers.routing import Routed
from storage.bodies import packed

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Route(Protocol):
    """Says where a delivery belongs (`handlers.routing.route`)."""

    def __call__(self, event: str, action: str | None, body: bytes) -> Routed | None:
        """The delivery's partition; None for what no handler can care for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A verified delivery with all that its commit needs.

    Attributes:
        routed: where it belongs; None if it can't matter.
        body: its JSON text, compressed by zlib; empty if it isn't recorded.
        forward: what is passed on, packed; None if nothing is.
    """

    delivery: Delivery
    routed: Routed | None
    body: bytes
    forward: bytes | None


class Preparer:
    """Verifies and prepares the deliveries of one webhook.

    Args:
        hook: which of the two it is.
        secrets: its secrets; several during a rotation.
        route: says what can matter.
        is_forwarding: whether deliveries are passed on to the vendor's own app.
    """

    def __init__(self, *, hook: Hook, secrets: Sequence[bytes], route: Route, is_forwarding: bool) -> None:
        self.hook = hook
        self._secrets = tuple(secrets)
        self._route = route
        self._is_forwarding = is_forwarding

    def prepare(self, headers: MultiMapping[str], raw_headers: RawHeaders, body: bytes) -> Prepared:
        """Verify a request and prepare its delivery.

        Raises:
            UnverifiedDeliveryError: none of the secrets signed this body.
            MalformedDeliveryError: one did, but it isn't a delivery of this hook.
        """
        delivery = read_delivery(headers, body, hook=self.hook, secrets=self._secrets)
        routed = None if delivery.event == PING else self._routed(delivery)
        kept = b"" if routed is None else packed(delivery.document)
        forward = None
        if self._is_forwarding:
            # A form isn't the JSON text in it: what was signed is passed on, what is understood is recorded.
            raw = kept if kept and delivery.document is body else packed(body)
            forward = ForwardedDelivery.of(raw_headers, raw).packed()
        return Prepared(delivery=delivery, routed=routed, body=kept, forward=forward)

    def _routed(self, delivery: Delivery) -> Routed | None:
        try:
            return self._route(delivery.event, delivery.action, delivery.document)
        except ValueError:
            # Numbers of more digits than anything reads, say: well formed, and still nothing that GitHub sends.
            raise MalformedDeliveryError(problems.NOT_JSON) from None
