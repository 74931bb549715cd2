"""Comments for the tests: a golden delivery of a comment, made into a person's question."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.handlers.golden import Golden, golden

PERSON: Final = {"id": 4242, "login": "mona", "type": "User"}

BOT: Final = {"id": 4343, "login": "renovate[bot]", "type": "Bot"}


def a_comment(
    text: str = "/credits", *, variant: str = "full", changes: Mapping[tuple[str, ...], Any] | None = None
) -> Golden:
    """A delivery that a person wrote this comment in `octo-org/hello`, but for what is changed; `...` leaves out."""
    delivery = golden("issue_comment", "created", variant=variant)
    payload = json.loads(delivery.body)
    usual: dict[tuple[str, ...], Any] = {
        ("comment", "body"): text,
        ("comment", "user"): PERSON,
        ("comment", "performed_via_github_app"): None,
        ("sender",): PERSON,
        ("installation",): {"id": 5},
        ("repository", "name"): "hello",
        ("repository", "private"): True,
    }
    for path, value in (usual | dict(changes or {})).items():
        holder = payload
        for key in path[:-1]:
            holder = holder[key]
        if value is ...:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = value
    return Golden(event=delivery.event, action=delivery.action, variant=variant, payload=payload)
