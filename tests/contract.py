"""GitHub's own description of its API and webhooks, as a judge of what crosses the wire.

A stand-in with `observers=[contract.see_exchange]` and `event_observers=[contract.see_event]` is watched;
`contract.assert_kept()` at the end of a test says what broke the contract, on either side.
"""

import functools
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.responses.exceptions import ResponseFinderError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from sandbox.github.exchange import Exchange
from sandbox.github.model import Event

DATA = Path(__file__).parent / "data"

DESCRIBED_VERSION = "2022-11-28"
"""The API version that the description is of."""

GENERAL_REFUSALS = frozenset({301, 307, 400, 401, 403, 404, 409, 410, 422, 429, *range(500, 600)})
"""Statuses that GitHub answers anywhere, though its description doesn't list them with each operation."""

COMMENT_REACTIONS = "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"

OF_EACH = frozenset({"authorization", "content-length", "date", "host", "x-github-request-id"})
"""Headers of which each message has its own, and of which the description says nothing."""

LIMITS = "x-ratelimit-"
"""What the headers begin with that count; of these the description wants whole numbers, and one is like another."""

REMEMBERED = 4096
"""How many judgements are kept: most messages of a long run are like earlier ones, and judging takes milliseconds."""

_NUMBER = re.compile(r"\d+")
_BY_ID = re.compile(r"/repositories/\d+")


class ContractError(AssertionError):
    """What crossed the wire isn't what GitHub's description says."""


@functools.cache
def _load(name: str) -> dict[str, Any]:
    """Return one of the committed descriptions."""
    loaded: dict[str, Any] = json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))
    if name == "github-rest":
        # The list alone asks of an account to be user and enterprise at once; the single installation has it right.
        listed = loaded["paths"]["/app/installations"]["get"]["responses"]["200"]["content"]["application/json"]
        listed["schema"]["items"] = {"$ref": "#/components/schemas/installation"}
        # The cut left this operation out (GitHub documentation, "Delete an issue comment reaction").
        parameters = loaded["paths"][COMMENT_REACTIONS]["post"]["parameters"]
        reaction = {"in": "path", "name": "reaction_id", "required": True, "schema": {"type": "integer"}}
        loaded["paths"][COMMENT_REACTIONS + "/{reaction_id}"] = {
            "delete": {"parameters": [*parameters, reaction], "responses": {"204": {}}}
        }
    return loaded


@functools.cache
def _description(name: str) -> OpenAPI:
    """Return a description ready to judge; it was cut, so the check of the description itself is left out."""
    return OpenAPI.from_dict(_load(name), config=Config(spec_validator_cls=None))  # type: ignore[arg-type]


class _Request:
    """A request in the form that openapi-core reads."""

    host_url = "https://api.github.com"

    def __init__(self, *, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method.lower()
        # What has moved, and the further pages of lists, are at an address by id, which the description leaves out.
        self.path = _BY_ID.sub("/repos/owner/name", path, count=1) if path.startswith("/repositories/") else path
        self.body = body or None
        self.content_type = headers.get("content-type", headers.get("Content-Type", "application/json")).lower()
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(query, keep_blank_values=True)), header=Headers(dict(headers))
        )


