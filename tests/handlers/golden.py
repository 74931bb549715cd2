"""Golden payloads: made from GitHub's description of its webhooks, each full and as bare as it allows."""

import functools
import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

DESCRIPTION = Path(__file__).parent.parent / "data" / "github-webhooks.json.gz"

Schema = dict[str, Any]

DEEPEST_OPTIONAL = 6
"""Optional objects nested deeper than this are left out; the full payload stays readable."""

TEXTS = {
    "type": "Organization",
    "target_type": "Organization",
    "login": "octo-org",
    "effective_date": "2026-03-01T00:00:00+00:00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One payload of one event and action."""

    event: str
    action: str | None
    variant: str
    payload: dict[str, Any]

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    @property
    def name(self) -> str:
        return f"{self.event}.{self.action}.{self.variant}"


class Builder:
    """Makes a value that fits a schema.

    Args:
        schemas: The description's named schemas.
        bare: Leave out what may be left out, and let be null what may be null.
    """

    def __init__(self, schemas: dict[str, Schema], *, bare: bool) -> None:
        self._schemas = schemas
        self._bare = bare
        self._numbers = itertools.count(101)

    def value(self, schema: Schema, *, name: str = "", depth: int = 0) -> Any:
        schema = self._resolved(schema)
        if "allOf" in schema:
            return self.value(functools.reduce(self._narrowed, schema["allOf"]), name=name, depth=depth)
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                return self.value(schema[choice][0], name=name, depth=depth)
        if "enum" in schema:
            return schema["enum"][0]
        return self._plain(schema, name=name, depth=depth)

    def _narrowed(self, one: Schema, other: Schema) -> Schema:
        """Both parts of an `allOf` in one schema."""
        one, other = self._resolved(one), self._resolved(other)
        properties = dict(one.get("properties", {}))
        for name, schema in other.get("properties", {}).items():
            properties[name] = self._narrowed(properties[name], schema) if name in properties else schema
        narrowed = one | other
        if properties:
            narrowed |= {"properties": properties, "required": [*one.get("required", []), *other.get("required", [])]}
        if "items" in one and "items" in other:
            narrowed["items"] = self._narrowed(one["items"], other["items"])
        return narrowed

    def _resolved(self, schema: Schema) -> Schema:
        return self._schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema

    def _plain(self, schema: Schema, *, name: str, depth: int) -> Any:
        kinds = schema.get("type", "object")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "null" in kinds and (self._bare or len(kinds) == 1):
            return None
        match next(kind for kind in kinds if kind != "null"):
            case "integer" | "number":
                return next(self._numbers)
            case "boolean":
                return True
            case "string":
                return "2026-03-01T00:00:00Z" if schema.get("format") == "date-time" else TEXTS.get(name, f"a {name}")
            case "array":
                return (
                    []
                    if self._bare or "items" not in schema
                    else [self.value(schema["items"], name=name, depth=depth + 1)]
                )
            case _:
                wanted = set(schema.get("required", []))
                if not self._bare and depth < DEEPEST_OPTIONAL:
                    wanted |= set(schema.get("properties", {}))
                properties = schema.get("properties", {})
                return {
                    key: self.value(properties[key], name=key, depth=depth + 1) for key in properties if key in wanted
                }


@functools.cache
def description() -> dict[str, Any]:
    """GitHub's description of its webhooks."""
    loaded: dict[str, Any] = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    return loaded


def _payloads() -> Iterator[Golden]:
    schemas = description()["components"]["schemas"]
    for webhook in description()["webhooks"].values():
        post = webhook["post"]
        event, _, _ = post["operationId"].partition("/")
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        for variant in ("full", "bare"):
            payload = Builder(schemas, bare=variant == "bare").value(schema)
            jsonschema.validate(payload, {**schema, "components": description()["components"]})
            yield Golden(event=event.replace("-", "_"), action=payload.get("action"), variant=variant, payload=payload)


@functools.cache
def golden_payloads() -> tuple[Golden, ...]:
    """Every event and action that the description has, in both variants; each is checked against it first."""
    return tuple(_payloads())


def golden(event: str, action: str, *, variant: str = "full") -> Golden:
    """The payload of one event and action."""
    return next(
        each for each in golden_payloads() if (each.event, each.action, each.variant) == (event, action, variant)
    )
