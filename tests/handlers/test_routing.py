"""Which deliveries are recorded, under which partition, and that one handler at most gets each."""

import json
from dataclasses import replace
from typing import Any

import pytest

from handlers import routing
from handlers.comment_text import ANSWER_MARK
from handlers.routing import INSTALLATION_EVENTS, Routed, route, router
from tests.handlers.commenting import BOT, PERSON, a_comment
from tests.handlers.golden import Golden, golden, golden_payloads
from tests.handlers.surroundings import RULES, event_of

OURS = INSTALLATION_EVENTS | {"marketplace_purchase"}
"""Events that are recorded whatever they say."""

COMMENT = ("issue_comment", "created")
"""Recorded only if it may ask us something, which no golden one does."""


def test_the_description_has_every_event_that_we_handle() -> None:
    assert {each.event for each in golden_payloads()} >= OURS
    assert {(each.event, each.action) for each in golden_payloads()} >= {COMMENT}


@pytest.mark.parametrize("delivery", golden_payloads(), ids=lambda delivery: delivery.name)
def test_one_handler_at_most_and_exactly_for_what_is_recorded(delivery: Golden) -> None:
    found = router.fetch(event_of(delivery))
    assert len(found) <= 1
    routed = route(delivery.event, delivery.action, delivery.body, rules=RULES)
    assert (routed is not None) == (delivery.event in OURS)
    assert (len(found) == 1) == (delivery.event in OURS or (delivery.event, delivery.action) == COMMENT)


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
    assert len(handlers.fetch(event_of(golden(*COMMENT)))) == 1
    assert routing.router_for(marketplace=True) is router


@pytest.mark.parametrize("variant", ["full", "bare"])
@pytest.mark.parametrize("text", ["/credits", "Look:\n\n/credits plan?\n", "@tallyhook help", "@TallyHook CREDITS!"])
def test_comments_of_one_thread_share_a_partition(text: str, variant: str) -> None:
    delivery = a_comment(text, variant=variant)
    repository, number = delivery.payload["repository"]["id"], delivery.payload["issue"]["number"]
    assert partition(delivery) == f"github:thread:{repository}:{number}"


@pytest.mark.parametrize("text", ["", "Thanks!", "see /credits", "/plan", "@tallyhook thanks", "@octocat credits"])
def test_other_peoples_conversations_are_not_recorded(text: str) -> None:
    assert partition(a_comment(text)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {("sender",): BOT},
        {("comment", "user"): BOT},
        {("comment", "user"): {**PERSON, "type": "Bot"}},
        {("comment", "user"): {**PERSON, "login": "tallyhook[bot]"}},
        {("comment", "user"): None},
        {("comment", "performed_via_github_app"): {"id": RULES.app_id}},
        {("comment", "body"): f"/credits\n\n{ANSWER_MARK}to=5 -->"},
        {("installation",): ...},
        {("issue", "number"): None},
    ],
    ids=str,
)
def test_programs_and_ourselves_are_not_recorded(changes: dict[tuple[str, ...], Any]) -> None:
    assert partition(a_comment(changes=changes)) is None


def test_a_comment_through_another_app_is_its_authors_own() -> None:
    delivery = a_comment(changes={("comment", "performed_via_github_app"): {"id": RULES.app_id + 1}})
    assert partition(delivery) is not None


@pytest.mark.parametrize("action", ["edited", "deleted"])
def test_a_comment_that_is_no_new_one_is_not_recorded(action: str) -> None:
    delivery = a_comment()
    assert route(delivery.event, action, delivery.body, rules=RULES) is None
    assert router.fetch(event_of(replace(delivery, action=action))) == frozenset()


def test_until_the_slug_is_known_any_mention_may_be_ours() -> None:
    rules = replace(RULES, slug=lambda: None)
    delivery = a_comment("@somebody credits")
    assert isinstance(route(delivery.event, delivery.action, delivery.body, rules=rules), Routed)


def test_which_bare_words_count_is_a_setting() -> None:
    for words, is_recorded in ((frozenset[str](), False), (frozenset({"plan"}), True)):
        delivery = a_comment("/plan")
        routed = route(delivery.event, delivery.action, delivery.body, rules=replace(RULES, slash_words=words))
        assert (routed is not None) is is_recorded
