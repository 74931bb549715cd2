"""Bodies of webhooks as they have been seen in the wild, or may be one day: fields missing, null, misspelt or unknown.

Each is a function from body to body, for `WebhookFaults.alter`; none changes the body it is given.
"""

import copy
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Alter = Callable[[Json], Json]


def without(*paths: str) -> Alter:
    """Leave out fields, each given by its dotted path; one that isn't there is passed over."""

    def alter(payload: Json) -> Json:
        altered = copy.deepcopy(payload)
        for path in paths:
            holder, name = _holder(altered, path)
            if holder is not None:
                holder.pop(name, None)
        return altered

    return alter


def replaced(path: str, value: object) -> Alter:
    """Put a value in a field's place, given by its dotted path, wherever the object around it exists."""

    def alter(payload: Json) -> Json:
        altered = copy.deepcopy(payload)
        holder, name = _holder(altered, path)
        if holder is not None:
            holder[name] = value
        return altered

    return alter


def nulled(*paths: str) -> Alter:
    """Set fields to null, each given by its dotted path."""

    def alter(payload: Json) -> Json:
        for path in paths:
            payload = replaced(path, None)(payload)
        return payload

    return alter


def with_unknown_fields(payload: Json) -> Json:
    """Add fields that nobody has heard of, in every object."""
    altered = {
        name: with_unknown_fields(value) if isinstance(value, dict) else value for name, value in payload.items()
    }
    return {**altered, "a_field_of_tomorrow": {"deep": [1, None, {"er": True}]}}


def upcoming_in_previous(payload: Json) -> Json:
    """Swap the two purchases: which of them says what comes isn't documented."""
    if "previous_marketplace_purchase" not in payload:
        return {**payload}
    return {
        **payload,
        "marketplace_purchase": payload["previous_marketplace_purchase"],
        "previous_marketplace_purchase": payload["marketplace_purchase"],
    }


installation_account_null = nulled("installation.account")
"""An installation without an account, as GitHub's description allows."""

OLD_PRICE_MODELS: dict[str, str] = {"FREE": "free", "FLAT_RATE": "flat-rate", "PER_UNIT": "per-unit"}
"""How captured webhooks spell price models that the description writes in capitals."""


def old_price_model(payload: Json) -> Json:
    """Spell the price model as captured webhooks do."""
    altered = copy.deepcopy(payload)
    for purchase in ("marketplace_purchase", "previous_marketplace_purchase"):
        holder, name = _holder(altered, f"{purchase}.plan.price_model")
        if holder is not None and name in holder:
            holder[name] = OLD_PRICE_MODELS.get(holder[name], holder[name])
    return altered


bare_purchase = without(
    "previous_marketplace_purchase",
    "marketplace_purchase.account.node_id",
    "marketplace_purchase.account.organization_billing_email",
    "marketplace_purchase.next_billing_date",
    "marketplace_purchase.free_trial_ends_on",
    "marketplace_purchase.on_free_trial",
    "marketplace_purchase.plan.bullets",
    "marketplace_purchase.plan.unit_name",
    "marketplace_purchase.plan.description",
    "sender.email",
)
"""A purchase with no field that an older GitHub left out."""

app_unnamed = nulled("comment.performed_via_github_app")
"""A comment of an App that doesn't say which App wrote it, as some do."""

VARIANTS: dict[str, Alter] = {
    "app_unnamed": app_unnamed,
    "author_null": nulled("comment.user"),
    "bare_purchase": bare_purchase,
    "installation_account_null": installation_account_null,
    "old_price_model": old_price_model,
    "sender_null": nulled("sender"),
    "unit_count_null": nulled("marketplace_purchase.unit_count"),
    "upcoming_in_previous": upcoming_in_previous,
    "with_unknown_fields": with_unknown_fields,
}
"""Every variant by its name."""


def _holder(payload: Json, path: str) -> tuple[Json | None, str]:
    """Return the object that holds a dotted path's last field, if it exists, and that field's name."""
    *outer, name = path.split(".")
    holder: Any = payload
    for step in outer:
        holder = holder.get(step) if isinstance(holder, dict) else None
    return (holder if isinstance(holder, dict) else None), name
