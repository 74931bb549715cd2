"""Which deliveries are recorded, under which partition, and that one handler at most gets each."""

import json
from dataclasses import replace
from typing import Any

import pytest

from handlers import routing
from handlers.routing import INSTALLATION_EVENTS, Routed, route, router
from tests.handlers.golden import Golden, golden, golden_payloads
from tests.handlers.surroundings import RULES, event_of

OURS = INSTALLATION_EVENTS | {"marketplace_purchase"}


def test_the_description_has_every_event_that_we_handle() -> None:
    assert {each.event for each in golden_payloads()} >= OURS


@pytest.mark.parametrize("delivery", golden_payloads(), ids=lambda delivery: delivery.name)
def test_one_handler_at_most_and_exactly_for_what_is_recorded(delivery: Golden) -> None:
    found = router.fetch(event_of(delivery))
    assert len(found) <= 1
    routed = route(delivery.event, delivery.action, delivery.body, rules=RULES)
    assert (routed is not None) == (delivery.event in OURS) == (len(found) == 1)


def partition(delivery: Golden, **changed: Any) -> str | None:
    body = json.dumps({**delivery.payload, **changed}).encode()
    routed = route(delivery.event, delivery.action, body, rules=RULES)
    return None if routed is None else routed.partition


@pytest.mark.parametrize(
    "delivery", [each for each in golden_payloads() if each.event in OURS], ids=lambda each: each.name
)
def test_deliveries_of_one_account_share_a_partition(delivery: Golden) -> None:
    place = {"marketplace_purchase": "marketplace_purchase", "installation_target": ""}.get(
        delivery.event, "installation"
    )
    holder = delivery.payload[place] if place else delivery.payload
    assert partition(delivery) == f"github:{holder['account']['id']}"


def test_without_an_account_the_installation_is_the_partition() -> None:
    delivery = golden("installation", "created")
    assert partition(delivery, installation={"id": 5, "account": None}) == "github:installation:5"
    assert partition(delivery, installation={"id": 5, "account": {"id": 6, "slug": "acme"}}) == "github:installation:5"


def test_without_either_there_is_one_partition_for_all() -> None:
    assert partition(golden("installation", "created"), installation=None) == "github:unknown"
    assert partition(golden("marketplace_purchase", "purchased"), marketplace_purchase=None) == "github:unknown"


def test_an_unknown_action_is_recorded_though_nobody_handles_it() -> None:
    delivery = golden("marketplace_purchase", "purchased")
    unknown = Golden(
        event=delivery.event, action="gifted", variant="full", payload={**delivery.payload, "action": "gifted"}
    )
    assert partition(unknown) == partition(delivery)
    assert router.fetch(event_of(unknown)) == frozenset()


def test_without_an_action_nothing_is_recorded() -> None:
    for event in OURS:
        assert route(event, None, b"{}", rules=RULES) is None


def test_without_a_marketplace_purchases_are_neither_recorded_nor_handled() -> None:
    delivery = golden("marketplace_purchase", "cancelled")
    installed = golden("installation", "created")
    rules = replace(RULES, marketplace=False)
    assert route(delivery.event, delivery.action, delivery.body, rules=rules) is None
    assert isinstance(route(installed.event, installed.action, installed.body, rules=rules), Routed)
    handlers = routing.router_for(marketplace=False)
    assert handlers.fetch(event_of(delivery)) == frozenset()
    assert len(handlers.fetch(event_of(installed))) == 1
    assert routing.router_for(marketplace=True) is router
