"""Nothing in a payload makes a handler fail."""

import json
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.commands import Answer
from handlers.comment_payload import IssueComment
from handlers.payloads import AccountFields
from handlers.routing import INSTALLATION_EVENTS, route
from handlers.tolerant import read, read_all
from tests.handlers.commenting import a_comment
from tests.handlers.golden import Golden, golden_payloads
from tests.handlers.surroundings import RULES, commands_of, event_of

OURS = [each for each in golden_payloads() if each.event in INSTALLATION_EVENTS | {"marketplace_purchase"}]
COMMENTS = [a_comment(variant=variant) for variant in ("full", "bare")]

REMOVED = object()

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300)
    | st.sampled_from(["", "2026-02-30", "0001-01-01T00:00:00+23:59", "\x00", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every field of a payload, the nested ones too."""
    if not isinstance(value, dict):
        return []
    return [place for key, inner in value.items() for place in [(*path, key), *places(inner, (*path, key))]]


def fields_of(model: type[msgspec.Struct], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field that a model reads, those of nested models too."""
    for field in msgspec.structs.fields(model):
        yield (*path, field.name)
        for kind in typing.get_args(field.type):
            if issubclass(kind, msgspec.Struct):
                yield from fields_of(kind, (*path, field.name))


def changed(payload: dict[str, Any], changes: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """The payload with these fields removed or replaced, the deepest first."""
    result: dict[str, Any] = json.loads(json.dumps(payload))
    for path in sorted(changes, key=len, reverse=True):
        holder = result
        for key in path[:-1]:
            holder = holder[key]
        if changes[path] is REMOVED:
            del holder[path[-1]]
        else:
            holder[path[-1]] = changes[path]
    return result


@st.composite
def mutilated(
    draw: st.DrawFn, deliveries: Sequence[Golden], is_used: Callable[[tuple[str, ...]], bool]
) -> tuple[Golden, bytes]:
    """A delivery with any of its fields removed, null, or something else, but for those that nobody looks at."""
    delivery = draw(st.sampled_from(deliveries))
    used = [place for place in places(delivery.payload) if is_used(place)]
    chosen = draw(st.lists(st.sampled_from(used), max_size=12, unique=True))
    changes = {place: draw(st.just(REMOVED) | st.none() | JSON_VALUES) for place in chosen}
    return delivery, json.dumps(changed(delivery.payload, changes)).encode()


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(case=mutilated(OURS, lambda place: place[0] not in {"repository", "organization", "enterprise"}))
async def test_any_payload_ends_in_exactly_one_command(case: tuple[Golden, bytes]) -> None:
    delivery, body = case
    commands = await commands_of(event_of(delivery, body=body))
    assert len(commands) == 1
    routed = route(delivery.event, delivery.action, body, rules=RULES)
    assert routed is not None
    assert routed.partition.startswith("github:")


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(case=mutilated(COMMENTS, set(fields_of(IssueComment)).__contains__))
async def test_any_comment_ends_in_exactly_one_command(case: tuple[Golden, bytes]) -> None:
    delivery, body = case
    [command] = await commands_of(event_of(delivery, body=body))
    routed = route(delivery.event, delivery.action, body, rules=RULES)
    if isinstance(command, Answer):
        assert routed is not None, "what would be answered is recorded"
    if routed is not None:
        assert routed.partition.startswith("github:thread:")


def test_a_broken_text_where_an_object_should_be_counts_as_missing() -> None:
    for text in (
        b'{"comment": "\\ud800", "action": "created"}',
        b'{"comment": {"user": "\\udfff"}, "action": "created"}',
    ):
        comment = IssueComment.parse(text)
        assert (comment.action, comment.author) == ("created", None)


@given(value=JSON_VALUES)
def test_any_json_is_read(value: Any) -> None:
    read(AccountFields, json.dumps(value).encode())
    read_all(AccountFields, json.dumps([value]).encode())


def test_what_fits_is_read_beside_what_does_not() -> None:
    account = read(AccountFields, b'{"id": 5, "login": 6, "type": "User", "slug": ["x"]}')
    assert account == AccountFields(id=5, login=None, type="User", slug=None)


def test_a_list_is_read_item_by_item() -> None:
    assert read_all(AccountFields, b'[{"id": 1}, null, {"id": "x", "login": "a"}]') == [
        AccountFields(id=1),
        AccountFields(),
        AccountFields(login="a"),
    ]
    assert read_all(AccountFields, b'{"id": 1}') == []