class _WebhookRequest(_Request):
    """A webhook in the form that openapi-core reads."""

    def __init__(self, *, name: str, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(method="post", path="", query="", headers=headers, body=body)
        self.name = name


class _Response:
    """An answer in the form that openapi-core reads."""

    def __init__(self, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = Headers(dict(headers))
        self.content_type = headers.get("content-type", "application/json").lower()
        self.data = body or None


def _messages(errors: Iterator[Exception]) -> list[str]:
    """Return errors in words; of a schema error the first few details, for a long list says the same of each item."""
    found: list[str] = []
    for error in errors:
        cause = error if error.__cause__ is None else error.__cause__
        details = getattr(cause, "schema_errors", ())
        found.append(f"{type(error).__name__}: {str(cause)[:200]}")
        found += [f"  {'/'.join(map(str, detail.absolute_path))}: {detail.message[:200]}" for detail in details[:10]]
    return found


def _operation(request: _Request) -> dict[str, Any]:
    """Return the described operation that a request asks for; an empty one if there is none."""
    document = _load("github-rest")
    wanted = request.path.strip("/").split("/")
    # Of several templates that fit, the one with the fewest placeholders is meant.
    fitting = [
        (template.count("{"), operations)
        for template, operations in document["paths"].items()
        if len(parts := template.strip("/").split("/")) == len(wanted)
        and all(part.startswith("{") or part == given for part, given in zip(parts, wanted, strict=True))
    ]
    operations: dict[str, Any] = min(fitting, key=lambda found: found[0])[1] if fitting else {}
    operation: dict[str, Any] = operations.get(request.method, {})
    return operation


def _undeclared_parameters(request: _Request, query: str) -> list[str]:
    """Return the query's parameters that the operation doesn't have; GitHub would ignore them without a word."""
    document = _load("github-rest")
    declared = set()
    for parameter in _operation(request).get("parameters", []):
        resolved = (
            document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
            if "$ref" in parameter
            else parameter
        )
        declared.add(resolved["name"])
    return [f"parameter {name!r} is none of this operation's" for name, _ in parse_qsl(query) if name not in declared]


def _undeclared_fields(request: _Request) -> list[str]:
    """Return the body's fields that the operation doesn't have; GitHub would ignore them without a word."""
    if not request.body:
        return []
    content = _operation(request).get("requestBody", {}).get("content", {})
    declared = content.get("application/json", {}).get("schema", {}).get("properties")
    try:
        sent = json.loads(request.body)
    except ValueError:
        # What is no JSON is found by the description itself.
        return []
    if declared is None or not isinstance(sent, dict):
        return []
    return [f"field {name!r} is none of this operation's" for name in sent if name not in declared]


_HeaderList = tuple[tuple[str, str], ...]


def _judged(headers: Mapping[str, str]) -> _HeaderList:
    """Return the headers that a judgement depends on; messages that differ in others only are judged alike."""
    return tuple(
        (name, _NUMBER.sub("0", value) if name.startswith(LIMITS) else value)
        for name, value in headers.items()
        if name not in OF_EACH
    )


@functools.lru_cache(maxsize=REMEMBERED)
def _request_violations(method: str, path: str, query: str, headers: _HeaderList, body: bytes) -> tuple[str, ...]:
    """Return what is wrong with a request, the manners included that every request owes."""
    given = dict(headers)
    request = _Request(method=method, path=path, query=query, headers=given, body=body)
    found = _messages(iter(_description("github-rest").iter_request_errors(request)))
    found += [
        f"header {name} is missing" for name in ("x-github-api-version", "user-agent", "accept") if not given.get(name)
    ]
    return (*found, *_undeclared_parameters(request, query), *_undeclared_fields(request))


@functools.lru_cache(maxsize=REMEMBERED)
def _response_violations(method: str, path: str, status: int, headers: _HeaderList, body: bytes) -> tuple[str, ...]:
    """Return what is wrong with an answer. A general refusal must at least have GitHub's form of an error."""
    request = _Request(method=method, path=path, query="", headers={}, body=b"")
    answer = _Response(status=status, headers=dict(headers), body=body)
    errors = list(_description("github-rest").iter_response_errors(request, answer))
    undescribed = any(isinstance(error, PathError | ResponseFinderError) for error in errors)
    if undescribed and status in GENERAL_REFUSALS:
        refusal = json.loads(body)
        shaped = isinstance(refusal.get("message"), str) and isinstance(refusal.get("documentation_url"), str)
        return () if shaped else ("a refusal without GitHub's message and documentation_url",)
    return tuple(_messages(iter(errors)))


def check_request(exchange: Exchange) -> None:
    """Judge a request: the product's side.

    Raises:
        ContractError: It isn't as GitHub describes it, or lacks what every request owes.
    """
    asked = _judged(exchange.headers)
    _judge(exchange, _request_violations(exchange.method, exchange.path, exchange.query, asked, exchange.body))


def check_answer(exchange: Exchange) -> None:
    """Judge an answer: the stand-in's side.

    One that a fault made or took away is passed over, and one of another API version than the description's.

    Raises:
        ContractError: It isn't as GitHub describes it.
    """
    described = exchange.headers.get("x-github-api-version", DESCRIBED_VERSION) == DESCRIBED_VERSION
    if described and exchange.fault is None:
        told = _judged(exchange.response_headers)
        found = _response_violations(exchange.method, exchange.path, exchange.status, told, exchange.response_body)
        _judge(exchange, found)


def check_exchange(exchange: Exchange) -> None:
    """Judge a request and its answer.

    Raises:
        ContractError: One of them isn't as GitHub describes it.
    """
    check_request(exchange)
    check_answer(exchange)


def _judge(exchange: Exchange, found: Sequence[str]) -> None:
    """Raise what was found, with what it was found in."""
    if found:
        raise ContractError(
            "\n".join(
                [f"{exchange.method} {_Request.host_url}{exchange.path}?{exchange.query}: {exchange.status}", *found]
            )
        )


def check_webhook(name: str, action: str | None, *, headers: Mapping[str, str], body: bytes) -> None:
    """Judge a webhook as it is sent.

    Raises:
        ContractError: It isn't as GitHub describes this event and action.
    """
    key = (name if action is None else f"{name}-{action}").replace("_", "-")
    request = _WebhookRequest(name=key, headers=headers, body=body)
    found = _messages(iter(_description("github-webhooks").iter_webhook_request_errors(request)))
    if found:
        raise ContractError("\n".join([f"webhook {key}", *found]))


class GitHubContract:
    """Watches a stand-in and remembers what broke the contract.

    Attributes:
        exchanges: What was asked and answered, in order, for tests that look at the product's requests.
        events: What came about, in order.
        bad_requests: What the product asked wrongly.
        bad_answers: What the stand-in answered or sent wrongly.
    """

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.events: list[Event] = []
        self.bad_requests: list[str] = []
        self.bad_answers: list[str] = []

    def see_exchange(self, exchange: Exchange) -> None:
        """Judge a request and its answer."""
        self.exchanges.append(exchange)
        try:
            check_request(exchange)
        except ContractError as error:
            self.bad_requests.append(str(error))
        try:
            check_answer(exchange)
        except ContractError as error:
            self.bad_answers.append(str(error))

    def see_event(self, event: Event, headers: Mapping[str, str]) -> None:
        """Judge a webhook, unless a fault has altered it; the form encoding has no description of its own."""
        self.events.append(event)
        if event.altered:
            return
        described = {**headers, "Content-Type": "application/json"}
        try:
            check_webhook(event.name, event.action, headers=described, body=json.dumps(event.payload).encode())
        except ContractError as error:
            self.bad_answers.append(str(error))

    def assert_kept(self, *, requests: bool = True) -> None:
        """Fail with everything that broke the contract; a test that asks wrongly on purpose leaves out the requests."""
        broken = [*(self.bad_requests if requests else []), *self.bad_answers]
        assert not broken, "\n\n".join(broken)
