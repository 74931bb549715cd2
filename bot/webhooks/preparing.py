"""From a raw request to all that a commit needs. Computes only, so that a large body can be prepared in a thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from multidict import MultiMapping

from bot.bodies import packed
from bot.forwarding import ForwardedDelivery
from bot.webhooks import problems
from bot.webhooks.verify import PING, Delivery, Hook, MalformedDeliveryError, read_delivery
from handlers.routing import Routed

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
        compressed_document: its JSON text, if it is recorded.
        forward: what is passed on, packed; None if nothing is.
    """

    delivery: Delivery
    routed: Routed | None
    compressed_document: bytes
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
        compressed = packed(delivery.document) if routed is not None else b""
        forward = None
        if self._is_forwarding:
            # A form isn't the JSON text in it: what was signed is passed on, what is understood is recorded.
            is_same = routed is not None and delivery.document is body
            raw = compressed if is_same else packed(body)
            forward = ForwardedDelivery.of(raw_headers, raw).packed()
        return Prepared(delivery=delivery, routed=routed, compressed_document=compressed, forward=forward)

    def _routed(self, delivery: Delivery) -> Routed | None:
        try:
            return self._route(delivery.event, delivery.action, delivery.document)
        except ValueError:
            # Numbers of more digits than anything reads, say: well formed, and still nothing that GitHub sends.
            raise MalformedDeliveryError(problems.NOT_JSON) from None
